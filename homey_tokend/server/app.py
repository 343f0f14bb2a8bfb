"""The routes: read snapshots, wake keepers, say plainly what is wrong.

A cached token is answered without waiting for anything, and with as little work
as can be: no middleware, the text kept ready from one request to the next.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime

import structlog
from aiohttp import HttpVersion11, web

from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.server import documents, problems
from homey_tokend.server.connections import Connection
from homey_tokend.server.monitoring import MonitoringRoutes, Telemetry
from homey_tokend.server.problems import Problem
from homey_tokend.server.query import BARE, TokenQuery, token_query, wait_query

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Looks at a request before it is served: None lets it pass, a Problem is its answer.
RequestCheck = Callable[[web.Request], Problem | None]

_log = structlog.get_logger()
_NO_STORE = {"Cache-Control": "no-store"}


def reject_browsers(request: web.Request) -> Problem | None:
    """Refuse what a browser sends: no web page drives a daemon, through whatever proxy."""
    headers = request.headers
    if "Origin" in headers or "Referer" in headers:
        return Problem(
            403, "web-page", "requests of web pages are refused (Origin, Referer)", kind="web_page"
        )
    return None


class Api:
    """The socket API over a Desk.

    Args:
        desk: Whom to ask.
        version: The program's version, for ``/status``.
        gates: What every request on the socket must pass, in this order.
        forward: The forwarding door; None leaves it out.
        call_gates: What a request to the door must pass; None: the same as all others.
        watched: What there is to see besides the Homeys.
    """

    def __init__(
        self,
        desk: TokenProvider,
        *,
        version: str,
        gates: tuple[RequestCheck, ...] = (reject_browsers,),
        forward: _Handler | None = None,
        call_gates: tuple[RequestCheck, ...] | None = None,
        watched: Telemetry | None = None,
    ) -> None:
        self._desk = desk
        self._forward = forward
        self._version = version
        self._gates = gates
        self._call_gates = gates if call_gates is None else call_gates
        self._watched = watched or Telemetry()
        self._watching = MonitoringRoutes(desk, version, self._watched)
        self._ready: dict[str, tuple[Token, bytes]] = {}

    def app(self) -> web.Application:
        """The application for the unix socket: every route."""
        app = web.Application()
        if self._forward is not None:
            # First, since aiohttp tries all below /homeys in turn, and calls are the many.
            door = app.router.add_resource("/homeys/{name}/api/{rest:.*}")
            self._route(door, "*", self._forward, self._call_gates)
        for method, path, handler in (
            ("GET", "/token", self._token),
            ("GET", "/homeys/{name}/token", self._homey_token),
            ("POST", "/homeys/{name}/refresh", self._refresh),
            ("GET", "/homeys/{name}", self._homey),
            ("GET", "/status", self._status),
            ("GET", "/healthz", self._healthz),
            ("GET", "/readyz", self._readyz),
            ("GET", "/metrics", self._watching.metrics),
            ("GET", "/events", self._watching.events(app)),
        ):
            self._add(app, method, path, handler, self._gates)
        self._route(app.router.add_resource("/{rest:.*}"), "*", _unknown_path, self._gates)
        return app

    def http_app(self) -> web.Application:
        """The small application for ``http.listen``: to be looked at, nothing secret."""
        app = web.Application()
        self._add(app, "GET", "/healthz", self._healthz, ())
        self._add(app, "GET", "/readyz", self._readyz, ())
        self._add(app, "GET", "/metrics", self._watching.metrics, ())
        self._add(app, "GET", "/", self._watching.page, ())
        self._route(app.router.add_resource("/{rest:.*}"), "*", _unknown_path, ())
        return app

    def _add(
        self,
        app: web.Application,
        method: str,
        path: str,
        handler: _Handler,
        gates: tuple[RequestCheck, ...],
    ) -> None:
        allowed = ("GET", "HEAD") if method == "GET" else (method,)
        resource = app.router.add_resource(path)
        for verb in allowed:
            self._route(resource, verb, handler, gates)
        self._route(resource, "*", _wrong_method(", ".join(allowed)), gates)

    def _route(
        self, resource: web.Resource, verb: str, handler: _Handler, gates: tuple[RequestCheck, ...]
    ) -> None:
        unmet = self._gated(_unmet, gates)

        async def expected(request: web.Request) -> web.StreamResponse | None:
            """Asked by aiohttp before the handler where there is an ``Expect``."""
            if request.version < HttpVersion11:
                return None
            if request.headers["Expect"].lower() != "100-continue":
                return await unmet(request)
            await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            request.writer.output_size = 0  # of the answer itself nothing is sent yet
            return None

        resource.add_route(verb, self._gated(handler, gates), expect_handler=expected)

    @staticmethod
    def _gated(handler: _Handler, gates: tuple[RequestCheck, ...]) -> _Handler:
        async def gated(request: web.Request) -> web.StreamResponse:
            guest = request.protocol
            if isinstance(guest, Connection):
                guest.busy()
            try:
                for gate in gates:
                    problem = gate(request)
                    if problem is not None:
                        return problem.response()
                return await handler(request)
            except Problem as problem:
                return problem.response()
            except Exception as error:  # noqa: BLE001  a bug is answered and logged, not sent out
                _log.error("request.failed", error=type(error).__name__, exc_info=error)
                return Problem(500, "bug", "a fault of the daemon", kind="bug").response()
            finally:
                if isinstance(guest, Connection):
                    guest.idle()

        return gated

    async def _token(self, request: web.Request) -> web.Response:
        ask = token_query(request)
        name = self._only() if ask.homey is None else ask.homey
        held = self._held(name, ask)
        return await self._serve(name, ask) if held is None else held

    async def _homey_token(self, request: web.Request) -> web.Response:
        name, ask = request.match_info["name"], token_query(request)
        held = self._held(name, ask)
        return await self._serve(name, ask) if held is None else held

    def _held(self, name: str, ask: TokenQuery) -> web.Response | None:
        """The held token as text, where it will do: what is asked by far the most."""
        if ask is not BARE or (token := self._view(name).token) is None:
            return None
        left = (token.expires_at - self._desk.now()).total_seconds()
        return self._as_text(name, token, int(left)) if left > 0 else None

    async def _serve(self, name: str, ask: TokenQuery) -> web.Response:
        view = self._view(name)
        now = self._desk.now()
        if ask.wait is not None and not _lasts(view, now, ask):
            view = await self._desk.token_for(name, ask.min_ttl, ask.wait)
            now = self._desk.now()
        token = view.token
        if token is None or not token.valid(now):
            raise problems.no_token(view, now)
        if ask.as_json:
            return _json(documents.token_document(name, token, now))
        return self._as_text(name, token, documents.seconds_left(token, now))

    def _as_text(self, name: str, token: Token, left_s: int) -> web.Response:
        return web.Response(
            body=self._text(name, token),
            headers={
                "Content-Type": "text/plain; charset=utf-8",
                "Cache-Control": "no-store",
                "Token-Expires-In": str(left_s),
            },
        )

    def _text(self, name: str, token: Token) -> bytes:
        ready = self._ready.get(name)
        if ready is None or ready[0] is not token:
            ready = (token, token.value.reveal().encode() + b"\n")
            self._ready[name] = ready
        return ready[1]

    async def _homey(self, request: web.Request) -> web.Response:
        view = self._view(request.match_info["name"])
        return _json(documents.homey_document(view, self._desk.now()))

    async def _status(self, _request: web.Request) -> web.Response:
        views = [self._desk.view(name) for name in self._desk.names()]
        document = documents.status_document(views, self._desk.now(), self._version)
        return _json({**document, "readers": dict(self._watched.visits)})

    async def _refresh(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        wait = wait_query(request)
        self._view(name)
        # Shielded: who asks may leave, and what is written down meanwhile is written whole.
        refreshed = await asyncio.shield(self._desk.refresh(name, wait))
        view, now = refreshed.view, self._desk.now()
        if refreshed.too_soon is not None:
            raise problems.too_soon(view, refreshed.too_soon, now)
        if not refreshed.done and not view.refreshing:
            raise problems.not_refreshed(view, now)
        document = {"refreshed": refreshed.done, **documents.homey_document(view, now)}
        return _json(document, status=200 if refreshed.done else 202)

    async def _healthz(self, _request: web.Request) -> web.Response:
        if not self._desk.alive():
            raise Problem(503, "stalled", "the daemon's schedule stands still", kind="stalled")
        return web.Response(text="ok\n", headers=_NO_STORE)

    async def _readyz(self, _request: web.Request) -> web.Response:
        now = self._desk.now()
        views = [self._desk.view(name) for name in self._desk.names()]
        lacking = [view for view in views if view.token is None or not view.token.valid(now)]
        if lacking:
            names = [view.name for view in lacking]
            raise Problem(
                503,
                "not-ready",
                f"no valid token is held for {', '.join(names)}",
                kind="not_ready",
                retry_after=min(problems.seconds_to_next_try(view, now) for view in lacking),
                more={"homeys": names},
            )
        return web.Response(text="ready\n", headers=_NO_STORE)

    def _only(self) -> str:
        names = self._desk.names()
        if len(names) != 1:
            raise problems.homey_required(list(names))
        return names[0]

    def _view(self, name: str) -> View:
        try:
            return self._desk.view(name)
        except KeyError:
            raise problems.unknown_homey(name, list(self._desk.names())) from None


def _lasts(view: View, now: datetime, ask: TokenQuery) -> bool:
    token = view.token
    return token is not None and token.valid(now) and token.left(now) >= ask.min_ttl


def _json(document: object, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=json.dumps(document).encode() + b"\n",
        content_type="application/json",
        headers=_NO_STORE,
    )


def _wrong_method(allow: str) -> _Handler:
    async def wrong_method(request: web.Request) -> web.Response:
        raise Problem(
            405,
            "method-not-allowed",
            f"{request.method[:16]} is not served here; allowed: {allow}",
            kind="method_not_allowed",
            more={"allow": allow},
        )

    return wrong_method


async def _unmet(_request: web.Request) -> web.Response:
    raise Problem(
        417,
        "unmet-expectation",
        "of all that Expect can ask for only 100-continue is met",
        kind="unmet_expectation",
    )


async def _unknown_path(_request: web.Request) -> web.Response:
    raise Problem(
        404,
        "unknown-path",
        "nothing is served at this path; see /status for the Homeys",
        kind="unknown_path",
    )
