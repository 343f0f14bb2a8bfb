"""A pretend Homey's doors: login, sessions, ping; and the guard before all others.

Bodies of a Homey's errors are not known for each firmware (docs/wire.md C, "Open"):
a client has to go by the status.
"""

import re

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.household import Homey, Session
from homey_tokend.simulator.replies import Refusal, as_json, express_error, plain_error


def reached(call: Call) -> Homey:
    """Give the Homey in the path.

    Raises:
        Refusal: ``mesh_node_offline``, where it is unplugged or not of this world.
    """
    if call.homey is None or not call.homey.plugged:
        raise offline(404)
    return call.homey


def offline(status: int) -> Refusal:
    """Say that the cloud cannot reach the Homey (docs/wire.md A6; the status is open)."""
    return plain_error(status, "mesh_node_offline", "The Homey is offline [mesh_node_offline]")


def guarded(call: Call, scope: str | None = None) -> tuple[Homey, Session]:
    """Ask for a good bearer and, where given, a scope or one of its parents.

    Raises:
        Refusal: 401 for a missing, unknown, revoked or old bearer, 403 for a scope.
    """
    homey = reached(call)
    found = re.fullmatch(r"Bearer\s(\S+)", call.entry.headers.get("authorization", ""))
    if found is None:
        raise plain_error(401, "missing_session", "Missing session [missing_session]")
    session = call.world.live_session(homey, found[1])
    if session is None:
        raise plain_error(401, "session_expired", "The session expired [session_expired]")
    if scope is not None and not _within(scope, session.scopes):
        raise missing_scopes()
    session.last_used = call.world.now()
    return homey, session


def missing_scopes() -> Refusal:
    """Say that the session lacks a scope (docs/wire.md C)."""
    return plain_error(403, "Missing Scopes")


def _within(scope: str, granted: tuple[str, ...]) -> bool:
    """Tell whether a scope or a parent of it was granted (docs/wire.md, Scopes)."""
    return any(scope == one or scope.startswith(f"{one}.") for one in granted)


async def login(call: Call) -> web.Response:
    """POST /api/manager/users/login: a delegation token for a bearer, a bare JSON string."""
    homey = reached(call)
    kept = call.world.delegations.find(str(call.entry.fields.get("token")))
    if kept is None or kept.is_old(call.world.now()) or kept.value[0] != "homey":
        raise plain_error(401, "invalid_token", "Invalid token [invalid_token]")
    resource = kept.value[1].resource
    if call.switches.covers == "chosen" and resource != f"resource.homey.{homey.cloudid}":
        raise plain_error(403, "forbidden", "Not of this Homey [forbidden]")
    return as_json(call.world.open_session(homey).bearer)


async def session_me(call: Call) -> web.Response:
    """GET /api/manager/sessions/session/me: needs no scope."""
    _, session = guarded(call)
    return as_json(session.as_json(with_expiry=call.switches.expires_at))


async def sessions(call: Call) -> web.Response:
    """GET /api/manager/sessions/session, which only version 2 has."""
    _only_v2(call)
    homey, _ = guarded(call, "homey.user.readonly")
    told = {one.id: one.as_json(with_expiry=True) for one in homey.sessions.values()}
    return as_json(told)


async def end_session(call: Call) -> web.Response:
    """DELETE /api/manager/sessions/session/:id, which only version 2 has."""
    _only_v2(call)
    homey, _ = guarded(call, "homey.user.readonly")
    wanted = call.request.match_info["id"]
    for one in [one for one in homey.sessions.values() if one.id == wanted]:
        del homey.sessions[one.bearer]
        return as_json(None)
    raise plain_error(404, "not_found", "Session not found [not_found]")


def _only_v2(call: Call) -> None:
    if call.switches.api_version != 2:
        raise missing_method()


def missing_method() -> Refusal:
    """Answer to a path that no manager has: measured as status 500 (docs/wire.md C)."""
    return plain_error(500, "missing_api_method", "Unknown method [missing_api_method]")


async def ping(call: Call) -> web.Response:
    """GET /api/manager/system/ping?id=: no bearer; ``false`` for another Homey's id."""
    homey = reached(call)
    wanted = call.entry.query.get("id", homey.cloudid)
    response = as_json(wanted == homey.cloudid)
    response.headers["X-Homey-ID"] = homey.cloudid
    return response


async def unknown(call: Call) -> web.Response:
    """Answer any other path of a Homey."""
    guarded(call)
    raise missing_method()


async def not_found(call: Call) -> web.Response:
    """Answer any other path of the cloud, as Express does."""
    return express_error(404, f"Cannot {call.entry.method} {call.entry.path}")
