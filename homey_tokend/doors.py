"""The sockets of a running daemon, and what a reload changes about them."""

from collections.abc import Sequence
from socket import socket

import structlog

from homey_tokend.api.guests import Crowd
from homey_tokend.api.listen import SocketPlace
from homey_tokend.api.routes import Api
from homey_tokend.api.server import Server
from homey_tokend.config import HttpConfig, SocketConfig
from homey_tokend.errors import AlreadyRunning, CannotServe

log = structlog.get_logger()


def place_of(config: SocketConfig) -> SocketPlace:
    """Where the configuration wants the socket."""
    return SocketPlace(config.path, config.mode, config.group)


class Doors:
    """The unix socket, and the routes without a token on TCP.

    Args:
        api: What is served.
        crowd: All connections, through whichever door they came.
    """

    def __init__(self, api: Api, crowd: Crowd) -> None:
        self._api = api
        self._crowd = crowd
        self._socket = Server(api, crowd=crowd)
        self._http = Server(api, crowd=crowd)
        self._activated = False

    async def open(
        self, config: SocketConfig, http: HttpConfig, prepared: Sequence[socket] = ()
    ) -> None:
        """Open both; with ``prepared`` sockets (LISTEN_FDS) theirs is the unix socket.

        Raises:
            AlreadyRunning: another daemon is running.
            CannotServe: a socket cannot be made.
        """
        self._activated = bool(prepared)
        if prepared:
            await self._socket.start(prepared=prepared)
        else:
            await self._socket.start(place_of(config))
        if http.listen is not None:
            await self._http.start(http=http.listen)

    async def change_socket(self, old: SocketConfig, new: SocketConfig) -> None:
        """Move the socket, or give it other rights; where that fails, the old one stays."""
        if place_of(new) == place_of(old):
            return
        if self._activated:
            log.warning("reload.needs_restart", key="socket")
            return
        try:
            if new.path == old.path:
                await self._socket.change_rights(place_of(new))
                return
            server = Server(self._api, crowd=self._crowd)
            await server.start(place_of(new))
        except (AlreadyRunning, CannotServe) as error:
            log.error("reload.socket_kept", reason=error.message, remedy=error.remedy)
            return
        before, self._socket = self._socket, server
        await before.stop()

    async def change_http(self, new: HttpConfig) -> None:
        """Listen elsewhere, or no more; where that fails, nothing listens on TCP."""
        await self._http.stop()
        self._http = Server(self._api, crowd=self._crowd)
        if new.listen is None:
            return
        try:
            await self._http.start(http=new.listen)
        except CannotServe as error:
            log.error("reload.http_closed", reason=error.message, remedy=error.remedy)

    async def close(self) -> None:
        """Refuse new clients and close all."""
        await self._http.stop()
        await self._socket.stop()
