"""The connections of the API: accepting them, and no more of them than fit.

Every open file counts against one limit (RLIMIT_NOFILE). A daemon at that limit can open no
state file and reach no Homey, and new clients hang. So the connections stay below it by a
reserve, and where one too many comes, the one that was idle longest is closed.

asyncio's own server stops listening for a second at EMFILE and logs an error for each client
that waits; here the connection that was idle longest makes room.
"""

import asyncio
import errno
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import structlog
from aiohttp import web

from homey_tokend.server.hang_ups import HangUps

#: The most connections, however many files may be open; one costs some 10 KB.
MAX_CONNECTIONS = 4096
#: Open files that are reserved for state, sinks, hosts and name resolution; at most half of a
#: low limit.
RESERVE = 256
#: Seconds between two log lines about a full server.
_LOG_INTERVAL_S = 60.0
#: New clients that are accepted in one turn of the loop; nobody is served meanwhile.
_ACCEPTED_AT_ONCE = 32
#: Seconds before the next accept if no file is left.
_PAUSE_S = 0.1
#: Connections that are closed then: one for the client, the others for the daemon itself.
_CLOSED_AT_ONCE = 8
#: accept(2): no file, buffer or memory is left; each may pass.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}

_CRED = struct.Struct("iII")  # struct ucred: pid, uid, gid
#: Python has no name for it (asm-generic/socket.h).
_SO_PEERGROUPS = 59
#: Python reads no more of an option: room for 256 groups. Where a peer has more, none counts.
_MAX_BYTES = 1024

_log = structlog.get_logger()


class Peer(NamedTuple):
    """The process at the other end of a unix socket, as the kernel reports it (unix(7)).

    ``pid`` is for the log; the process may have ended since. ``uid`` is 65534 where the user is
    unknown in the daemon's user namespace. ``groups`` includes the primary group.
    """

    pid: int
    uid: int
    groups: frozenset[int]


def connection_limit(open_files: int) -> int:
    """Return how many connections fit where so many files may be open."""
    return max(1, min(MAX_CONNECTIONS, open_files - min(RESERVE, open_files // 2)))


def _ignore() -> None:
    pass


class Connections:
    """All connections of the daemon, in the order in which they became idle.

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
        self.peer = read_peer(transport)
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


class Acceptor:
    """Accept the clients of one socket.

    Args:
        sock: A listening socket.
        make: Makes the protocol of a connection.
        connections: Where room can be made.
        pause: Seconds before the next accept if no file is left.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[], Connection],
        connections: Connections,
        *,
        pause: float = _PAUSE_S,
    ) -> None:
        self._sock = sock
        self._make = make
        self._connections = connections
        self._pause_s = pause
        self._accepting: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None

    @property
    def address(self) -> object:
        """The address of the socket."""
        return self._sock.getsockname()

    def start(self) -> None:
        """Accept clients from now on."""
        self._pause = None
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock, self._accept_some)

    def replace_socket(self, sock: socket.socket) -> None:
        """Accept the clients of another socket from now on, and close the one before."""
        self.stop()
        self._sock = sock
        self.start()

    def stop(self) -> None:
        """Accept no more and close the socket; accepted clients are still served."""
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _accept_some(self) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, _address = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._make_room()
                return
            client.setblocking(False)
            task = loop.create_task(loop.connect_accepted_socket(self._make, client))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _make_room(self) -> None:
        for _ in range(_CLOSED_AT_ONCE):
            if not self._connections.make_room():
                break
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        self._pause = loop.call_later(self._pause_s, self.start)


def read_peer(transport: asyncio.BaseTransport) -> Peer | None:
    """Return the peer of a connection; None if it is no unix socket."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size)
    except OSError:
        return None
    pid, uid, gid = _CRED.unpack(raw)
    return Peer(pid, uid, frozenset((gid, *_supplementary_groups(sock))))


def _supplementary_groups(sock: socket.socket) -> tuple[int, ...]:
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MAX_BYTES)
    except OSError:  # ERANGE: more than there is room for; ENOPROTOOPT: an older kernel
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
