"""One connection, and how much memory it may take.

The bounds hold whatever a client sends, and however little it reads: see ``docs/why.md``.
"""

import asyncio
import socket
from collections.abc import Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.http import RawRequestMessage
from aiohttp.streams import EMPTY_PAYLOAD, StreamReader

from homey_tokend.server.connections import Connections, Share
from homey_tokend.server.hang_ups import HangUps
from homey_tokend.server.peers import Peer

#: Bytes that are read at once.
_READ_SIZE = 8 * 1024
#: The most requests that wait behind the one in progress.
MAX_PIPELINED = 16
#: The most bytes that are read before a request is served, and behind one that is served. Until a
#: handler takes a body, two turns of the loop read of it, too.
MAX_WAITING = 48 * 1024
#: Bytes of responses that wait in the daemon before aiohttp makes no further ones.
_WRITE_BUFFER = 16 * 1024
#: Bytes that the kernel keeps for a client that does not read; it takes twice as many (socket(7)).
KERNEL_BUFFER = 16 * 1024
#: The most headers of a request.
_MAX_HEADERS = 64
#: Bytes of a body that nobody has read yet; aiohttp reads up to twice as many.
_BODY_BUFFER = 64 * 1024


def _ignore() -> None:
    pass


class Connection(web.RequestHandler):
    """One connection, with its peer.

    Args:
        server: What serves the requests.
        connections: Where it is registered.
        share: The share of its user there.
        peer: The process at the other end; None on TCP.
        hang_ups: What notices a client that left while nothing is read.
        options: Those of aiohttp.
    """

    wire: asyncio.Transport

    def __init__(
        self,
        server: web.Server,
        connections: Connections,
        share: Share,
        peer: Peer | None,
        hang_ups: HangUps,
        **options: Any,
    ) -> None:
        super().__init__(
            server,
            loop=asyncio.get_running_loop(),
            max_headers=_MAX_HEADERS,
            read_bufsize=_BODY_BUFFER,
            **options,
        )
        self.share = share
        self.peer = peer
        self._connections = connections
        self._hang_ups = hang_ups
        self._watched = -1
        #: The body of the last request, if it has one.
        self._body: StreamReader | None = None
        self._waiting = 0
        #: How often the client has read most of a full write buffer.
        self.drained = 0
        #: Called each time that happens.
        self.on_drained: Callable[[], None] = _ignore

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Bound the buffers and register the connection."""
        self.wire = cast(asyncio.Transport, transport)
        self.wire.set_write_buffer_limits(high=_WRITE_BUFFER)
        self.wire.max_size = _READ_SIZE  # type: ignore[attr-defined]  # of asyncio's own transports
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, KERNEL_BUFFER)
        self._connections.add(self)
        self._watched = self._hang_ups.watch(self.wire)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection, unless the client has still something to read."""
        self._connections.remove(self)
        self._connections.keep_unread(self)
        self._hang_ups.forget(self._watched)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what the client sent, unless too much waits already.

        A body is not counted: of that, aiohttp reads no more than its handler takes.
        """
        if self._body is None or self._body.is_eof():
            self._waiting += len(data)
            if self._waiting > MAX_WAITING:
                self.wire.abort()
                return
        super().data_received(data)
        if len(self._messages) > MAX_PIPELINED:
            self.wire.abort()
        elif self._body is not None and self._messages:
            self._break_off(self._body)

    def _break_off(self, body: StreamReader) -> None:
        """End a body within which something came that is no HTTP; aiohttp waits for its rest."""
        malformed = not isinstance(self._messages[-1][0], RawRequestMessage)
        if malformed and not body.is_eof():
            body.set_exception(web.RequestPayloadError("malformed"))

    def begin(self, request: web.Request) -> None:
        """Note that a request is being served."""
        body = request.content
        self._body = None if body is EMPTY_PAYLOAD else body
        self._waiting = 0
        self._connections.mark_busy(self)

    def end(self) -> None:
        """Note that it was served; the rest of its body may still come."""
        self._waiting = 0
        self._connections.mark_idle(self)

    def resume_writing(self) -> None:
        """Note that the client has read most of the write buffer."""
        self.drained += 1
        self.on_drained()
        super().resume_writing()


def connection_of(request: web.BaseRequest) -> Connection:
    """Return the connection of a request: ``Server`` makes no others."""
    return request.protocol  # type: ignore[return-value]  # of our own server
