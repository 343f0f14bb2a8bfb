"""Who may ask: ``socket.allow`` and ``socket.allow_api``, beyond what the file mode says.

Names are looked up at the start and at each reload, since a look-up may ask a
directory server; a connection is then judged by numbers alone.
"""

import asyncio
import grp
import os
import pwd
from collections import defaultdict
from collections.abc import Callable, Collection
from dataclasses import dataclass

import structlog
from aiohttp import web

from homey_tokend.config import AllowConfig, SocketConfig
from homey_tokend.server.connections import request_peer
from homey_tokend.server.peer_credentials import Peer
from homey_tokend.server.problems import Problem

#: How many users are counted by themselves? All others are counted together.
COUNTED = 64
#: The name under which they are.
OTHERS = "other"
#: How often is one user's refusal logged, in seconds?
_LOGGED_EVERY_S = 60.0
_ROOT = 0
_READERS_LIST = "socket.allow"
_CALLERS_LIST = "socket.allow_api (where that is not set, to socket.allow)"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AllowList:
    """Users and groups by number; ``anybody``: whoever the file mode lets in."""

    anybody: bool = True
    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()

    def admits(self, peer: Peer) -> bool:
        """Whether a peer is one of them."""
        return self.anybody or peer.uid in self.uids or not self.gids.isdisjoint(peer.groups)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may read, and who may use the forwarding door."""

    readers: AllowList = AllowList()
    callers: AllowList = AllowList()


def resolve_rules(config: SocketConfig) -> AccessRules:
    """Look the names of the configuration up; may block.

    An unknown name is told as a warning and stands for nobody: it never opens a door.
    """
    readers = _resolved(config.allow, "socket.allow")
    if config.allow_api is None:
        return AccessRules(readers, readers)
    return AccessRules(readers, _resolved(config.allow_api, "socket.allow_api"))


def _resolved(config: AllowConfig, key: str) -> AllowList:
    uids = [_number(name, f"{key}.users", _uid_of) for name in config.users]
    gids = [_number(name, f"{key}.groups", _gid_of) for name in config.groups]
    return AllowList(
        anybody=not uids and not gids,
        uids=frozenset(uid for uid in uids if uid is not None),
        gids=frozenset(gid for gid in gids if gid is not None),
    )


def _number(name: str, key: str, look_up: Callable[[str], int]) -> int | None:
    if name.isascii() and name.isdigit():
        return int(name)
    try:
        return look_up(name)
    except KeyError:
        _log.warning(
            "allow.unknown",
            key=key,
            name=name,
            remedy="Correct the name, or make it and reload; until then it stands for nobody.",
        )
        return None


def _uid_of(name: str) -> int:
    return pwd.getpwnam(name).pw_uid


def _gid_of(name: str) -> int:
    return grp.getgrnam(name).gr_gid


class AccessControl:
    """Judges peers and counts them.

    Args:
        rules: Who may do what.
        always: The users who may do everything, by number; None: root and the daemon's own.
        now: Seconds of a clock that only goes on; None: the event loop's.
    """

    def __init__(
        self,
        rules: AccessRules | None = None,
        *,
        always: Collection[int] | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.rules = rules or AccessRules()
        self._always = {_ROOT, os.geteuid()} if always is None else always
        self._now = now or _loop_time
        #: How often each user asked, by number; of more than 64 users the rest as "other".
        self.visits: defaultdict[str, int] = defaultdict(int)
        #: How often each was refused.
        self.refusals: defaultdict[str, int] = defaultdict(int)
        self._names: dict[int, str] = {}
        self._logged: dict[str, tuple[float, int]] = {}

    def may_read(self, peer: Peer) -> bool:
        """Whether a peer may ask for tokens and status."""
        return peer.uid in self._always or self.rules.readers.admits(peer)

    def may_call(self, peer: Peer) -> bool:
        """Whether a peer may use the forwarding door."""
        return peer.uid in self._always or self.rules.callers.admits(peer)

    def readers_gate(self, request: web.Request) -> Problem | None:
        """The gate of every route but the forwarding door's (``routes.Gate``)."""
        return self.judged(request_peer(request), self.may_read)

    def callers_gate(self, request: web.Request) -> Problem | None:
        """The gate of the forwarding door (``routes.Gate``)."""
        return self.judged(request_peer(request), self.may_call, _CALLERS_LIST)

    def judged(
        self, peer: Peer | None, may: Callable[[Peer], bool], to: str = _READERS_LIST
    ) -> Problem | None:
        """Count a peer, and say why it is refused.

        Args:
            peer: Who asks; None: that cannot be told.
            may: Whether it may.
            to: The list that it would have to be added to.
        """
        if peer is None:
            return _nobody()
        name = self._names.get(peer.uid) or self._named(peer.uid)
        self.visits[name] += 1
        return None if may(peer) else self._refused(peer, name, to)

    def _named(self, uid: int) -> str:
        name = str(uid) if len(self._names) < COUNTED else OTHERS
        if name != OTHERS:
            self._names[uid] = name
        return name

    def _refused(self, peer: Peer, name: str, to: str) -> Problem:
        self.refusals[name] += 1
        now = self._now()
        last, unsaid = self._logged.get(name, (-_LOGGED_EVERY_S, 0))
        if now - last < _LOGGED_EVERY_S:
            self._logged[name] = (last, unsaid + 1)
        else:
            self._logged[name] = (now, 0)
            _log.warning("client.denied", uid=peer.uid, pid=peer.pid, unsaid=unsaid)
        return Problem(
            403,
            "user-not-allowed",
            f"the user {peer.uid} may not ask for this",
            kind="user_not_allowed",
            more={"remedy": f"Add the user or one of its groups to {to}, and reload."},
        )


def _loop_time() -> float:
    return asyncio.get_running_loop().time()


def _nobody() -> Problem:
    return Problem(
        403, "user-not-allowed", "nobody vouches for this connection", kind="user_not_allowed"
    )
