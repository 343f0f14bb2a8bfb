"""Access by ``socket.allow`` and ``socket.allow_api``, beyond the mode of the socket's file.

Names are resolved at the start and at each reload, since that may ask a directory server;
a request is then judged by numbers alone.
"""

import asyncio
import grp
import os
import pwd
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass

import structlog

from homey_tokend.config import AllowConfig, Config, SocketConfig
from homey_tokend.core.errors import ConfigFault
from homey_tokend.runtime.user_namespace import UnknownIds, unknown_ids
from homey_tokend.server.peers import Peer
from homey_tokend.server.problems import Problem

#: Users that are counted one by one; all others are counted together, as "other".
COUNTED = 64
OTHERS = "other"
#: Seconds between two log lines about one denied user.
_LOG_INTERVAL_S = 60.0
_ROOT = 0
_UNKNOWN = "Correct the name, or create it and reload; until then it admits nobody."
_READERS_KEY = "socket.allow"
_CALLERS_KEY = "socket.allow_api (where that is not set, to socket.allow)"

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class AllowList:
    """Users and groups by number; with ``anybody`` the mode of the socket's file decides."""

    anybody: bool = True
    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()

    def admits(self, peer: Peer) -> bool:
        """Return whether a peer is on the list."""
        return self.anybody or peer.uid in self.uids or not self.gids.isdisjoint(peer.groups)


@dataclass(frozen=True, slots=True)
class AccessRules:
    """Who may read tokens and status, and who may use the API proxy.

    ``unknown_uid`` is the number of all users that are unknown here: it is nobody's own.
    """

    readers: AllowList = AllowList()
    callers: AllowList = AllowList()
    unknown_uid: int | None = None


def resolve_rules(config: SocketConfig, unknown: UnknownIds | None = None) -> AccessRules:
    """Resolve the names of the configuration; may block.

    An unknown name is logged as a warning and admits nobody, and so is the number that all
    users or groups have that are unknown here (``unknown``; None: found out).
    """
    ids = unknown_ids() if unknown is None else unknown
    readers = _resolve(config.allow, "socket.allow", ids)
    callers = readers
    if config.allow_api is not None:
        callers = _resolve(config.allow_api, "socket.allow_api", ids)
    return AccessRules(readers, callers, ids.uid)


def allow_warnings(config: Config) -> Iterator[ConfigFault]:
    """Yield a warning for each user or group of the lists that this machine does not have."""
    for key, allow in (
        ("socket.allow", config.socket.allow),
        ("socket.allow_api", config.socket.allow_api or AllowConfig()),
    ):
        for kind, names, look_up in (
            ("user", allow.users, _user_number),
            ("group", allow.groups, _group_number),
        ):
            for name in names:
                try:
                    look_up(name)
                except KeyError:
                    message = f'this machine has no {kind} "{name}"'
                    yield ConfigFault(config.source, 0, 0, f"{key}.{kind}s", message, _UNKNOWN)


def _resolve(config: AllowConfig, key: str, unknown: UnknownIds) -> AllowList:
    uids = [_number(name, f"{key}.users", _user_number, unknown.uid) for name in config.users]
    gids = [_number(name, f"{key}.groups", _group_number, unknown.gid) for name in config.groups]
    return AllowList(
        anybody=not uids and not gids,
        uids=frozenset(uid for uid in uids if uid is not None),
        gids=frozenset(gid for gid in gids if gid is not None),
    )


def _user_number(name: str) -> int:
    return int(name) if _is_number(name) else pwd.getpwnam(name).pw_uid


def _group_number(name: str) -> int:
    return int(name) if _is_number(name) else grp.getgrnam(name).gr_gid


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _number(name: str, key: str, look_up: Callable[[str], int], unknown: int | None) -> int | None:
    try:
        number = look_up(name)
    except KeyError:
        remedy = _UNKNOWN
    else:
        if number != unknown:
            return number
        remedy = (
            f"In the daemon's user namespace, {number} is everybody whom it does not know, so it "
            "admits nobody; name another one, or run the daemon without a namespace of its own."
        )
    _log.warning("allow.unknown", key=key, name=name, remedy=remedy)
    return None


class AccessControl:
    """Admit or deny peers, and count their requests.

    Args:
        rules: Who may do what.
        always: Numbers of the users who may do everything; None: root and the daemon's own.
        now: Seconds of a monotonic clock; None: the event loop's.
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
        self._now = now or (lambda: asyncio.get_running_loop().time())
        #: Requests by user number; beyond ``COUNTED`` users the others together.
        self.requests_by_user: defaultdict[str, int] = defaultdict(int)
        #: Denied requests, likewise.
        self.denials_by_user: defaultdict[str, int] = defaultdict(int)
        self._labels: dict[int, str] = {}
        self._logged: dict[str, tuple[float, int]] = {}

    def may_read(self, peer: Peer) -> bool:
        """Return whether a peer may ask for tokens and status."""
        return self._may_always(peer) or self.rules.readers.admits(peer)

    def may_call(self, peer: Peer) -> bool:
        """Return whether a peer may use the API proxy."""
        return self._may_always(peer) or self.rules.callers.admits(peer)

    def _may_always(self, peer: Peer) -> bool:
        return peer.uid in self._always and peer.uid != self.rules.unknown_uid

    def is_rejected(self, peer: Peer | None) -> bool:
        """Return whether a peer may neither read nor call."""
        return peer is None or not (self.may_read(peer) or self.may_call(peer))

    def check_reader(self, peer: Peer | None) -> Problem | None:
        """Check a request for any route but the API proxy's."""
        return self.check_peer(peer, self.may_read, _READERS_KEY)

    def check_caller(self, peer: Peer | None) -> Problem | None:
        """Check a request for the API proxy."""
        return self.check_peer(peer, self.may_call, _CALLERS_KEY)

    def check_peer(
        self, peer: Peer | None, may: Callable[[Peer], bool], key: str
    ) -> Problem | None:
        """Count a request, and return the problem if it is denied.

        Args:
            peer: The client; None if the kernel does not report it.
            may: Returns whether it is allowed.
            key: The configuration key that would admit it, for the remedy.
        """
        if peer is None:
            return Problem(403, "user-not-allowed", "the user of this connection is unknown")
        label = self._labels.get(peer.uid) or self._label(peer.uid)
        self.requests_by_user[label] += 1
        return None if may(peer) else self._denied(peer, label, key)

    def _label(self, uid: int) -> str:
        if len(self._labels) >= COUNTED:
            return OTHERS
        return self._labels.setdefault(uid, str(uid))

    def _denied(self, peer: Peer, label: str, key: str) -> Problem:
        self.denials_by_user[label] += 1
        now = self._now()
        last, suppressed = self._logged.get(label, (-_LOG_INTERVAL_S, 0))
        if now - last < _LOG_INTERVAL_S:
            self._logged[label] = (last, suppressed + 1)
        else:
            self._logged[label] = (now, 0)
            _log.warning("client.denied", uid=peer.uid, pid=peer.pid, suppressed=suppressed)
        return Problem(
            403,
            "user-not-allowed",
            f"user {peer.uid} is not allowed to request this",
            more={"remedy": f"Add the user or one of its groups to {key}, and reload."},
        )
