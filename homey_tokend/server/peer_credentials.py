"""Who asks: the peer of a connection on the unix socket, as the kernel vouches for it.

``SO_PEERCRED`` (unix(7)) names process, user and group at the time of connecting;
``SO_PEERGROUPS`` (Linux 4.13) the supplementary groups, which /proc would hide
under ``ProtectProc=``.
"""

import asyncio
import socket
import struct
from dataclasses import dataclass

_CRED = struct.Struct("iII")  # struct ucred: pid, uid, gid
#: Python has no name for it (asm-generic/socket.h).
_SO_PEERGROUPS = 59
#: Python reads no more of an option; it is room for 256 groups. Of who has more, none count.
_MOST_BYTES = 1024


@dataclass(frozen=True, slots=True)
class Peer:
    """A process at the other end.

    Args:
        pid: Its number, for the log; it may have ended since.
        uid: Its user, 65534 where the user is unknown in the daemon's user namespace.
        groups: Its groups, the primary one among them.
    """

    pid: int
    uid: int
    groups: frozenset[int]


def read_peer(transport: asyncio.BaseTransport) -> Peer | None:
    """The peer of a connection; None where it is no unix socket."""
    sock = transport.get_extra_info("socket")
    if sock is None or sock.family != socket.AF_UNIX:
        return None
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CRED.size)
    except OSError:
        return None
    pid, uid, gid = _CRED.unpack(raw)
    return Peer(pid, uid, frozenset((gid, *_supplementary(sock))))


def _supplementary(sock: socket.socket) -> tuple[int, ...]:
    try:
        raw = sock.getsockopt(socket.SOL_SOCKET, _SO_PEERGROUPS, _MOST_BYTES)
    except OSError:  # ERANGE: more than there is room for; ENOPROTOOPT: an older kernel
        return ()
    return struct.unpack(f"{len(raw) // 4}I", raw)
