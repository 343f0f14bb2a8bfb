"""The rest of the simulated api.athom.com: user, delegation tokens (docs/wire.md A5, E)."""

from aiohttp import web

from homey_tokend.simulator.homey_state import Json, SimulatedHomey
from homey_tokend.simulator.oauth import check_access
from homey_tokend.simulator.random_values import jwt
from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import error, json_response, oauth_error
from homey_tokend.simulator.state import IssuedToken

#: For whom delegation tokens are issued (docs/wire.md A5).
_AUDIENCES = ("homey", "apps")


async def user_me(context: RequestContext) -> web.Response:
    """GET /user/me: the account and its Homeys with their addresses."""
    check_access(context)
    return json_response(
        {
            "_id": context.state.user_id,
            "email": context.settings.email,
            "firstname": "Resi",
            "lastname": "Dent",
            "roleIds": ["user"],
            "devices": [],
            "homeys": [_homey(context, homey) for homey in context.state.homeys.values()],
        }
    )


def _homey(context: RequestContext, homey: SimulatedHomey) -> Json:
    switches = context.switches
    pro_2023 = switches.api_version >= 3
    return {
        "_id": homey.cloudid,
        "id": homey.cloudid,
        "name": homey.name,
        "apiVersion": switches.api_version,
        "platform": "local",
        "platformVersion": 2 if pro_2023 else 1,
        "softwareVersion": "12.4.0" if pro_2023 else "13.2.4",
        "language": "en",
        "state": "online" if homey.plugged else "offline",
        "role": "owner",
        "users": [{"_id": context.state.user_id, "role": "owner"}],
        "geolocation": None,
        "ipInternal": None,
        "ipExternal": None,
        "localUrl": None,
        "localUrlSecure": None,
        "remoteUrl": context.state.homey_url(homey.cloudid) if switches.remote_url else None,
        "remoteUrlForwarded": None,
        "mdnsFqdn": None,
        "portHttp": None,
        "model": "homey5q" if pro_2023 else "homey3d",
    }


async def delegation(context: RequestContext) -> web.Response:
    """POST /delegation/token?audience=: a bare JSON string; the body is ignored."""
    access = check_access(context)
    audience = context.received.query.get("audience", "")
    if audience not in _AUDIENCES:
        raise error(400, "invalid_request", {"audience": "Invalid value"})
    now = context.state.now()
    expires_at = now + context.settings.delegation_lifetime
    token = jwt(
        {
            "iss": "api.athom.com",
            "aud": audience,
            "sub": context.state.user_id,
            "iat": int(now),
            "exp": int(expires_at),
            "jti": context.state.random.hex(16),
        }
    )
    context.state.delegation_tokens.add(token, IssuedToken(expires_at, access.resource, audience))
    return json_response(token)


async def verify_delegation(context: RequestContext) -> web.Response:
    """GET /delegation/verify?token=: whether a delegation token is valid."""
    issued = context.state.delegation_tokens.find(context.received.query.get("token", ""))
    if issued is None or issued.is_expired(context.state.now()):
        raise oauth_error("invalid_token", "The provided token is invalid.")
    return json_response({"aud": issued.audience, "sub": context.state.user_id})
