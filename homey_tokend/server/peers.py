"""Who is at the other end of a unix socket, as the kernel reports it."""

import socket
import struct
from typing import NamedTuple

_CRED = struct.Struct("iII")  # struct ucred: pid, uid, gid
#: Python has no name for it (asm-generic/socket.h).
_SO_PEERGROUPS = 59
#: Python reads no more of an option: room for 256 groups. If a peer has more, none counts.
_MAX_BYTES = 1024


class Peer(NamedTuple):
    """The process at the other end of a unix socket, as the kernel reports it (unix(7)).

    ``pid`` is for the log; the process may have ended since. ``uid`` is 65534 where the user is
    unknown in the daemon's user namespace. ``groups`` includes the primary group.
    """

    pid: int
    uid: int
    groups: frozenset[int]


def read_peer(sock: socket.socket) -> Peer | None:
    """Return the peer of a connection; None if it is no unix socket."""
    if sock.family != socket.AF_UNIX:
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
