"""The connections of the API, and no more of them than fit.

Every open file counts against one limit (RLIMIT_NOFILE). A daemon at that limit can open no
state file and reach no Homey, and new clients hang. So the connections stay below it by a
reserve, each user has a share, and if there is one too many, the one that was idle longest is
closed.

What a client has not read stays in the memory of the kernel, and counts for the daemon, after the
daemon has closed its end. So a closed connection counts until the client has read everything.
"""

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections import OrderedDict
from collections.abc import Iterator
from typing import Protocol

import structlog

#: The most connections, however many files may be open.
MAX_CONNECTIONS = 4096
#: The most connections of one user, and as many closed ones with unread bytes.
MAX_PER_USER = 1024
#: The same for the TCP port, where each connection is closed after one response.
MAX_TCP_CONNECTIONS = 64
#: The same for all users together who may neither read nor call.
MAX_REJECTED = 256
#: Open files that are reserved for state, sinks, hosts and name resolution; at most half of a
#: low limit.
RESERVE = 256
#: Seconds in which a client usually reads the rest of what was sent before its connection closed.
_READ_WITHIN_S = 0.25
#: Seconds between two log lines about a full server.
_LOG_INTERVAL_S = 60.0
#: struct linger: close(2) resets the connection, and frees what was not sent.
_RESET = struct.pack("ii", 1, 0)

_log = structlog.get_logger()


def connection_limit(open_files: int) -> int:
    """Return how many connections fit where so many files may be open."""
    return max(1, min(MAX_CONNECTIONS, open_files - min(RESERVE, open_files // 2)))


class Connected(Protocol):
    """A protocol object that is registered as a connection.

    ``wire`` is its transport, ``drained`` how often a full write buffer was read.
    """

    share: "Share"
    wire: asyncio.Transport
    drained: int


class Share:
    """The connections of one user, in the order in which they became idle.

    ``closed`` has the sockets of those that are closed and not read to their end, with whether
    a sweep has seen it before.
    """

    def __init__(self, user: str, limit: int) -> None:
        self.user = user
        self.limit = limit
        self.idle: OrderedDict[Connected, None] = OrderedDict()
        self.busy: OrderedDict[Connected, None] = OrderedDict()
        self.closed: dict[socket.socket, bool] = {}
        #: Closes those of ``closed`` that were read, soon after the first came.
        self.check: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self.idle) + len(self.busy)

    def stop_check(self) -> None:
        """Cancel the check, if one is due."""
        if self.check is not None:
            self.check.cancel()
            self.check = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing of this user is left."""
        return not (self.idle or self.busy or self.closed)


class Connections:
    """All connections of the sockets, or of the TCP port, in one share for each user.

    ``limit`` is how many there may be, ``evicted`` how many were closed to make room.
    """

    def __init__(self, limit: int = MAX_CONNECTIONS) -> None:
        self.limit = limit
        self.evicted = 0
        self._shares: dict[str, Share] = {}
        self._open = self._closed = 0
        self._unread: dict[Connected, tuple[int, int]] = {}
        self._logged_at = -_LOG_INTERVAL_S

    def __len__(self) -> int:
        return self._open

    def share_of(self, user: str, limit: int = MAX_PER_USER) -> Share | None:
        """Return the share of a user for a new connection.

        Returns:
            None if so many closed connections of the user have unread bytes that the new one
            must not get any.
        """
        share = self._shares.get(user)
        if share is None:
            share = self._shares[user] = Share(user, limit)
        elif len(share.closed) >= limit:
            self._forget_read(share)
        return None if len(share.closed) >= limit else share

    def add(self, connection: Connected) -> None:
        """Register a connection; if there is no room, another one is closed."""
        share = connection.share = self._shares.setdefault(connection.share.user, connection.share)
        if len(share) >= share.limit:
            self._evict(share)
        elif self._open + self._closed >= self.limit:
            self.make_room()
        self._shares[share.user] = share  # it is forgotten if its last one was closed for this one
        share.idle[connection] = None
        self._open += 1

    def remove(self, connection: Connected) -> None:
        """Forget a connection that is closed."""
        share = connection.share
        for connections in (share.idle, share.busy):
            if connection in connections:
                del connections[connection]
                self._open -= 1
        self._forget_empty(share)

    def mark_busy(self, connection: Connected) -> None:
        """Note that one of its requests is being served."""
        share = connection.share
        if connection in share.idle:
            del share.idle[connection]
            share.busy[connection] = None

    def mark_idle(self, connection: Connected) -> None:
        """Note that its request was served."""
        share = connection.share
        if connection in share.busy:
            del share.busy[connection]
            share.idle[connection] = None

    def make_room(self) -> bool:
        """Close the connection that was idle longest or, if none is, the one busy longest.

        It is one of the user with the most connections.

        Returns:
            Whether there was one.
        """
        shares = [share for share in self._shares.values() if share.idle or share.busy]
        if not shares:
            return False
        self._evict(max(shares, key=lambda share: (bool(share.idle), len(share))))
        return True

    def keep_unread(self, connection: Connected) -> None:
        """Count a connection that is closed, and that the client has not read to its end."""
        sock = connection.wire.get_extra_info("socket")
        with contextlib.suppress(OSError):  # no file is left, or the client has hung up
            if _bytes_unread(sock) == 0:
                return
            sock.shutdown(socket.SHUT_RDWR)  # the client is to notice that it is closed
            kept = sock.dup()
            share = self._shares.setdefault(connection.share.user, connection.share)
            if kept.family != socket.AF_UNIX and len(share.closed) >= share.limit:
                _reset(self._forget(share, next(iter(share.closed))))
            share.closed[kept] = False
            self._closed += 1
            if share.check is None:
                loop = asyncio.get_running_loop()
                share.check = loop.call_later(_READ_WITHIN_S, self._forget_read, share)

    def sweep(self) -> None:
        """Close each connection of which no byte was read since the last sweep.

        aiohttp's own time-out closes one that sends nothing, but not one that reads nothing.
        """
        unread: dict[Connected, tuple[int, int]] = {}
        for connection in [one for share in self._shares.values() for one in _open(share)]:
            size = connection.wire.get_write_buffer_size()
            # A buffer that is refilled as soon as it is read has the same size each time.
            state = size, connection.drained
            if size and self._unread.get(connection) == state:
                _log.info("client.disconnected", unread=size)
                connection.wire.abort()
            elif size:
                unread[connection] = state
        self._unread = unread
        for share in list(self._shares.values()):
            self._sweep_closed(share)

    def close_unread(self) -> None:
        """Close the sockets that are only kept because the client has not read everything."""
        for share in list(self._shares.values()):
            share.stop_check()
            for sock in list(share.closed):
                self._forget(share, sock).close()
            self._forget_empty(share)

    def _evict(self, share: Share) -> None:
        connection = next(_open(share))
        self.remove(connection)
        self.evicted += 1
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOG_INTERVAL_S:
            self._logged_at = now
            limit = min(share.limit, self.limit)
            _log.warning("socket.full", user=share.user, connections=len(share) + 1, limit=limit)
        connection.wire.abort()

    def _sweep_closed(self, share: Share) -> None:
        """Forget what was read, and on TCP also what was not read since the last sweep.

        That frees it. Of a unix socket, what the client has not read remains after closing.
        """
        for sock, was_seen in list(share.closed.items()):
            if was_seen and sock.family != socket.AF_UNIX:
                _reset(self._forget(share, sock))
            else:
                share.closed[sock] = True
        self._forget_read(share)

    def _forget_read(self, share: Share) -> None:
        """Close the kept sockets of which the client has read everything, or has closed its end."""
        share.stop_check()
        for sock in [kept for kept in share.closed if _bytes_unread(kept) == 0]:
            self._forget(share, sock).close()
        self._forget_empty(share)

    def _forget(self, share: Share, sock: socket.socket) -> socket.socket:
        del share.closed[sock]
        self._closed -= 1
        return sock

    def _forget_empty(self, share: Share) -> None:
        if share.is_empty:
            self._shares.pop(share.user, None)


def _open(share: Share) -> Iterator[Connected]:
    yield from share.idle
    yield from share.busy


def _bytes_unread(sock: socket.socket) -> int:
    """Return how many bytes the client has not read (unix(7)), or not received (tcp(7))."""
    (count,) = struct.unpack("i", fcntl.ioctl(sock, termios.TIOCOUTQ, bytes(4)))
    return int(count)


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.close()
