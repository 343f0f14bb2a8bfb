"""A simulated Homey's login, sessions and ping, and the authorization of every request.

Bodies of a Homey's errors are not known for each firmware (docs/wire.md C, "Open"): a client must
decide by the status.
"""

import re

from aiohttp import web

from homey_tokend.simulator.homey_state import HomeySession, SimulatedHomey
from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import (
    ErrorResponse,
    error,
    express_error,
    find,
    json_response,
)


def reachable(context: RequestContext) -> SimulatedHomey:
    """Return the Homey in the path.

    Raises:
        ErrorResponse: ``mesh_node_offline``, it is unplugged or unknown.
    """
    if context.homey is None or not context.homey.plugged:
        raise offline(404)
    return context.homey


def offline(status: int) -> ErrorResponse:
    """Return the error for a Homey that the cloud cannot reach (docs/wire.md A6, status open)."""
    return error(status, "mesh_node_offline", "The Homey is offline [mesh_node_offline]")


def authorize(
    context: RequestContext, scope: str | None = None
) -> tuple[SimulatedHomey, HomeySession]:
    """Require a valid bearer and, if given, a scope or one of its parents.

    Raises:
        ErrorResponse: 401 for a missing, unknown, revoked or expired bearer, 403 for a scope.
    """
    homey = reachable(context)
    found = re.fullmatch(r"Bearer\s(\S+)", context.received.headers.get("authorization", ""))
    if found is None:
        raise error(401, "missing_session", "Missing session [missing_session]")
    session = context.state.live_session(homey, found[1])
    if session is None:
        raise error(401, "session_expired", "The session expired [session_expired]")
    if scope is not None and not _is_granted(scope, session.scopes):
        raise missing_scopes()
    session.last_used = context.state.now()
    return homey, session


def missing_scopes() -> ErrorResponse:
    """Return the error for a session that lacks a scope (docs/wire.md C)."""
    return error(403, "Missing Scopes")


def missing_method() -> ErrorResponse:
    """Return the error for a path that no manager has: measured as 500 (docs/wire.md C)."""
    return error(500, "missing_api_method", "Unknown method [missing_api_method]")


def require_version(context: RequestContext, version: int | None) -> None:
    """Require a version of Homey; None: any.

    Raises:
        ErrorResponse: The Homeys are of another version.
    """
    if version not in {None, context.switches.api_version}:
        raise missing_method()


def _is_granted(scope: str, granted: tuple[str, ...]) -> bool:
    """Return whether a scope or a parent of it was granted (docs/wire.md, Scopes)."""
    return any(scope == one or scope.startswith(f"{one}.") for one in granted)


async def login(context: RequestContext) -> web.Response:
    """POST /users/login: exchange a delegation token for a bearer, a bare JSON string."""
    homey = reachable(context)
    issued = context.state.delegation_tokens.find(str(context.received.fields.get("token")))
    if issued is None or issued.is_expired(context.state.now()) or issued.audience != "homey":
        raise error(401, "invalid_token", "Invalid token [invalid_token]")
    is_chosen = issued.resource == f"resource.homey.{homey.cloudid}"
    if context.switches.covers == "chosen" and not is_chosen:
        raise error(403, "forbidden", "Not of this Homey [forbidden]")
    return json_response(context.state.open_session(homey).bearer)


async def session_me(context: RequestContext) -> web.Response:
    """GET /sessions/session/me: needs no scope."""
    _, session = authorize(context)
    return json_response(session.document(with_expiry=context.switches.expires_at))


async def list_sessions(context: RequestContext) -> web.Response:
    """GET /sessions/session, which only version 2 has."""
    require_version(context, 2)
    homey, _ = authorize(context, "homey.user.readonly")
    sessions = homey.sessions.values()
    return json_response({one.id: one.document(with_expiry=True) for one in sessions})


async def end_session(context: RequestContext) -> web.Response:
    """DELETE /sessions/session/:id, which only version 2 has."""
    require_version(context, 2)
    homey, _ = authorize(context, "homey.user.readonly")
    sessions = {session.id: session for session in homey.sessions.values()}
    session = find(sessions, context.request.match_info["id"], "Session not found")
    del homey.sessions[session.bearer]
    return json_response(None)


async def ping(context: RequestContext) -> web.Response:
    """GET /system/ping?id=: needs no bearer; ``false`` for another Homey's id."""
    homey = reachable(context)
    asked = context.received.query.get("id", homey.cloudid)
    response = json_response(asked == homey.cloudid)
    response.headers["X-Homey-ID"] = homey.cloudid
    return response


async def unknown_method(context: RequestContext) -> web.Response:
    """Respond to any other path of a Homey."""
    authorize(context)
    raise missing_method()


async def not_found(context: RequestContext) -> web.Response:
    """Respond to any other path of the cloud, as Express does."""
    return express_error(404, f"Cannot {context.received.method} {context.received.path}")
