"""The routes of the socket API and of the status port.

The current token is returned without waiting and with as little work as possible: no
middleware, and the text is kept from one request to the next.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from functools import partial

from aiohttp import web

from homey_tokend.core.documents import token_document
from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server import documents, problems, status_page
from homey_tokend.server.connection import connection_of
from homey_tokend.server.event_stream import EventStream
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.peers import Peer
from homey_tokend.server.problems import Problem
from homey_tokend.server.query import PLAIN, TokenQuery, token_query, wait_query
from homey_tokend.server.responses import NO_STORE, body_response, json_response
from homey_tokend.server.routing import Handler, Routes


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
        self.monitoring = monitoring or Monitoring()
        self._texts: dict[str, tuple[Token, bytes]] = {}

    def app(self) -> web.Application:
        """Return the application for the unix socket: every route."""
        access = self.monitoring.access
        routes = Routes(partial(_check_peer, access.check_reader))
        if self._proxy is not None:
            # First: aiohttp tries the routes below /homeys in turn, and most requests are for this.
            check_caller = partial(_check_peer, access.check_caller)
            routes.add_all_methods("/homeys/{name}/api/{rest:.*}", self._proxy, check_caller)
        for method, path, handler in (
            ("GET", "/token", self._token),
            ("GET", "/homeys/{name}/token", self._token),
            ("POST", "/homeys/{name}/refresh", self._refresh),
            ("GET", "/homeys/{name}", self._homey),
            ("GET", "/status", self._status),
            ("GET", "/healthz", self._healthz),
            ("GET", "/readyz", partial(self._readyz, in_full=True)),
            ("GET", "/metrics", self._metrics),
            ("GET", "/events", self._events(routes.app)),
        ):
            routes.add(method, path, handler)
        routes.add_unknown("nothing is served at this path; see /status for the Homeys")
        return routes.app

    def http_app(self) -> web.Application:
        """Return the application for ``http.listen``: read-only, and without secrets."""
        routes = Routes(self.monitoring.hosts.check)
        routes.app.on_response_prepare.append(_close_connection)
        for path, handler in (
            ("/healthz", self._healthz),
            ("/readyz", partial(self._readyz, in_full=False)),
            ("/metrics", self._metrics),
            ("/", self._page),
        ):
            routes.add("GET", path, handler)
        routes.add_unknown(
            "this port serves /, /healthz, /readyz and /metrics; tokens are on the unix socket only"
        )
        return routes.app

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
            return json_response({**token_document(name, token), "expires_in": expires_in})
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
        return json_response(documents.homey_document(view, self._provider.now()))

    async def _status(self, _request: web.Request) -> web.Response:
        document = documents.status_document(self._views(), self._provider.now(), self._version)
        return json_response(
            {**document, "requests_by_user": dict(self.monitoring.access.requests_by_user)}
        )

    async def _refresh(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        wait = wait_query(request)
        self._view(name)
        # Shielded: if the client disconnects, a save in progress still completes.
        result = await asyncio.shield(self._provider.refresh(name, wait))
        view, now = result.view, self._provider.now()
        if result.too_soon is not None:
            raise problems.too_soon(view, result.too_soon, result.why, now)
        if not result.done and not view.refreshing:
            raise problems.not_refreshed(view, now)
        document = {"refreshed": result.done, **documents.homey_document(view, now)}
        return json_response(document, status=200 if result.done else 202)

    async def _healthz(self, _request: web.Request) -> web.Response:
        if not self._provider.alive():
            raise Problem(503, "stalled", "the daemon's scheduler does not run")
        return web.Response(text="ok\n", headers=NO_STORE)

    async def _readyz(self, _request: web.Request, *, in_full: bool) -> web.Response:
        now = self._provider.now()
        missing = [
            view for view in self._views() if view.token is None or not view.token.valid(now)
        ]
        if missing:
            raise problems.not_ready(missing, now, in_full=in_full)
        return web.Response(text="ready\n", headers=NO_STORE)

    def _events(self, app: web.Application) -> Handler:
        """Return the handler of ``/events``; its streams end when the application shuts down."""
        stream = EventStream(self.monitoring.events, self.monitoring.keepalive)

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
        body, content_type = await self.monitoring.scrape(
            self._provider, self._version, request.headers.get("Accept", "")
        )
        return body_response(body, {"Content-Type": content_type, **NO_STORE})

    async def _page(self, _request: web.Request) -> web.Response:
        async def render() -> bytes:
            views, now = self._views(), self._provider.now()
            return (await run_in_thread(status_page.render, views, now, self._version)).encode()

        body = await self.monitoring.renderings.get("page", render)
        return body_response(body, status_page.HEADERS)

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


async def _close_connection(_request: web.Request, response: web.StreamResponse) -> None:
    """Close a connection after its first response: then no client keeps a place."""
    response.force_close()
    response.headers["Connection"] = "close"


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


def _lasts(view: View, now: datetime, query: TokenQuery) -> bool:
    token = view.token
    return token is not None and token.valid(now) and token.left(now) >= query.min_ttl
