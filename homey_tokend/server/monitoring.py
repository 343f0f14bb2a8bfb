"""What observes the daemon: the event buffer and the metrics."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TYPE_CHECKING

from aiohttp import web

from homey_tokend.core.ports import Clock, TokenProvider
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.access import AccessControl
from homey_tokend.server.connections import MAX_TCP_CONNECTIONS, Connections
from homey_tokend.server.event_buffer import EventBuffer
from homey_tokend.server.event_stream import KEEPALIVE
from homey_tokend.server.hosts import HostCheck
from homey_tokend.server.metrics import Metrics
from homey_tokend.server.problems import Problem
from homey_tokend.server.rendering import MAX_AGE, Renderings

if TYPE_CHECKING:
    from homey_tokend.server.histograms import Durations

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Monitoring:
    """Events and metrics of a running daemon.

    Args:
        events: The event buffer; None makes one.
        access: Who may ask on the socket; None: everybody.
        connections: The connections of the socket; None: with the usual limit.
        tcp_connections: Those of the TCP port, likewise.
        keepalive: How often a comment is sent on a silent event stream.
        max_age: How old the metrics and the status page may be.
    """

    def __init__(
        self,
        events: EventBuffer | None = None,
        *,
        access: AccessControl | None = None,
        connections: Connections | None = None,
        tcp_connections: Connections | None = None,
        keepalive: timedelta = KEEPALIVE,
        max_age: timedelta = MAX_AGE,
    ) -> None:
        self.events = events or EventBuffer("0")
        self.access = access or AccessControl()
        self.connections = Connections() if connections is None else connections
        self.tcp_connections = (
            Connections(MAX_TCP_CONNECTIONS) if tcp_connections is None else tcp_connections
        )
        self.keepalive = keepalive
        self.renderings = Renderings(max_age)
        self.hosts = HostCheck()
        self.metrics = Metrics()
        self._loading = asyncio.Lock()

    async def load(self) -> None:
        """Load prometheus-client in a thread: at the start it would delay the first answer.

        It must not wait for the first scrape: a package that is upgraded under a running daemon
        may have another version of it by then.
        """
        if self.metrics.durations is None:
            async with self._loading:  # once: others would replace what is measured already
                if self.metrics.durations is None:
                    self.metrics.durations = await run_in_thread(_load_durations)

    async def scrape(self, provider: TokenProvider, version: str, accept: str) -> tuple[bytes, str]:
        """Return the text of ``/metrics`` and its Content-Type, as the Accept header asks for it."""
        await self.load()
        from homey_tokend.server import prometheus  # noqa: PLC0415  loaded by now

        content_type = prometheus.content_type(accept)

        async def render() -> bytes:
            scrape = prometheus.Scrape(
                counts=self.metrics.snapshot(provider.names()),
                last_success=dict(self.metrics.last_success),
                durations=self.metrics.durations,
                views=[provider.view(name) for name in provider.names()],
                now=provider.now(),
                alive=provider.alive(),
                version=version,
                requests_by_user=dict(self.access.requests_by_user),
                denials_by_user=dict(self.access.denials_by_user),
                connections=len(self.connections) + len(self.tcp_connections),
                evicted=self.connections.evicted + self.tcp_connections.evicted,
            )
            # On a thread: with a thousand Homeys it takes half a second.
            return await run_in_thread(scrape.render, content_type)

        return await self.renderings.get(content_type, render), content_type

    def count_calls(self, handler: _Handler, clock: Clock) -> _Handler:
        """Return the handler of the API proxy with each call to a known Homey counted.

        The outcome is the class of the Homey's status (``2xx``), the name of our problem if there
        was no response to pass on, or ``aborted`` if the response broke off or the client
        disconnected before its end.
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
                if outcome != "unknown-homey":
                    seconds = clock.monotonic() - start
                    self.metrics.on_call(request.match_info["name"], outcome, seconds)
            return response

        return counted


def _load_durations() -> "Durations":
    from homey_tokend.server import histograms, prometheus  # noqa: F401, PLC0415  see load()

    return histograms.Durations()
