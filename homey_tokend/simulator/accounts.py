"""The pretend accounts.athom.com: login, authorise, consent (docs/wire.md A1 to A3)."""

import re

from aiohttp import web

from homey_tokend.simulator import csurf, totp
from homey_tokend.simulator.call import Call
from homey_tokend.simulator.jwt import shaped
from homey_tokend.simulator.replies import (
    Refusal,
    as_html,
    as_json,
    express_error,
    oauth_error,
    plain_error,
    redirect,
    status_of,
)
from homey_tokend.simulator.world import Grant

_COOKIE = "{}={}; Path=/"


async def login(call: Call) -> web.Response:
    """POST /login: e-mail and password, form or JSON, for a user token.

    Texts are those that clients look for; statuses and ids of errors are not known
    for sure (docs/wire.md A1, "Open").
    """
    fields = call.entry.fields
    email, password = fields.get("email"), fields.get("password")
    if not email or not password:
        missing = "email" if not email else "password"
        raise plain_error(400, "invalid_request", {missing: "Missing value"})
    if email != call.settings.email:
        raise plain_error(404, "not_found", "No resource exists on this endpoint")
    if password != call.world.password:
        raise plain_error(401, "invalid_password", "The provided password is not correct")
    _check_one_time_code(call, str(fields.get("otptoken") or ""))
    expires_at = call.world.now() + call.settings.user_token_lifetime
    token = shaped(
        {"sub": call.world.user_id, "exp": int(expires_at), "jti": call.world.chance.hex(16)},
        algorithm="HS256",
    )
    call.world.user_tokens.put(token, call.world.user_id, expires_at)
    return as_json({"token": token})


def _check_one_time_code(call: Call, code: str) -> None:
    """Refuse with ``code: 401``, on which the vendor's pages show their OTP field.

    A step that was used is refused, as RFC 6238 section 5.2 wants it.
    """
    secret = call.settings.totp_secret
    if secret is None and "otp_required" not in call.bent:
        return
    if not code:
        raise plain_error(401, "otp_required", "A one-time password is required")
    step = totp.step_of(secret, code, call.world.now()) if secret else None
    if step is None or step == call.world.last_totp_step:
        raise plain_error(401, "invalid_otp", "The provided one-time password is not correct")
    call.world.last_totp_step = step


async def hop(call: Call) -> web.Response:
    """GET /oauth2/authorise: sends on to /authorise of the same origin, query and all."""
    if "direct_code" in call.bent:
        return await authorise(call)
    return redirect(f"/authorise?{call.request.raw_path.partition('?')[2]}")


async def authorise(call: Call) -> web.Response:
    """GET /authorise: the consent page, or the code at once."""
    _check_client(call)
    _check_user(call)
    consent = call.switches.consent
    remembered = consent == "remember" and call.world.consented
    if consent == "direct" or remembered or "direct_code" in call.bent:
        return _with_code(call, "")
    secret = call.entry.cookies.get(csurf.NAME)
    fresh = secret or csurf.secret_of(call.world.chance)
    response = as_html(_page(call, csurf.token_of(fresh, call.world.chance)))
    if call.switches.extra_cookies:
        response.headers.add("Set-Cookie", _COOKIE.format("AWSALB", call.world.chance.hex(32)))
    if not secret:
        response.headers.add("Set-Cookie", _COOKIE.format(csurf.NAME, fresh))
    if call.switches.extra_cookies:
        response.headers.add("Set-Cookie", "AWSALBCORS=0; Path=/; SameSite=None; Secure")
    return response


async def consent(call: Call) -> web.Response:
    """POST /authorise: the pressed button, for a redirect with the code."""
    form = call.entry.form
    if not csurf.is_pair(call.entry.cookies.get(csurf.NAME, ""), form.get(csurf.NAME, "")):
        return express_error(403, "ForbiddenError: invalid csrf token")
    _check_client(call)
    _check_user(call)
    if not form.get("allow") or "access_denied" in call.bent:
        return error_redirect(
            call, "access_denied", "The user denied access to your application", None
        )
    call.world.consented = True
    return _with_code(call, form.get("resource", ""))


def error_redirect(call: Call, error: str, description: str, status: int | None) -> web.Response:
    """Redirect with an error; its ``code`` is an HTTP status (docs/wire.md 0, the trap)."""
    target = call.entry.query.get("redirect_uri", call.settings.redirect_uri)
    code = status_of(error) if status is None else status
    return redirect(f"{target}?error={error}&error_description={description}&code={code}")


def _check_client(call: Call) -> None:
    """Refuse in the order of ``authCodeGrant.js``: type, id, URI, then who the client is."""
    query = call.entry.query
    if query.get("response_type") != "code":
        raise oauth_error("invalid_request", 'Invalid response_type parameter (must be "code")')
    client = query.get("client_id")
    if not client:
        raise oauth_error("invalid_request", "Invalid or missing client_id parameter")
    target = query.get("redirect_uri")
    if not target:
        raise oauth_error("invalid_request", "Invalid or missing redirect_uri parameter")
    if client != call.settings.client_id:
        if not re.fullmatch("[0-9a-f]{24}", client):
            # What the live host answers to `client_id=undefined` (docs/wire.md A1).
            raise plain_error(400, "invalid_request", {"client_id": "Invalid value"})
        raise oauth_error("invalid_client", "Invalid client credentials")
    if target != call.settings.redirect_uri:
        raise oauth_error("invalid_request", "redirect_uri does not match")


def _check_user(call: Call) -> None:
    token = call.entry.query.get("user_token")
    if not token:
        # A browser without a sign-in gets the sign-in page; what exactly is not known.
        page = as_html("<!DOCTYPE html><title>Log in</title><form action='/login'></form>")
        raise Refusal(page)
    kept = call.world.user_tokens.find(token)
    if kept is None:
        raise oauth_error("invalid_token", "The access token provided is invalid.")
    if kept.is_old(call.world.now()):
        raise oauth_error("invalid_token", "The access token provided has expired.")


def _with_code(call: Call, resource: str) -> web.Response:
    """Redirect by plain concatenation, as ``authCodeGrant.js`` does."""
    code = call.world.chance.hex(40)
    expires_at = call.world.now() + call.settings.code_lifetime
    call.world.codes.put(code, Grant(call.settings.client_id, resource), expires_at)
    state = call.entry.query.get("state")
    return redirect(
        f"{call.settings.redirect_uri}?code={code}" + (f"&state={state}" if state else "")
    )


def _page(call: Call, token: str) -> str:
    options = "".join(
        f'<option value="resource.homey.{homey.cloudid}">{homey.name}</option>'
        for homey in call.world.homeys.values()
    )
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head><title>Authorise</title></head>\n<body>\n'
        f'<form method="post">\n{csurf.field(call.switches.csrf_field, token)}\n'
        f'<select name="resource">{options}</select>\n'
        '<button type="submit" name="allow" value="Allow">Allow</button>\n'
        '<button type="submit" name="deny" value="Deny">Deny</button>\n'
        "</form>\n</body>\n</html>\n"
    )
