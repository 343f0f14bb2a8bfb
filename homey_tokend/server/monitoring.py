"""What shows the daemon to those who watch it: events, metrics, the status page."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from aiohttp import web

from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.runtime.aside import run_in_thread
from homey_tokend.server import problems, status_page
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.event_stream import KEEPALIVE, EventStream
from homey_tokend.server.metrics import Metrics, Scrape

#: Writes a scrape down (``exposition.render``).
_Render = Callable[[Scrape, str], tuple[bytes, str]]


@dataclass(slots=True)
class Telemetry:
    """What a running daemon has to show besides its Homeys.

    Args:
        bulletin: What happened.
        counts: What was counted.
        visits: How often each user asked on the socket.
        refusals: How often each was refused.
        beat: How often a silent listener is told that its connection lives.
    """

    bulletin: EventBuffer = field(default_factory=lambda: EventBuffer("0"))
    counts: Metrics = field(default_factory=Metrics)
    visits: Mapping[str, int] = field(default_factory=dict)
    refusals: Mapping[str, int] = field(default_factory=dict)
    beat: timedelta = KEEPALIVE


class MonitoringRoutes:
    """The routes for those who watch.

    Args:
        desk: Whom to ask.
        version: The program's version.
        watched: What there is to see.
    """

    def __init__(self, desk: TokenProvider, version: str, watched: Telemetry) -> None:
        self._desk = desk
        self._version = version
        self._watched = watched
        self._render: _Render | None = None

    def events(
        self, app: web.Application
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The handler of ``/events`` for an application, whose end ends its listeners."""
        audience = EventStream(self._watched.bulletin, self._watched.beat)

        async def close(_app: web.Application) -> None:
            audience.close()

        async def events(request: web.Request) -> web.StreamResponse:
            homeys = request.query.getall("homey", [])
            for name in homeys:
                self._known(name)
            return await audience.serve(request, frozenset(homeys))

        app.on_shutdown.append(close)
        return events

    async def metrics(self, request: web.Request) -> web.Response:
        """``/metrics``: the library is loaded when the first one asks."""
        if self._render is None:
            self._render = await run_in_thread(_render)
        desk, watched = self._desk, self._watched
        views, accept = self._views(), request.headers.get("Accept", "")
        scrape = Scrape(
            views=views,
            now=desk.now(),
            alive=desk.alive(),
            version=self._version,
            counts=watched.counts,
            visits=watched.visits,
            refusals=watched.refusals,
        )
        body, content_type = self._render(scrape, accept)
        headers = {"Content-Type": content_type, "Cache-Control": "no-store"}
        return web.Response(body=body, headers=headers)

    async def page(self, _request: web.Request) -> web.Response:
        """The status page."""
        text = status_page.render_status_page(self._views(), self._desk.now(), self._version)
        return web.Response(body=text.encode(), headers=status_page.HEADERS)

    def _views(self) -> list[View]:
        return [self._desk.view(name) for name in self._desk.names()]

    def _known(self, name: str) -> None:
        known = list(self._desk.names())
        if name not in known:
            raise problems.unknown_homey(name, known)


def _render() -> _Render:
    """Load the library, which takes some 20 ms."""
    from homey_tokend.server import prometheus  # noqa: PLC0415  who does not scrape does not pay

    return prometheus.render
