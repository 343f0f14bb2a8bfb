"""What observes the daemon: the event buffer and the metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from homey_tokend.core.events import Event
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import Clock, TokenProvider
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.access import AccessControl
from homey_tokend.server.connections import Connections
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.event_stream import KEEPALIVE
from homey_tokend.server.problems import Problem

if TYPE_CHECKING:
    from homey_tokend.server.metrics import Metrics

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Monitoring:
    """Events and metrics of a running daemon.

    ``keepalive`` is how often a comment is sent on a silent event stream.
    """

    def __init__(
        self,
        events: EventBuffer | None = None,
        *,
        access: AccessControl | None = None,
        connections: Connections | None = None,
        keepalive: timedelta = KEEPALIVE,
    ) -> None:
        self.events = events or EventBuffer("0")
        self.access = access or AccessControl()
        self.connections = connections or Connections()
        self.keepalive = keepalive
        self._metrics: Metrics | None = None
        self._loading: asyncio.Future[Metrics] | None = None

    async def load_metrics(self) -> "Metrics":
        """Load the metrics' library at the first call; counting starts then.

        That takes some 15 ms, so the daemon does it once the socket answers.
        """
        if self._loading is None:
            self._loading = asyncio.ensure_future(run_in_thread(_make_metrics))
        self._metrics = await asyncio.shield(self._loading)
        return self._metrics

    async def scrape(self, provider: TokenProvider, version: str, accept: str) -> tuple[bytes, str]:
        """Return the text of ``/metrics`` and its Content-Type."""
        metrics = await self.load_metrics()
        from homey_tokend.server import prometheus  # noqa: PLC0415  loaded with the metrics

        scrape = prometheus.Scrape(
            metrics=metrics,
            views=[provider.view(name) for name in provider.names()],
            now=provider.now(),
            alive=provider.alive(),
            version=version,
            access=self.access,
            connections=self.connections,
        )
        return scrape.render(accept)

    def on_event(self, event: Event) -> None:
        """Publish and count an event."""
        self.events.publish(event)
        if self._metrics is not None:
            self._metrics.on_event(event)

    def on_response(self, request: Request, response: Response) -> None:
        """Count a response of the sign-in."""
        if self._metrics is not None:
            self._metrics.on_response(request, response)

    def count_calls(self, handler: _Handler, clock: Clock) -> _Handler:
        """Return the handler of the API proxy with each call to a known Homey counted.

        The outcome is the class of the Homey's status (``2xx``), the name of our problem where
        the Homey's answer was not passed on, or ``aborted`` where the answer broke off or the
        client left before its end.
        """

        async def counted(request: web.Request) -> web.StreamResponse:
            start, outcome = clock.monotonic(), "aborted"
            try:
                response = await handler(request)
                if request.transport is not None and not request.transport.is_closing():
                    outcome = f"{response.status // 100}xx"
            except Problem as problem:
                outcome = problem.name
                raise
            finally:
                # Names that clients invent are no labels.
                if outcome != "unknown-homey" and self._metrics is not None:
                    seconds = clock.monotonic() - start
                    self._metrics.on_call(request.match_info["name"], outcome, seconds)
            return response

        return counted


def _make_metrics() -> "Metrics":
    from homey_tokend.server import prometheus  # noqa: PLC0415  as above

    return prometheus.Metrics()
