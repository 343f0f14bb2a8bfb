"""The listening sockets of the TCP port."""

import socket
from contextlib import ExitStack

from homey_tokend.core.errors import CannotServe
from homey_tokend.server.unix_socket import BACKLOG

#: Seconds for which the kernel keeps a client that has sent nothing yet.
_DEFER_S = 30


def open_tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Return sockets that listen on every address of a host; may block.

    Args:
        host: A name or an address.
        port: 0 takes a free one, the same for all addresses.

    Raises:
        CannotServe: This machine has no such address, or the port is taken.
    """
    try:
        return _open_tcp_sockets(host, port)
    except (OSError, UnicodeError) as error:
        # UnicodeError: a name that cannot exist, with an empty label for example.
        reason = error.strerror if isinstance(error, OSError) else "this is not a host name"
        raise CannotServe(
            f"http.listen: {host}:{port} cannot be listened on: {reason}",
            remedy="Choose a free port of this machine, or null.",
        ) from error


def _open_tcp_sockets(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    with ExitStack() as undo:
        for family, _, _, _, address in dict.fromkeys(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            undo.callback(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            # The kernel keeps those who have sent nothing yet: they take no place from the others.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, _DEFER_S)
            sock.bind((address[0], port, *address[2:]))
            sock.listen(BACKLOG)
            port = port or sock.getsockname()[1]
            made.append(sock)
        undo.pop_all()
    return made
