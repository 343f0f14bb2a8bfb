"""Takes new clients from a listening socket, also when the process has no file left to open.

asyncio's own server stops listening for a second at EMFILE and logs an error for
each client that waits; here the connection that was idle longest makes room.
"""

import asyncio
import errno
import socket
from collections.abc import Callable

from homey_tokend.server.connections import Connection, Connections

#: How many new clients are taken in one turn of the loop? While they are, nobody is served.
_TAKEN_AT_ONCE = 32
#: How long is waited before the next client is taken where no file is left, in seconds?
_PAUSE_S = 0.1
#: How many connections are closed then: for the client, and some for the daemon itself.
_CLOSED_AT_ONCE = 8
#: accept(2): no file, buffer or memory is left; all of them may pass.
_EXHAUSTED = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


class Acceptor:
    """Takes the clients of one socket.

    Args:
        sock: It listens already.
        make: Makes the protocol of a connection.
        crowd: Where room can be made.
    """

    def __init__(
        self, sock: socket.socket, make: Callable[[], Connection], crowd: Connections
    ) -> None:
        self._sock = sock
        self._make = make
        self._crowd = crowd
        self._coming: set[asyncio.Task[object]] = set()
        self._pause: asyncio.TimerHandle | None = None

    @property
    def address(self) -> object:
        """Where it listens."""
        return self._sock.getsockname()

    def start(self) -> None:
        """Take clients from now on."""
        self._pause = None
        self._sock.setblocking(False)
        asyncio.get_running_loop().add_reader(self._sock, self._take)

    def change(self, sock: socket.socket) -> None:
        """Take the clients of another socket from now on, and close the one before."""
        self.stop()
        self._sock = sock
        self.start()

    def stop(self) -> None:
        """Take no more, and close the socket; who was taken already is still served."""
        if self._pause is not None:
            self._pause.cancel()
        asyncio.get_running_loop().remove_reader(self._sock)
        self._sock.close()

    def _take(self) -> None:
        for _ in range(_TAKEN_AT_ONCE):
            try:
                client, _ = self._sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _EXHAUSTED:
                    raise
                self._make_room()
                return
            self._seat(client)

    def _seat(self, client: socket.socket) -> None:
        client.setblocking(False)
        loop = asyncio.get_running_loop()
        task = loop.create_task(loop.connect_accepted_socket(self._make, client))
        self._coming.add(task)
        task.add_done_callback(self._coming.discard)

    def _make_room(self) -> None:
        for _ in range(_CLOSED_AT_ONCE):
            if not self._crowd.make_room():
                break
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._sock)
        self._pause = loop.call_later(_PAUSE_S, self.start)
