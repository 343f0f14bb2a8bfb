"""``GET /events``: the subscribers; a slow one delays no other.

A subscriber has no queue, only the number of the last event that it was sent. More is sent once
its client has read everything before; one that reads nothing falls behind the buffer, or is found
by the server's sweep, and is disconnected. After an event a few subscribers are woken in each turn
of the loop, so that a thousand of them do not delay a reader of the token.
"""

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aiohttp import web

from homey_tokend.server.connection import connection_of
from homey_tokend.server.event_buffer import BufferedEvent, EventBuffer

#: The interval of comments on a silent connection.
KEEPALIVE = timedelta(seconds=15)
#: The comment, which no client dispatches.
_COMMENT = b": still here\n\n"
#: Events in one write.
_EVENTS_AT_ONCE = 32
#: Subscribers that are woken in one turn of the loop; each takes some 30 µs.
_WOKEN_AT_ONCE = 8
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}

_log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Subscriber:
    """One connection, and the number of the last event that it was sent."""

    request: web.Request
    response: web.StreamResponse
    homeys: frozenset[str]
    sequence: int
    ticks: int
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def is_drained(self) -> bool:
        """Return whether the client has read everything that was sent, and is still connected."""
        transport = self.connected()
        return transport is not None and transport.get_write_buffer_size() == 0

    def connected(self) -> asyncio.Transport | None:
        """Return the transport; None if it is closed, or is about to be."""
        transport = self.request.transport
        return None if transport is None or transport.is_closing() else transport

    def selected(self, events: list[BufferedEvent]) -> bytes:
        """Return the bytes of the events about its Homeys."""
        homeys = self.homeys
        return b"".join(one.rendered for one in events if not homeys or one.homey in homeys)


class EventStream:
    """The subscribers of one application; silent ones are sent a comment now and then."""

    def __init__(self, buffer: EventBuffer, keepalive: timedelta = KEEPALIVE) -> None:
        self._buffer = buffer
        self._keepalive_s = keepalive.total_seconds()
        self._subscribers: dict[_Subscriber, None] = {}
        self._waker = Waker()
        self._closed = False
        self._ticks = 0
        self._timer: asyncio.TimerHandle | None = None
        self._unsubscribe: Callable[[], None] | None = None

    async def serve(self, request: web.Request, homeys: frozenset[str]) -> web.StreamResponse:
        """Send events until the client leaves, falls too far behind, or the server closes.

        Args:
            request: Its ``Last-Event-ID`` says where to continue.
            homeys: Send only events of these Homeys; empty: of all.
        """
        response = web.StreamResponse(headers=_HEADERS)
        if request.method == "HEAD":
            return response
        start, opening = self._start(request)
        if request.transport is not None:
            # Then the transport reports when all of it has been read.
            request.transport.set_write_buffer_limits(high=0)
        await response.prepare(request)
        await response.write(opening)
        subscriber = _Subscriber(request, response, homeys, start, self._ticks)
        connection_of(request).on_drained = subscriber.wake.set
        self._add(subscriber)
        try:
            while not self._closed and await self._catch_up(subscriber):
                await subscriber.wake.wait()
                subscriber.wake.clear()
        finally:
            self._remove(subscriber)
        return response

    def close(self) -> None:
        """End all streams."""
        self._closed = True
        for subscriber in self._subscribers:
            subscriber.wake.set()

    def _start(self, request: web.Request) -> tuple[int, bytes]:
        """Return the number after which a subscriber begins, and what it is sent first."""
        buffer = self._buffer
        last = request.headers.get("Last-Event-ID", "")
        if not last:
            return buffer.newest, buffer.opening()
        sequence = buffer.resume_point(last)
        if sequence is None:
            return buffer.newest, buffer.opening() + buffer.reset()
        return sequence, b": resumed\nretry: 2000\n\n"

    async def _catch_up(self, subscriber: _Subscriber) -> bool:
        """Send what is new, or a comment; return False if the subscriber is lost."""
        while subscriber.is_drained():
            events = self._buffer.since(subscriber.sequence)
            if events is None:
                break
            if not events:
                if subscriber.ticks != self._ticks:
                    subscriber.ticks = self._ticks
                    await subscriber.response.write(_COMMENT)
                return True
            events = events[:_EVENTS_AT_ONCE]
            subscriber.sequence = events[-1].sequence
            data = subscriber.selected(events)
            if data:
                subscriber.ticks = self._ticks
                await subscriber.response.write(data)
        return self._may_stay(subscriber)

    def _may_stay(self, subscriber: _Subscriber) -> bool:
        """Return whether one that does not read can still get all events; else disconnect it."""
        transport = subscriber.connected()
        if transport is None:
            return False
        if self._buffer.since(subscriber.sequence) is not None:
            return True
        behind = self._buffer.newest - subscriber.sequence
        _log.info("subscriber.disconnected", behind=behind)
        transport.abort()
        return False

    def _add(self, subscriber: _Subscriber) -> None:
        if not self._subscribers:
            self._unsubscribe = self._buffer.subscribe(self._wake_all)
            self._arm()
        self._subscribers[subscriber] = None

    def _remove(self, subscriber: _Subscriber) -> None:
        del self._subscribers[subscriber]
        if not self._subscribers:
            if self._timer is not None:
                self._timer.cancel()
            if self._unsubscribe is not None:
                self._unsubscribe()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._keepalive_s, self._tick)

    def _tick(self) -> None:
        self._ticks += 1
        self._wake_all()
        self._arm()

    def _wake_all(self) -> None:
        self._waker.wake(subscriber.wake for subscriber in self._subscribers)


class Waker:
    """Set many asyncio events, in order, a few in each turn of the loop.

    Args:
        at_once: How many are set in one turn.
    """

    def __init__(self, at_once: int = _WOKEN_AT_ONCE) -> None:
        self._at_once = at_once
        self._left: list[asyncio.Event] = []
        self._scheduled = False

    def wake(self, events: Iterable[asyncio.Event]) -> None:
        """Set all of these, instead of those that are still to be set."""
        self._left = list(events)
        self._left.reverse()
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._wake_some)

    def _wake_some(self) -> None:
        for _ in range(min(self._at_once, len(self._left))):
            self._left.pop().set()
        self._scheduled = bool(self._left)
        if self._scheduled:
            asyncio.get_running_loop().call_soon(self._wake_some)
