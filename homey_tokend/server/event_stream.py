"""``GET /events``: listeners to the bulletin, each as slow as it likes and nobody slower for it.

A listener holds no queue, only the number of the event it was sent last. It is
sent more when its connection has taken everything before; one that takes nothing
falls out of the ring, or is found by the server's sweep, and is cut off. After an
event a few listeners are woken in each turn of the loop, so that a thousand of
them do not hold up a reader of the token.
"""

import asyncio
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aiohttp import web

from homey_tokend.server.connections import Connection
from homey_tokend.server.event_buffer import BufferedEvent, EventBuffer
from homey_tokend.server.waker import Waker

#: How often is a silent connection told that it lives?
KEEPALIVE = timedelta(seconds=15)
#: What it is told then: a comment, which no client dispatches.
_COMMENT = b": still here\n\n"
#: How much of what a listener does not read does the kernel keep for it, in bytes?
_KERNEL_KEEPS = 16 * 1024
#: How many events go out in one write?
_SENT_AT_ONCE = 32
_HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    "X-Accel-Buffering": "no",
}

_log = structlog.get_logger()


@dataclass(eq=False, slots=True)
class _Subscriber:
    """One connection: where it stands in the bulletin, and the bell that wakes it."""

    request: web.Request
    response: web.StreamResponse
    homeys: frozenset[str]
    sequence: int
    beats: int
    bell: asyncio.Event = field(default_factory=asyncio.Event)

    def free(self) -> bool:
        """Whether everything that was sent has been taken."""
        transport = self.request.transport
        return transport is not None and transport.get_write_buffer_size() == 0

    def wanted(self, posted: list[BufferedEvent]) -> bytes:
        """What it wants of these."""
        homeys = self.homeys
        return b"".join(one.rendered for one in posted if not homeys or one.homey in homeys)


class EventStream:
    """The listeners of one server.

    Args:
        bulletin: What they listen to.
        beat: How often a silent connection is told that it lives.
    """

    def __init__(self, bulletin: EventBuffer, beat: timedelta = KEEPALIVE) -> None:
        self._bulletin = bulletin
        self._beat_s = beat.total_seconds()
        self._listeners: dict[_Subscriber, None] = {}
        self._waker = Waker()
        self._closed = False
        self._beats = 0
        self._timer: asyncio.TimerHandle | None = None
        self._deaf: Callable[[], None] | None = None

    def __len__(self) -> int:
        return len(self._listeners)

    async def serve(self, request: web.Request, homeys: frozenset[str]) -> web.StreamResponse:
        """Send events until the client leaves, falls too far behind, or the server closes.

        Args:
            request: Its ``Last-Event-ID`` tells where to go on.
            homeys: Whose events are wanted; none: everybody's.
        """
        response = web.StreamResponse(headers=_HEADERS)
        if request.method == "HEAD":
            return response
        start, opening = self._start(request)
        _keep_little(request)
        await response.prepare(request)
        await response.write(opening)
        listener = _Subscriber(request, response, homeys, start, self._beats)
        guest = request.protocol
        if isinstance(guest, Connection):
            guest.taken = listener.bell.set
        self._join(listener)
        try:
            while not self._closed and await self._catch_up(listener):
                await listener.bell.wait()
                listener.bell.clear()
        finally:
            self._leave(listener)
        return response

    def close(self) -> None:
        """Let all go: the server ends."""
        self._closed = True
        for listener in self._listeners:
            listener.bell.set()

    def _start(self, request: web.Request) -> tuple[int, bytes]:
        """Where a listener begins, and what it is told first."""
        bulletin = self._bulletin
        last = request.headers.get("Last-Event-ID", "")
        if not last:
            return bulletin.newest, bulletin.opening()
        sequence = bulletin.resumed(last)
        if sequence is None:
            return bulletin.newest, bulletin.opening() + bulletin.reset()
        return sequence, b": resumed\nretry: 2000\n\n"

    async def _catch_up(self, listener: _Subscriber) -> bool:
        """Send what is new, or that all is well; False where the listener is lost."""
        while listener.free():
            posted = self._bulletin.since(listener.sequence)
            if posted is None:
                break
            if not posted:
                await self._reassure(listener)
                return True
            posted = posted[:_SENT_AT_ONCE]
            listener.sequence = posted[-1].sequence
            data = listener.wanted(posted)
            if data:
                listener.beats = self._beats
                await listener.response.write(data)
        return self._bears_with(listener)

    async def _reassure(self, listener: _Subscriber) -> None:
        if listener.beats != self._beats:
            listener.beats = self._beats
            await listener.response.write(_COMMENT)

    def _bears_with(self, listener: _Subscriber) -> bool:
        """Whether one that does not read may stay: as long as it can still get all events."""
        transport = listener.request.transport
        if transport is None:
            return False
        behind = self._bulletin.newest - listener.sequence
        if self._bulletin.since(listener.sequence) is not None:
            return True
        _log.info("subscriber.disconnected", behind=behind)
        transport.abort()
        return False

    # --- waking ---

    def _join(self, listener: _Subscriber) -> None:
        if not self._listeners:
            self._deaf = self._bulletin.listen(self._wake)
            self._arm()
        self._listeners[listener] = None

    def _leave(self, listener: _Subscriber) -> None:
        del self._listeners[listener]
        if not self._listeners:
            if self._timer is not None:
                self._timer.cancel()
            if self._deaf is not None:
                self._deaf()

    def _arm(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._beat_s, self._beat)

    def _beat(self) -> None:
        self._beats += 1
        self._wake()
        self._arm()

    def _wake(self) -> None:
        self._waker.ring(listener.bell for listener in self._listeners)


def _keep_little(request: web.Request) -> None:
    """Have the kernel keep little of what a listener does not read: there may be thousands.

    What the kernel does not keep waits in the transport, which tells when all of it was taken.
    """
    transport = request.transport
    if transport is None:
        return
    transport.set_write_buffer_limits(high=0)
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _KERNEL_KEEPS)
