"""The rest of the pretend api.athom.com: the user, delegation tokens (docs/wire.md A5, E)."""

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.household import Homey, Json
from homey_tokend.simulator.jwt import shaped
from homey_tokend.simulator.oauth import check_access
from homey_tokend.simulator.replies import as_json, oauth_error, plain_error

#: For whom delegation tokens are made (docs/wire.md A5).
AUDIENCES = ("homey", "apps")


async def user_me(call: Call) -> web.Response:
    """GET /user/me: the account and its Homeys with their addresses."""
    check_access(call)
    return as_json(
        {
            "_id": call.world.user_id,
            "email": call.settings.email,
            "firstname": "Resi",
            "lastname": "Dent",
            "roleIds": ["user"],
            "devices": [],
            "homeys": [_described(call, homey) for homey in call.world.homeys.values()],
        }
    )


def _described(call: Call, homey: Homey) -> Json:
    url = call.world.homey_url(homey.cloudid) if call.switches.remote_url else None
    pro_2023 = call.switches.api_version >= 3
    return {
        "_id": homey.cloudid,
        "id": homey.cloudid,
        "name": homey.name,
        "apiVersion": call.switches.api_version,
        "platform": "local",
        "platformVersion": 2 if pro_2023 else 1,
        "softwareVersion": "12.4.0" if pro_2023 else "13.2.4",
        "language": "en",
        "state": "online" if homey.plugged else "offline",
        "role": "owner",
        "users": [{"_id": call.world.user_id, "role": "owner"}],
        "geolocation": None,
        "ipInternal": None,
        "ipExternal": None,
        "localUrl": None,
        "localUrlSecure": None,
        "remoteUrl": url,
        "remoteUrlForwarded": None,
        "mdnsFqdn": None,
        "portHttp": None,
        "model": "homey5q" if pro_2023 else "homey3d",
    }


async def delegation(call: Call) -> web.Response:
    """POST /delegation/token?audience=: a bare JSON string; the body does not matter."""
    grant = check_access(call)
    audience = call.entry.query.get("audience", "")
    if audience not in AUDIENCES:
        raise plain_error(400, "invalid_request", {"audience": "Invalid value"})
    now = call.world.now()
    expires_at = now + call.settings.delegation_lifetime
    claims = {
        "iss": "api.athom.com",
        "aud": audience,
        "sub": call.world.user_id,
        "iat": int(now),
        "exp": int(expires_at),
        "jti": call.world.chance.hex(16),
    }
    token = shaped(claims)
    call.world.delegations.put(token, (audience, grant), expires_at)
    return as_json(token)


async def verify_delegation(call: Call) -> web.Response:
    """GET /delegation/verify?token=: whether a delegation token is good."""
    kept = call.world.delegations.find(call.entry.query.get("token", ""))
    if kept is None or kept.is_old(call.world.now()):
        raise oauth_error("invalid_token", "The provided token is invalid.")
    return as_json({"aud": kept.value[0], "sub": call.world.user_id})
