"""Sockets that systemd keeps open across restarts of the daemon (sd_listen_fds(3))."""

import grp
import os
import re
import socket
import stat
from collections.abc import Iterator, MutableMapping, Sequence
from pathlib import Path

from homey_tokend.config import SocketConfig
from homey_tokend.core.errors import CannotServe

#: The first file descriptor that systemd passes (SD_LISTEN_FDS_START).
FIRST = 3
_VARIABLES = ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES")


def inherited_sockets(
    environ: MutableMapping[str, str], first: int = FIRST
) -> tuple[socket.socket, ...]:
    """Return the sockets that systemd passed to this process.

    Args:
        environ: The environment; the variables are removed, because children must not see them.
        first: The first file descriptor.

    Returns:
        The listening sockets; empty if there are none, or if they are for another process.

    Raises:
        CannotServe: One of them is not a listening unix stream socket.
    """
    pid, count, names = (environ.pop(name, "") for name in _VARIABLES)
    if pid != str(os.getpid()) or not re.fullmatch("[0-9]{1,9}", count):
        return ()
    descriptors = range(first, first + int(count))
    for descriptor in descriptors:
        _set_close_on_exec(descriptor)
    named = [*names.split(":"), *("" for _ in descriptors)]
    return tuple(
        _checked(descriptor, name or str(descriptor))
        for descriptor, name in zip(descriptors, named, strict=False)
    )


def overridden_keys(
    config: SocketConfig, socks: Sequence[socket.socket]
) -> Iterator[tuple[str, str]]:
    """Yield the keys of the configuration that the socket unit overrides.

    Args:
        config: The section ``socket``.
        socks: The sockets from systemd.

    Yields:
        The key, and the value in force.
    """
    written = config.model_fields_set
    for sock in socks:
        path = Path(sock.getsockname())
        if "path" in written and path != config.path:
            yield "socket.path", str(path)
        try:
            found = path.stat()
        except OSError:  # removed, or below another root directory: nothing to compare with
            continue
        if "mode" in written and stat.S_IMODE(found.st_mode) != config.mode:
            yield "socket.mode", f"{stat.S_IMODE(found.st_mode):04o}"
        if config.group is not None and config.group not in _group_names(found.st_gid):
            yield "socket.group", _group_names(found.st_gid)[-1]


def _set_close_on_exec(descriptor: int) -> None:
    try:
        os.set_inheritable(descriptor, False)
    except OSError as error:
        raise CannotServe(
            f"LISTEN_FDS includes the file descriptor {descriptor}, which is not open",
            remedy="Start the daemon by its socket unit, or without LISTEN_FDS.",
        ) from error


def _checked(descriptor: int, name: str) -> socket.socket:
    remedy = "Use ListenStream= with a path in the socket unit, and Accept=no."
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise CannotServe(f"the descriptor {name} is not a socket", remedy=remedy) from error
    if sock.family != socket.AF_UNIX or sock.type != socket.SOCK_STREAM:
        sock.close()
        raise CannotServe(f"the socket {name} is not a unix stream socket", remedy=remedy)
    if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
        sock.close()
        raise CannotServe(f"the socket {name} does not listen", remedy=remedy)
    address = sock.getsockname()
    if not isinstance(address, str) or not address:
        sock.close()
        # An abstract socket has no file mode: all processes of the machine could connect.
        raise CannotServe(f"the socket {name} has no path", remedy=remedy)
    sock.setblocking(False)
    return sock


def _group_names(group: int) -> tuple[str, ...]:
    try:
        return str(group), grp.getgrgid(group).gr_name
    except KeyError:
        return (str(group),)
