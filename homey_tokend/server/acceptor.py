"""Accept clients, a few in each turn of the event loop.

asyncio's own server stops listening for a second at EMFILE and logs an error for each client
that waits; here the connection that was idle longest makes room.
"""

import asyncio
import errno
import socket
from collections.abc import Callable
from functools import partial

from homey_tokend.server.connections import Connections

#: New clients that are accepted in one turn of the loop; nobody is served meanwhile.
ACCEPTED_AT_ONCE = 32
#: Seconds before the next accept if no file is left.
_PAUSE_S = 0.1
#: Connections that are closed then: one for the client, the others for the daemon itself.
_CLOSED_AT_ONCE = 8
#: accept(2): no file, buffer or memory is left; each may pass.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Accept the clients of one socket.

    Args:
        sock: A listening socket.
        make: Makes the protocol of a connection; None closes it at once.
        connections: Where room can be made.
        at_once: How many clients are accepted in one turn of the loop.
        pause: Seconds before the next accept if no file is left.
    """

    def __init__(
        self,
        sock: socket.socket,
        make: Callable[[socket.socket], asyncio.Protocol | None],
        connections: Connections,
        *,
        at_once: int = ACCEPTED_AT_ONCE,
        pause: float = _PAUSE_S,
    ) -> None:
        self._sock = sock
        self._make = make
        self._connections = connections
        self._at_once = at_once
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
        for _ in range(self._at_once):
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
            protocol = self._make(client)
            if protocol is None:
                client.close()
                continue
            made = partial(_same, protocol)
            task = loop.create_task(loop.connect_accepted_socket(made, client))
            self._accepting.add(task)
            task.add_done_callback(self._accepting.discard)

    def _make_room(self) -> None:
        for _ in range(_CLOSED_AT_ONCE):
            if not self._connections.make_room():
                break
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        self._pause = loop.call_later(self._pause_s, self.start)


def _same(protocol: asyncio.Protocol) -> asyncio.Protocol:
    return protocol
