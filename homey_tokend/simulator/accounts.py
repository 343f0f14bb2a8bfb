"""The simulated accounts.athom.com: login, authorise, consent (docs/wire.md A1 to A3)."""

import hashlib
import hmac
import re

from aiohttp import web

from homey_tokend.simulator import totp
from homey_tokend.simulator.oauth import TOKEN_ERRORS, check_issued
from homey_tokend.simulator.random_values import base64url, jwt
from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import (
    ErrorResponse,
    error,
    express_error,
    html_response,
    json_response,
    oauth_error,
    oauth_status,
    redirect,
)
from homey_tokend.simulator.settings import CsrfField
from homey_tokend.simulator.state import IssuedToken

_CSRF = "_csrf"
_CSRF_FIELDS: dict[CsrfField, str] = {
    "type-name-value": '<input type="hidden" name="_csrf" value="{}">',
    "value-name-type": '<input value="{}" name="_csrf" type="hidden">',
    "single-quotes": "<input type='hidden' name='_csrf' value='{}'>",
    "self-closing": '<input type="hidden" name="_csrf" value="{}" />',
}


async def login(context: RequestContext) -> web.Response:
    """POST /login: exchange e-mail and password, form or JSON, for a user token.

    The texts are those that clients look for; statuses and ids of errors are uncertain
    (docs/wire.md A1, "Open").
    """
    state, fields = context.state, context.received.fields
    email, password = fields.get("email"), fields.get("password")
    if not email or not password:
        missing = "email" if not email else "password"
        raise error(400, "invalid_request", {missing: "Missing value"})
    if email != context.settings.email:
        raise error(404, "not_found", "No resource exists on this endpoint")
    if password != state.password:
        raise error(401, "invalid_password", "The provided password is not correct")
    _check_one_time_code(context, str(fields.get("otptoken") or ""))
    expires_at = state.now() + context.settings.user_token_lifetime
    claims = {"sub": state.user_id, "exp": int(expires_at), "jti": state.random.hex(16)}
    token = jwt(claims, algorithm="HS256")
    state.user_tokens.add(token, IssuedToken(expires_at))
    return json_response({"token": token})


def _check_one_time_code(context: RequestContext, code: str) -> None:
    """Require a one-time code, for which the vendor's pages show a field on ``code: 401``.

    The code of a step that was used is rejected, as RFC 6238 section 5.2 requires.
    """
    secret = context.settings.totp_secret
    if secret is None and "otp_required" not in context.modifiers:
        return
    if not code:
        raise error(401, "otp_required", "A one-time password is required")
    step = totp.step_of(secret, code, context.state.now()) if secret else None
    if step is None or step == context.state.last_totp_step:
        raise error(401, "invalid_otp", "The provided one-time password is not correct")
    context.state.last_totp_step = step


async def start_authorise(context: RequestContext) -> web.Response:
    """GET /oauth2/authorise: redirect to /authorise of the same origin, query and all."""
    if "direct_code" in context.modifiers:
        return await authorise(context)
    return redirect(f"/authorise?{context.request.raw_path.partition('?')[2]}")


async def authorise(context: RequestContext) -> web.Response:
    """GET /authorise: return the consent page, or redirect with the code at once."""
    _check_client(context)
    _check_user(context)
    state, switches = context.state, context.switches
    remembered = switches.consent == "remember" and state.consented
    if switches.consent == "direct" or remembered or "direct_code" in context.modifiers:
        return _redirect_with_code(context, "")
    sent = context.received.cookies.get(_CSRF)
    secret = sent or state.random.base64url(18)
    response = html_response(
        _consent_page(context, _csrf_token(state.random.alphanumeric(8), secret))
    )
    cookies = [] if sent else [f"{_CSRF}={secret}; Path=/"]
    if switches.extra_cookies:
        balancer = f"AWSALB={state.random.hex(32)}; Path=/"
        cookies = [balancer, *cookies, "AWSALBCORS=0; Path=/; SameSite=None; Secure"]
    for cookie in cookies:
        response.headers.add("Set-Cookie", cookie)
    return response


async def consent(context: RequestContext) -> web.Response:
    """POST /authorise: redirect with the code once Allow is pressed."""
    form = context.received.form
    if not is_csrf_pair(context.received.cookies.get(_CSRF, ""), form.get(_CSRF, "")):
        return express_error(403, "ForbiddenError: invalid csrf token")
    _check_client(context)
    _check_user(context)
    if not form.get("allow") or "access_denied" in context.modifiers:
        text = "The user denied access to your application"
        return error_redirect(context, "access_denied", text, None)
    context.state.consented = True
    return _redirect_with_code(context, form.get("resource", ""))


def error_redirect(
    context: RequestContext, id_: str, description: str, status: int | None
) -> web.Response:
    """Redirect with an error; its ``code`` is an HTTP status (docs/wire.md 0, the trap)."""
    target = context.received.query.get("redirect_uri", context.settings.redirect_uri)
    code = oauth_status(id_) if status is None else status
    return redirect(f"{target}?error={id_}&error_description={description}&code={code}")


def _check_client(context: RequestContext) -> None:
    """Check in the order of ``authCodeGrant.js``: type, id, URI, then the client itself."""
    query, settings = context.received.query, context.settings
    if query.get("response_type") != "code":
        raise oauth_error("invalid_request", 'Invalid response_type parameter (must be "code")')
    client = query.get("client_id")
    if not client:
        raise oauth_error("invalid_request", "Invalid or missing client_id parameter")
    target = query.get("redirect_uri")
    if not target:
        raise oauth_error("invalid_request", "Invalid or missing redirect_uri parameter")
    if client != settings.client_id:
        if not re.fullmatch("[0-9a-f]{24}", client):
            # What the live host answers to `client_id=undefined` (docs/wire.md A1).
            raise error(400, "invalid_request", {"client_id": "Invalid value"})
        raise oauth_error("invalid_client", "Invalid client credentials")
    if target != settings.redirect_uri:
        raise oauth_error("invalid_request", "redirect_uri does not match")


def _check_user(context: RequestContext) -> None:
    token = context.received.query.get("user_token")
    if not token:
        # A browser without a sign-in gets the sign-in page, whose exact form is unknown.
        page = "<!DOCTYPE html><title>Log in</title><form action='/login'></form>"
        raise ErrorResponse(html_response(page))
    check_issued(context, context.state.user_tokens, token, TOKEN_ERRORS)


def _redirect_with_code(context: RequestContext, resource: str) -> web.Response:
    """Redirect by plain concatenation, as ``authCodeGrant.js`` does."""
    settings, state = context.settings, context.received.query.get("state")
    code = context.state.issue(context.state.codes, settings.code_lifetime, resource)
    return redirect(f"{settings.redirect_uri}?code={code}" + (f"&state={state}" if state else ""))


def _consent_page(context: RequestContext, csrf_token: str) -> str:
    options = "".join(
        f'<option value="resource.homey.{homey.cloudid}">{homey.name}</option>'
        for homey in context.state.homeys.values()
    )
    field = _CSRF_FIELDS[context.switches.csrf_field].format(csrf_token)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><title>Authorise</title></head>\n<body>\n'
        f'<form method="post">\n{field}\n'
        f'<select name="resource">{options}</select>\n'
        '<button type="submit" name="allow" value="Allow">Allow</button>\n'
        '<button type="submit" name="deny" value="Deny">Deny</button>\n'
        "</form>\n</body>\n</html>\n"
    )


def is_csrf_pair(secret: str, token: str) -> bool:
    """Return whether a form's token was made from the secret in the cookie ``_csrf``.

    npm ``csurf`` in cookie mode (docs/wire.md A2): the token is the secret's salted hash,
    and the server remembers nothing.
    """
    salt, dash, _ = token.partition("-")
    expected = _csrf_token(salt, secret)
    return bool(secret and dash) and hmac.compare_digest(expected.encode(), token.encode())


def _csrf_token(salt: str, secret: str) -> str:
    digest = hashlib.sha1(f"{salt}-{secret}".encode()).digest()  # noqa: S324 -- csurf's own hash
    return f"{salt}-{base64url(digest)}"
