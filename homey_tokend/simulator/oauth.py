"""The pretend OAuth2 server of api.athom.com, in the order of ``grant.js`` (docs/wire.md 0)."""

import base64
import binascii
import re
from collections.abc import Mapping

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.replies import as_json, oauth_error
from homey_tokend.simulator.world import Grant, Kept, Shelf

_GRANTS = ("authorization_code", "password", "refresh_token", "client_credentials")


async def token(call: Call) -> web.Response:
    """/oauth2/token: a code, a password or a refresh token for an access token."""
    if call.entry.method != "POST" or (
        call.entry.content_type != "application/x-www-form-urlencoded"
    ):
        raise oauth_error(
            "invalid_request",
            "Method must be POST with application/x-www-form-urlencoded encoding",
        )
    form = call.entry.form
    kind = form.get("grant_type", "")
    if kind not in _GRANTS:
        raise oauth_error("invalid_request", "Invalid or missing grant_type parameter")
    _check_client(call, form)
    if kind == "client_credentials" or (kind == "password" and not call.switches.password_grant):
        raise oauth_error("invalid_client", "The grant type is unauthorised for this client_id")
    spend = {"authorization_code": _by_code, "password": _by_password}
    grant = spend.get(kind, _by_refresh_token)(call, form)
    return _granted(call, grant, with_refresh=_gives_refresh(call, kind))


def _check_client(call: Call, form: Mapping[str, str]) -> None:
    client_id, client_secret = _basic(call) or (form.get("client_id"), form.get("client_secret"))
    if not client_id or not re.fullmatch(r"(?i)[a-z0-9_-]{3,40}", client_id):
        raise oauth_error("invalid_client", "Invalid or missing client_id parameter")
    if not client_secret:
        raise oauth_error("invalid_client", "Missing client_secret parameter")
    if (client_id, client_secret) != (call.settings.client_id, call.settings.client_secret):
        raise oauth_error("invalid_client", "Client credentials are invalid")


def _basic(call: Call) -> tuple[str, str] | None:
    """Read HTTP Basic as npm ``basic-auth`` does: what is no Basic at all is passed over."""
    scheme, _, encoded = call.entry.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        # Node decodes leniently: padding may be missing, broken characters are replaced.
        octets = base64.b64decode(encoded.strip() + "==")
    except binascii.Error:
        return None
    name, colon, secret = octets.decode("utf-8", "replace").partition(":")
    return (name, secret) if colon else None


def _by_code(call: Call, form: Mapping[str, str]) -> Grant:
    code = form.get("code")
    if not code:
        raise oauth_error("invalid_request", 'No "code" parameter')
    kept = call.world.codes.find(code)
    if kept is None:
        raise oauth_error("invalid_grant", "Invalid code")
    if kept.is_old(call.world.now()):
        raise oauth_error("invalid_grant", "Code has expired")
    if call.switches.code_once:
        call.world.codes.drop(code)
    return kept.value


def _by_password(call: Call, form: Mapping[str, str]) -> Grant:
    name, password = form.get("username"), form.get("password")
    if not name or not password:
        raise oauth_error(
            "invalid_client", 'Missing parameters. "username" and "password" are required'
        )
    if (name, password) != (call.settings.email, call.world.password):
        raise oauth_error("invalid_grant", "User credentials are invalid")
    return Grant(call.settings.client_id)


def _by_refresh_token(call: Call, form: Mapping[str, str]) -> Grant:
    refresh_token = form.get("refresh_token")
    if not refresh_token:
        raise oauth_error("invalid_request", 'No "refresh_token" parameter')
    kept = call.world.refresh.find(refresh_token)
    if kept is None:
        raise oauth_error("invalid_grant", "Invalid refresh token")
    if kept.is_old(call.world.now()):
        raise oauth_error("invalid_grant", "Refresh token has expired")
    if call.switches.rotation == "replace":
        call.world.refresh.drop(refresh_token)
    return kept.value


def _gives_refresh(call: Call, kind: str) -> bool:
    return kind != "refresh_token" or call.switches.rotation != "none"


def _granted(call: Call, grant: Grant, *, with_refresh: bool) -> web.Response:
    now, settings = call.world.now(), call.settings
    access = _put(call, call.world.access, grant, now + settings.access_lifetime)
    life = int(settings.access_lifetime)
    told: dict[str, object] = {
        "token_type": "bearer",
        "access_token": access,
        "expires_in": str(life) if call.switches.expires_in_text else life,
    }
    if with_refresh:
        refresh_life = settings.refresh_lifetime
        told["refresh_token"] = _put(
            call, call.world.refresh, grant, None if refresh_life is None else now + refresh_life
        )
    response = as_json(told)
    response.headers.update({"Cache-Control": "no-store", "Pragma": "no-cache"})
    return response


def _put(call: Call, shelf: Shelf[Grant], grant: Grant, expires_at: float | None) -> str:
    secret = call.world.chance.hex(40)
    shelf.put(secret, grant, expires_at)
    return secret


def check_access(call: Call) -> Grant:
    """Ask for a good access token: header, query or form field, one of them.

    Raises:
        Refusal: In the order and with the texts of ``authorise.js`` (docs/wire.md 0).
    """
    kept = _find_access(call)
    if kept is None:
        raise oauth_error("invalid_token", "The access token provided is invalid.")
    if kept.is_old(call.world.now()):
        raise oauth_error("invalid_token", "The access token provided has expired.")
    return kept.value


def _find_access(call: Call) -> Kept[Grant] | None:
    header = call.entry.headers.get("authorization")
    ways = [
        way
        for way in (header, call.entry.query.get("access_token"), _posted(call))
        if way is not None
    ]
    if len(ways) > 1:
        raise oauth_error(
            "invalid_request",
            "Only one method may be used to authenticate at a time (Auth header,  GET or POST).",
        )
    if not ways:
        raise oauth_error("invalid_request", "The access token was not found")
    bearer = ways[0]
    if header is not None:
        found = re.search(r"Bearer\s(\S+)", header)
        if found is None:
            raise oauth_error("invalid_request", "Malformed auth header")
        bearer = found[1]
    return call.world.access.find(bearer)


def _posted(call: Call) -> str | None:
    value = call.entry.fields.get("access_token")
    return None if value is None else str(value)
