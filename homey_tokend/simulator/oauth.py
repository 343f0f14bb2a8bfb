"""The OAuth2 server of api.athom.com, in the order of ``grant.js`` (docs/wire.md 0)."""

import base64
import binascii
import re
from collections.abc import Mapping

from aiohttp import web

from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import NO_STORE, json_response, oauth_error
from homey_tokend.simulator.state import IssuedToken, TokenStore

_GRANT_TYPES = ("authorization_code", "password", "refresh_token", "client_credentials")


async def token(context: RequestContext) -> web.Response:
    """/oauth2/token: exchange a code, a password or a refresh token for an access token."""
    received, switches = context.received, context.switches
    if (received.method, received.content_type) != ("POST", "application/x-www-form-urlencoded"):
        raise oauth_error(
            "invalid_request",
            "Method must be POST with application/x-www-form-urlencoded encoding",
        )
    form = received.form
    grant_type = form.get("grant_type", "")
    if grant_type not in _GRANT_TYPES:
        raise oauth_error("invalid_request", "Invalid or missing grant_type parameter")
    _check_client(context, form)
    if grant_type == "authorization_code":
        return _grant(context, _use_code(context, form))
    if grant_type == "refresh_token":
        resource = _use_refresh_token(context, form)
        return _grant(context, resource, with_refresh_token=switches.rotation != "none")
    if grant_type == "password" and switches.password_grant:
        _check_password(context, form)
        return _grant(context, "")
    raise oauth_error("invalid_client", "The grant type is unauthorised for this client_id")


def _check_client(context: RequestContext, form: Mapping[str, str]) -> None:
    id_, secret = _basic(context) or (form.get("client_id"), form.get("client_secret"))
    if not id_ or not re.fullmatch(r"(?i)[a-z0-9_-]{3,40}", id_):
        raise oauth_error("invalid_client", "Invalid or missing client_id parameter")
    if not secret:
        raise oauth_error("invalid_client", "Missing client_secret parameter")
    if (id_, secret) != (context.settings.client_id, context.settings.client_secret):
        raise oauth_error("invalid_client", "Client credentials are invalid")


def _basic(context: RequestContext) -> tuple[str, str] | None:
    """Read HTTP Basic as npm ``basic-auth`` does, which ignores anything malformed."""
    scheme, _, encoded = context.received.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        # Node decodes leniently: padding may be missing, broken characters are replaced.
        octets = base64.b64decode(encoded.strip() + "==")
    except binascii.Error:
        return None
    name, colon, secret = octets.decode("utf-8", "replace").partition(":")
    return (name, secret) if colon else None


def _use_code(context: RequestContext, form: Mapping[str, str]) -> str:
    code = form.get("code")
    if not code:
        raise oauth_error("invalid_request", 'No "code" parameter')
    errors = ("invalid_grant", "Invalid code", "Code has expired")
    issued = check_issued(context, context.state.codes, code, errors)
    if context.switches.code_once:
        context.state.codes.remove(code)
    return issued.resource


def _use_refresh_token(context: RequestContext, form: Mapping[str, str]) -> str:
    value = form.get("refresh_token")
    if not value:
        raise oauth_error("invalid_request", 'No "refresh_token" parameter')
    errors = ("invalid_grant", "Invalid refresh token", "Refresh token has expired")
    issued = check_issued(context, context.state.refresh_tokens, value, errors)
    if context.switches.rotation == "replace":
        context.state.refresh_tokens.remove(value)
    return issued.resource


def _check_password(context: RequestContext, form: Mapping[str, str]) -> None:
    name, password = form.get("username"), form.get("password")
    if not name or not password:
        raise oauth_error(
            "invalid_client", 'Missing parameters. "username" and "password" are required'
        )
    if (name, password) != (context.settings.email, context.state.password):
        raise oauth_error("invalid_grant", "User credentials are invalid")


def _grant(
    context: RequestContext, resource: str, *, with_refresh_token: bool = True
) -> web.Response:
    state, settings = context.state, context.settings
    lifetime = int(settings.access_lifetime)
    granted: dict[str, object] = {
        "token_type": "bearer",
        "access_token": state.issue(state.access_tokens, settings.access_lifetime, resource),
        "expires_in": str(lifetime) if context.switches.expires_in_text else lifetime,
    }
    if with_refresh_token:
        granted["refresh_token"] = state.issue(
            state.refresh_tokens, settings.refresh_lifetime, resource
        )
    response = json_response(granted)
    response.headers.update(NO_STORE)
    return response


def check_issued(
    context: RequestContext, store: TokenStore, value: str, errors: tuple[str, str, str]
) -> IssuedToken:
    """Return what a code or token stands for.

    Args:
        context: The request.
        store: The issued codes or tokens of its type.
        value: The code or token.
        errors: Id of the error, and its texts for an unknown and for an expired value.

    Raises:
        ErrorResponse: It is unknown or expired.
    """
    id_, unknown, expired = errors
    issued = store.find(value)
    if issued is None:
        raise oauth_error(id_, unknown)
    if issued.is_expired(context.state.now()):
        raise oauth_error(id_, expired)
    return issued


#: Errors of an access or user token.
TOKEN_ERRORS = (
    "invalid_token",
    "The access token provided is invalid.",
    "The access token provided has expired.",
)


def check_access(context: RequestContext) -> IssuedToken:
    """Require a valid access token in exactly one of header, query and form field.

    Raises:
        ErrorResponse: In the order and with the texts of ``authorise.js`` (docs/wire.md 0).
    """
    received = context.received
    header, field = received.headers.get("authorization"), received.fields.get("access_token")
    sent = [
        value for value in (header, received.query.get("access_token"), field) if value is not None
    ]
    if len(sent) > 1:
        raise oauth_error(
            "invalid_request",
            "Only one method may be used to authenticate at a time (Auth header,  GET or POST).",
        )
    if not sent:
        raise oauth_error("invalid_request", "The access token was not found")
    value = str(sent[0])
    if header is not None:
        found = re.search(r"Bearer\s(\S+)", header)
        if found is None:
            raise oauth_error("invalid_request", "Malformed auth header")
        value = found[1]
    return check_issued(context, context.state.access_tokens, value, TOKEN_ERRORS)
