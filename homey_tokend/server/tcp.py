"""The TCP sockets of ``http.listen``: made aside from the loop, since a name is looked up."""

import socket
from contextlib import ExitStack

from homey_tokend.core.errors import CannotServe
from homey_tokend.server.unix_socket import BACKLOG


def open_tcp_sockets(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen on every address of a host; may block.

    Args:
        host: A name or an address.
        port: 0 takes a free one, the same for all addresses.

    Raises:
        CannotServe: there is no such address here, or the port is taken.
    """
    try:
        return _listening(host, port)
    except (OSError, UnicodeError) as error:
        # UnicodeError: what looks like a name and cannot be one, with an empty label say.
        reason = error.strerror if isinstance(error, OSError) else "this is no host's name"
        raise CannotServe(
            f"http.listen: {host}:{port} cannot be listened on: {reason}",
            remedy="Choose a free port of this machine, or null.",
        ) from error


def _listening(host: str, port: int) -> list[socket.socket]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    made: list[socket.socket] = []
    with ExitStack() as undo:
        for family, _, _, _, address in dict.fromkeys(found):
            sock = socket.socket(family, socket.SOCK_STREAM)
            undo.callback(sock.close)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind((address[0], port, *address[2:]))
            sock.listen(BACKLOG)
            port = port or sock.getsockname()[1]
            made.append(sock)
        undo.pop_all()
    return made
