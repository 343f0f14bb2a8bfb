"""The sockets of a running daemon, and what a reload changes about them."""

from collections.abc import Sequence
from socket import socket

import structlog

from homey_tokend.config import HttpConfig, SocketConfig
from homey_tokend.core.errors import AlreadyRunning, CannotServe
from homey_tokend.server.app import Api
from homey_tokend.server.connections import Connections
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions

log = structlog.get_logger()


def socket_options(config: SocketConfig) -> SocketOptions:
    """Where the configuration wants the socket."""
    return SocketOptions(config.path, config.mode, config.group)


class Listeners:
    """The unix socket, and the routes without a token on TCP.

    Args:
        api: What is served.
        crowd: All connections, through whichever door they came.
    """

    def __init__(self, api: Api, crowd: Connections) -> None:
        self._api = api
        self._crowd = crowd
        self._socket = Server(api, crowd=crowd)
        self._http = Server(api, crowd=crowd)
        self._activated = False
        #: What is in force; the configuration may want otherwise where a change was refused.
        self._place: SocketOptions | None = None
        self._listen: tuple[str, int] | None = None

    async def open(
        self, config: SocketConfig, http: HttpConfig, prepared: Sequence[socket] = ()
    ) -> None:
        """Open both; with ``prepared`` sockets (LISTEN_FDS) theirs is the unix socket.

        Raises:
            AlreadyRunning: another daemon is running.
            CannotServe: a socket cannot be made.
        """
        self._activated = bool(prepared)
        self._place = socket_options(config)
        if prepared:
            await self._socket.start(prepared=prepared)
        else:
            await self._socket.start(socket_options(config))
        if http.listen is not None:
            await self._http.start(http=http.listen)
        self._listen = http.listen

    async def change_socket(self, new: SocketConfig) -> None:
        """Move the socket, or give it other rights; where that fails, the old one stays.

        The next reload tries again: a group may have been made meanwhile. A socket that
        is wanted where it was, and whose file somebody took away, is put back.
        """
        place, before = socket_options(new), self._place
        if before is None:
            return
        if self._activated:
            if place != before:
                log.warning("reload.restart_required", key="socket")
            return
        try:
            if place.path == before.path:
                await self._socket.put_back(place)
                if place != before:
                    await self._socket.change_rights(place)
                self._place = place
                return
            server = Server(self._api, crowd=self._crowd)
            await server.start(place)
        except (AlreadyRunning, CannotServe) as error:
            log.error("reload.socket_kept", reason=error.message, remedy=error.remedy)
            return
        self._place = place
        left, self._socket = self._socket, server
        await left.stop()

    async def change_http(self, new: HttpConfig) -> None:
        """Listen elsewhere, or no more; where that fails, nothing listens until the next reload."""
        if new.listen == self._listen:
            return
        await self._http.stop()
        self._listen = None
        self._http = Server(self._api, crowd=self._crowd)
        if new.listen is None:
            return
        try:
            await self._http.start(http=new.listen)
        except CannotServe as error:
            log.error("reload.http_closed", reason=error.message, remedy=error.remedy)
            return
        self._listen = new.listen

    async def close(self) -> None:
        """Refuse new clients and close all."""
        await self._http.stop()
        await self._socket.stop()
