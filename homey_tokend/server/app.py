"""The routes of the socket API and of the status port.

The current token is returned without waiting and with as little work as possible: no
middleware, and the text is kept from one request to the next.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from functools import partial

import structlog
from aiohttp import web

from homey_tokend.core.documents import token_document
from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server import documents, problems, status_page
from homey_tokend.server.connections import connection_of
from homey_tokend.server.event_stream import EventStream
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.peers import Peer
from homey_tokend.server.problems import Problem
from homey_tokend.server.query import PLAIN, TokenQuery, token_query, wait_query

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
#: Checks a request before it is served: None admits it, a Problem is the response.
RequestCheck = Callable[[web.Request], Problem | None]

_log = structlog.get_logger()
_NO_STORE = {"Cache-Control": "no-store"}
_INTERNAL_ERROR = "internal error; see the daemon's log"
#: Bytes of a body that are written at once.
_PIECE = 16 * 1024


class Api:
    """The socket API over a token provider.

    Args:
        provider: Where tokens and views come from.
        version: The program's version, for ``/status``.
        proxy: The handler of the API proxy; None leaves its route out.
        monitoring: Events, metrics and access control.
    """

    def __init__(
        self,
        provider: TokenProvider,
        *,
        version: str,
        proxy: Handler | None = None,
        monitoring: Monitoring | None = None,
    ) -> None:
        self._provider = provider
        self._version = version
        self._proxy = proxy
        self._monitoring = monitoring or Monitoring()
        self._texts: dict[str, tuple[Token, bytes]] = {}

    def app(self) -> web.Application:
        """Return the application for the unix socket: every route."""
        app, access = web.Application(), self._monitoring.access
        check_reader = partial(_check_peer, access.check_reader)
        check_caller = partial(_check_peer, access.check_caller)
        if self._proxy is not None:
            # First: aiohttp tries the routes below /homeys in turn, and most requests are for this.
            resource = app.router.add_resource("/homeys/{name}/api/{rest:.*}")
            resource.add_route("*", _checked(self._proxy, check_caller))
        for method, path, handler in (
            ("GET", "/token", self._token),
            ("GET", "/homeys/{name}/token", self._token),
            ("POST", "/homeys/{name}/refresh", self._refresh),
            ("GET", "/homeys/{name}", self._homey),
            ("GET", "/status", self._status),
            ("GET", "/healthz", self._healthz),
            ("GET", "/readyz", self._readyz),
            ("GET", "/metrics", self._metrics),
            ("GET", "/events", self._events(app)),
        ):
            _add(app, method, path, handler, check_reader)
        _add_unknown(app, check_reader)
        return app

    def http_app(self) -> web.Application:
        """Return the application for ``http.listen``: read-only, and without secrets."""
        app = web.Application()
        for path, handler in (
            ("/healthz", self._healthz),
            ("/readyz", self._readyz),
            ("/metrics", self._metrics),
            ("/", self._page),
        ):
            _add(app, "GET", path, handler)
        _add_unknown(app)
        return app

    async def _token(self, request: web.Request) -> web.Response:
        query = token_query(request)
        name = request.match_info.get("name", query.homey)
        if name is None:
            name = self._only_homey()
        if query is PLAIN and (token := self._view(name).token) is not None:
            # By far the most frequent request: the current token as text.
            left = (token.expires_at - self._provider.now()).total_seconds()
            if left > 0:
                return self._text_response(name, token, int(left))
        view = self._view(name)
        now = self._provider.now()
        if query.wait is not None and not _lasts(view, now, query):
            view = await self._provider.token_for(name, query.min_ttl, query.wait)
            now = self._provider.now()
        token = view.token
        if token is None or not token.valid(now):
            raise problems.no_token(view, now)
        expires_in = documents.seconds_left(token, now)
        if query.as_json:
            return _json({**token_document(name, token), "expires_in": expires_in})
        return self._text_response(name, token, expires_in)

    def _text_response(self, name: str, token: Token, left_s: int) -> web.Response:
        cached = self._texts.get(name)
        if cached is None or cached[0] is not token:
            cached = self._texts[name] = (token, token.value.reveal().encode() + b"\n")
        return web.Response(
            body=cached[1],
            headers={
                "Content-Type": "text/plain; charset=utf-8",
                "Cache-Control": "no-store",
                "Token-Expires-In": str(left_s),
            },
        )

    async def _homey(self, request: web.Request) -> web.Response:
        view = self._view(request.match_info["name"])
        return _json(documents.homey_document(view, self._provider.now()))

    async def _status(self, _request: web.Request) -> web.Response:
        document = documents.status_document(self._views(), self._provider.now(), self._version)
        return _json(
            {**document, "requests_by_user": dict(self._monitoring.access.requests_by_user)}
        )

    async def _refresh(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        wait = wait_query(request)
        self._view(name)
        # Shielded: if the client disconnects, a save in progress still completes.
        result = await asyncio.shield(self._provider.refresh(name, wait))
        view, now = result.view, self._provider.now()
        if result.too_soon is not None:
            raise problems.too_soon(view, result.too_soon, now)
        if not result.done and not view.refreshing:
            raise problems.not_refreshed(view, now)
        document = {"refreshed": result.done, **documents.homey_document(view, now)}
        return _json(document, status=200 if result.done else 202)

    async def _healthz(self, _request: web.Request) -> web.Response:
        if not self._provider.alive():
            raise Problem(503, "stalled", "the daemon's scheduler does not run")
        return web.Response(text="ok\n", headers=_NO_STORE)

    async def _readyz(self, _request: web.Request) -> web.Response:
        now = self._provider.now()
        missing = [
            view for view in self._views() if view.token is None or not view.token.valid(now)
        ]
        if missing:
            names = [view.name for view in missing]
            raise Problem(
                503,
                "not-ready",
                f"there is no valid token for {', '.join(names)}",
                retry_after=min(problems.seconds_to_next_try(view, now) for view in missing),
                more={"homeys": names},
            )
        return web.Response(text="ready\n", headers=_NO_STORE)

    def _events(self, app: web.Application) -> Handler:
        """Return the handler of ``/events``; its streams end when the application shuts down."""
        stream = EventStream(self._monitoring.events, self._monitoring.keepalive)

        async def close(_app: web.Application) -> None:
            stream.close()

        async def events(request: web.Request) -> web.StreamResponse:
            homeys = request.query.getall("homey", [])
            for name in homeys:
                self._view(name)
            return await stream.serve(request, frozenset(homeys))

        app.on_shutdown.append(close)
        return events

    async def _metrics(self, request: web.Request) -> web.Response:
        body, content_type = await self._monitoring.scrape(
            self._provider, self._version, request.headers.get("Accept", "")
        )
        return _response(body, {"Content-Type": content_type, **_NO_STORE})

    async def _page(self, _request: web.Request) -> web.Response:
        async def render() -> bytes:
            views, now = self._views(), self._provider.now()
            return (await run_in_thread(status_page.render, views, now, self._version)).encode()

        body = await self._monitoring.renderings.get("page", render)
        return _response(body, status_page.HEADERS)

    def _only_homey(self) -> str:
        names = self._provider.names()
        if len(names) != 1:
            raise problems.homey_required(list(names))
        return names[0]

    def _view(self, name: str) -> View:
        try:
            return self._provider.view(name)
        except KeyError:
            raise problems.unknown_homey(name, list(self._provider.names())) from None

    def _views(self) -> list[View]:
        return [self._provider.view(name) for name in self._provider.names()]


def _checked(handler: Handler, check: RequestCheck | None) -> Handler:
    """Return a handler that checks the request first and answers errors as problems.

    Args:
        handler: The handler.
        check: Checks the peer on the socket; None on the TCP port, which everybody may read and
            which closes each connection after the response.
    """

    async def checked(request: web.Request) -> web.StreamResponse:
        connection = connection_of(request)
        connections = connection.connections
        connections.mark_busy(connection)
        response: web.StreamResponse
        try:
            problem = None if check is None else check(request)
            response = await handler(request) if problem is None else problem.response()
        except Problem as problem:
            response = problem.response()
        except Exception as error:  # noqa: BLE001  a bug is logged; its text stays in the log
            _log.error("request.failed", error=type(error).__name__, exc_info=error)
            response = Problem(500, "internal-error", _INTERNAL_ERROR).response()
        finally:
            connections.mark_idle(connection)
        if check is None:
            response.force_close()
        return response

    return checked


def _check_peer(
    check: Callable[[Peer | None], Problem | None], request: web.Request
) -> Problem | None:
    problem = check(connection_of(request).peer)
    if problem is not None:
        return problem
    # No web page may use the daemon, whatever proxy is between them.
    if "Origin" in request.headers or "Referer" in request.headers:
        return Problem(403, "web-page", "requests from web pages are rejected (Origin, Referer)")
    return None


def _add(
    app: web.Application,
    method: str,
    path: str,
    handler: Handler,
    check: RequestCheck | None = None,
) -> None:
    allowed = ("GET", "HEAD") if method == "GET" else (method,)
    resource = app.router.add_resource(path)
    for verb in allowed:
        resource.add_route(verb, _checked(handler, check))

    async def wrong_method(request: web.Request) -> web.Response:
        raise problems.method_not_allowed(request.method, ", ".join(allowed))

    resource.add_route("*", _checked(wrong_method, check))


def _add_unknown(app: web.Application, check: RequestCheck | None = None) -> None:
    async def unknown_path(_request: web.Request) -> web.Response:
        detail = "nothing is served at this path; see /status for the Homeys"
        raise Problem(404, "unknown-path", detail)

    app.router.add_resource("/{rest:.*}").add_route("*", _checked(unknown_path, check))


def _lasts(view: View, now: datetime, query: TokenQuery) -> bool:
    token = view.token
    return token is not None and token.valid(now) and token.left(now) >= query.min_ttl


def _response(body: bytes, headers: Mapping[str, str], *, status: int = 200) -> web.Response:
    """Return a response whose body is sent as fast as the client reads it.

    A body given as bytes is copied for each client that does not read.
    """
    if len(body) <= _PIECE:
        return web.Response(status=status, body=body, headers=headers)
    length = {"Content-Length": str(len(body))}
    return web.Response(status=status, body=_pieces(body), headers={**headers, **length})


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), _PIECE):
        yield body[start : start + _PIECE]


def _json(document: object, *, status: int = 200) -> web.Response:
    headers = {"Content-Type": "application/json", **_NO_STORE}
    return _response(json.dumps(document).encode() + b"\n", headers, status=status)
