"""The connections of the API, and no more of them than fit.

Every open file counts against one limit (RLIMIT_NOFILE). A daemon at that limit can open no
state file and reach no Homey, and new clients hang. So the connections stay below it by a
reserve, and where one too many comes, the one that was idle longest is closed.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, cast

import structlog
from aiohttp import web

from homey_tokend.server.hang_ups import HangUps
from homey_tokend.server.peers import Peer, read_peer

#: The most connections, however many files may be open; one costs some 10 KB.
MAX_CONNECTIONS = 4096
#: The most connections of the TCP port, apart from the others; each is closed after one response.
MAX_TCP_CONNECTIONS = 64
#: Open files that are reserved for state, sinks, hosts and name resolution; at most half of a
#: low limit.
RESERVE = 256
#: Seconds between two log lines about a full server.
_LOG_INTERVAL_S = 60.0

_log = structlog.get_logger()


def connection_limit(open_files: int) -> int:
    """Return how many connections fit where so many files may be open."""
    return max(1, min(MAX_CONNECTIONS, open_files - min(RESERVE, open_files // 2)))


def _ignore() -> None:
    pass


class Connections:
    """Connections that share a limit, in the order in which they became idle.

    ``limit`` is how many there may be, ``evicted`` how many were closed to make room.
    """

    def __init__(self, limit: int = MAX_CONNECTIONS) -> None:
        self.limit = limit
        self.evicted = 0
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._busy: OrderedDict[Connection, None] = OrderedDict()
        self._logged_at = -_LOG_INTERVAL_S

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def add(self, connection: "Connection") -> None:
        """Register a connection; if there is no room, another one is closed."""
        if len(self) >= self.limit:
            self.make_room()
        self._idle[connection] = None

    def remove(self, connection: "Connection") -> None:
        """Forget a connection that is closed."""
        self._idle.pop(connection, None)
        self._busy.pop(connection, None)

    def mark_busy(self, connection: "Connection") -> None:
        """Note that one of its requests is being served."""
        if connection in self._idle:
            del self._idle[connection]
            self._busy[connection] = None

    def mark_idle(self, connection: "Connection") -> None:
        """Note that its request was served."""
        if connection in self._busy:
            del self._busy[connection]
            self._idle[connection] = None

    def make_room(self) -> bool:
        """Close the connection that was idle longest or, if none is, the one busy longest.

        Returns:
            Whether there was one.
        """
        connection = next(iter(self._idle or self._busy), None)
        if connection is None:
            return False
        self.remove(connection)
        self.evicted += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_INTERVAL_S:
            self._logged_at = now
            _log.warning("socket.full", connections=len(self) + 1, limit=self.limit)
        if connection.transport is not None:
            connection.transport.abort()
        return True


class Connection(web.RequestHandler):
    """One connection, with its peer, which is read once."""

    def __init__(
        self, server: web.Server, connections: Connections, hang_ups: HangUps, **options: Any
    ) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self.connections = connections
        self._hang_ups = hang_ups
        self._watched = -1
        #: The process at the other end; None on TCP.
        self.peer: Peer | None = None
        #: How often the client has read most of a full write buffer.
        self.drained = 0
        #: Called each time that happens.
        self.on_drained: Callable[[], None] = _ignore

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Read the peer and register the connection."""
        self.peer = read_peer(transport.get_extra_info("socket"))
        self.connections.add(self)
        if isinstance(transport, asyncio.Transport):
            self._watched = self._hang_ups.watch(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Forget the connection."""
        self.connections.remove(self)
        self._hang_ups.forget(self._watched)
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """Note that the client has read most of the write buffer."""
        self.drained += 1
        self.on_drained()
        super().resume_writing()


def connection_of(request: web.Request) -> Connection:
    """Return the connection of a request: ``Server`` makes no others."""
    return cast(Connection, request.protocol)
