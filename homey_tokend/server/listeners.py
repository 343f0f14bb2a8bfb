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

_log = structlog.get_logger()


class Listeners:
    """The unix socket, and the routes without a token on TCP."""

    def __init__(self, api: Api, connections: Connections, tcp_connections: Connections) -> None:
        self._api = api
        self._connections = connections
        self._tcp_connections = tcp_connections
        self._socket = Server(api, connections=connections)
        self._http = Server(api, tcp_connections=tcp_connections)
        self._activated = False
        #: What is in force; the configuration may differ where a change failed.
        self._options: SocketOptions | None = None
        self._listen: tuple[str, int] | None = None

    async def open(
        self, config: SocketConfig, http: HttpConfig, prepared: Sequence[socket] = ()
    ) -> None:
        """Open both; ``prepared`` sockets (LISTEN_FDS) take the place of the unix socket.

        Raises:
            AlreadyRunning: Another daemon is running.
            CannotServe: A socket cannot be made.
        """
        self._activated = bool(prepared)
        self._options = _options(config)
        if prepared:
            await self._socket.start(prepared=prepared)
        else:
            await self._socket.start(self._options)
        if http.listen is not None:
            await self._http.start(http=http.listen)
        self._listen = http.listen

    async def change_socket(self, new: SocketConfig) -> None:
        """Move the socket, or change its rights; if that fails, the old one stays.

        The next reload tries again: a group may have been created meanwhile. A socket whose
        path is unchanged and whose file is gone is restored.
        """
        options, before = _options(new), self._options
        if before is None:
            return
        if self._activated:
            if options != before:
                _log.warning("reload.restart_required", key="socket")
            return
        try:
            if options.path == before.path:
                await self._socket.restore(options)
                if options != before:
                    await self._socket.change_rights(options)
                self._options = options
                return
            server = Server(self._api, connections=self._connections)
            await server.start(options)
        except (AlreadyRunning, CannotServe) as error:
            _log.error("reload.socket_kept", reason=error.message, remedy=error.remedy)
            return
        self._options = options
        old, self._socket = self._socket, server
        await old.stop()

    async def change_http(self, new: HttpConfig) -> None:
        """Listen elsewhere, or no more; if that fails, nothing listens until the next reload."""
        if new.listen == self._listen:
            return
        await self._http.stop()
        self._listen = None
        self._http = Server(self._api, tcp_connections=self._tcp_connections)
        if new.listen is None:
            return
        try:
            await self._http.start(http=new.listen)
        except CannotServe as error:
            _log.error("reload.http_closed", reason=error.message, remedy=error.remedy)
            return
        self._listen = new.listen

    async def close(self) -> None:
        """Accept no more clients and close all."""
        await self._http.stop()
        await self._socket.stop()


def _options(config: SocketConfig) -> SocketOptions:
    return SocketOptions(config.path, config.mode, config.group)
