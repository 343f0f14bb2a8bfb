"""The connections of the API: who is behind each, which idle longest, and no more than fit.

Every open file counts against one limit (RLIMIT_NOFILE). A daemon that has used
it up can open no state file and reach no Homey, and new clients hang. So the
connections stay below it by a reserve, and where one too many comes, the one
that was idle longest makes room.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import structlog
from aiohttp import web

from homey_tokend.server.peer_credentials import Peer, read_peer

#: How many connections at most, however many files may be open? One costs some 10 KB.
MAX_CONNECTIONS = 4096
#: How many open files are kept for state, sinks, hosts and their look-ups; less of a low limit.
RESERVE = 256
#: How often is it logged that the house is full, in seconds?
_LOGGED_EVERY_S = 60.0

_log = structlog.get_logger()


def connection_limit(open_files: int) -> int:
    """How many connections fit where so many files may be open."""
    return max(1, min(MAX_CONNECTIONS, open_files - min(RESERVE, open_files // 2)))


def _nobody() -> None:
    """Nobody is told."""


class Connections:
    """All connections of the daemon, in the order in which they fell idle.

    Args:
        most: How many there may be.
        turned_out: Called for each that has to leave to make room.
    """

    def __init__(
        self, most: int = MAX_CONNECTIONS, turned_out: Callable[[], None] = _nobody
    ) -> None:
        self.most = most
        self._turned_out = turned_out
        self._idle: OrderedDict[Connection, None] = OrderedDict()
        self._busy: OrderedDict[Connection, None] = OrderedDict()
        self._logged_at = -_LOGGED_EVERY_S

    def __len__(self) -> int:
        return len(self._idle) + len(self._busy)

    def enter(self, guest: "Connection") -> None:
        """A connection is made; where there is no room, another one ends."""
        if len(self) >= self.most:
            self.make_room()
        self._idle[guest] = None

    def leave(self, guest: "Connection") -> None:
        """A connection is gone."""
        self._idle.pop(guest, None)
        self._busy.pop(guest, None)

    def busy(self, guest: "Connection") -> None:
        """A request is being served."""
        if guest in self._idle:
            del self._idle[guest]
            self._busy[guest] = None

    def idle(self, guest: "Connection") -> None:
        """A request was served."""
        if guest in self._busy:
            del self._busy[guest]
            self._idle[guest] = None

    def make_room(self) -> bool:
        """Close who was idle longest, or, where all are served, who has been longest.

        Returns:
            Whether there was anybody.
        """
        guest = next(iter(self._idle or self._busy), None)
        if guest is None:
            return False
        self.leave(guest)
        self._turned_out()
        self._tell()
        if guest.transport is not None:
            guest.transport.abort()
        return True

    def _tell(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._logged_at >= _LOGGED_EVERY_S:
            self._logged_at = now
            _log.warning("socket.full", connections=len(self) + 1, most=self.most)


class Connection(web.RequestHandler):
    """One connection, with its peer, which is read once."""

    def __init__(self, server: web.Server, crowd: Connections, **options: Any) -> None:
        super().__init__(server, loop=asyncio.get_running_loop(), **options)
        self._crowd = crowd
        #: Who is at the other end; None on TCP.
        self.peer: Peer | None = None
        #: How often it has taken what had held up further writing.
        self.drained = 0
        #: Called each time.
        self.taken: Callable[[], None] = _nobody

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Somebody came."""
        self.peer = read_peer(transport)
        self._crowd.enter(self)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Somebody went."""
        self._crowd.leave(self)
        super().connection_lost(exc)

    def resume_writing(self) -> None:
        """It has taken most of what waited for it."""
        self.drained += 1
        self.taken()
        super().resume_writing()

    def busy(self) -> None:
        """A request of it is being served."""
        self._crowd.busy(self)

    def idle(self) -> None:
        """A request of it was served."""
        self._crowd.idle(self)


def request_peer(request: web.Request) -> Peer | None:
    """Who sent a request; None where nobody vouches for it."""
    guest = request.protocol
    return guest.peer if isinstance(guest, Connection) else None
