"""The sockets of a running daemon: what a reload changes about them, and whether they are there."""

import asyncio
import errno
from collections.abc import Sequence
from pathlib import Path
from socket import socket

import structlog

from homey_tokend.config import HttpConfig, SocketConfig
from homey_tokend.core.errors import AlreadyRunning, CannotServe
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.socket_folder import Inode, inode_of
from homey_tokend.server.unix_socket import SocketOptions

_log = structlog.get_logger()
#: Errors of the socket's directory that pass without another configuration. The daemon waits for
#: that at the start, too: a restart would not help, and systemd gives up after some of them.
_PASSING = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


class Listeners:
    """The unix socket, and the routes without a token on TCP."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._socket = Server(api)
        self._http = Server(api)
        #: The sockets of systemd, by path.
        self._held: dict[Path, Inode | None] = {}
        self._activated = False
        self._open = False
        self._changing = asyncio.Lock()
        #: Why no client finds the unix socket, or "".
        self.problem = ""
        #: What is in force; the configuration may differ where a change failed.
        self._options: SocketOptions | None = None
        self._listen: tuple[str, int] | None = None

    async def open(
        self, config: SocketConfig, http: HttpConfig, prepared: Sequence[socket] = ()
    ) -> None:
        """Open both; ``prepared`` sockets (LISTEN_FDS) take the place of the unix socket.

        A socket that cannot be created for a reason that passes is left to ``check``.

        Raises:
            AlreadyRunning: Another daemon is running.
            CannotServe: A socket cannot be created.
        """
        self._activated = bool(prepared)
        self._options = _options(config)
        if prepared:
            paths = [Path(sock.getsockname()) for sock in prepared]
            self._held = {path: await run_in_thread(inode_of, path) for path in paths}
            await self._socket.start(prepared=prepared)
        else:
            try:
                await self._create()
            except CannotServe as error:
                cause = error.__cause__
                if not (isinstance(cause, OSError) and cause.errno in _PASSING):
                    raise
                self._missing(error)
        if http.listen is not None:
            await self._http.start(http=http.listen)
        self._listen = http.listen

    async def check(self) -> None:
        """Create the unix socket again if clients no longer find it, and log if that fails.

        A directory below ``/run/user`` disappears when its user logs out. A socket of systemd only
        systemd can create.
        """
        async with self._changing:
            try:
                await self._check()
            except (AlreadyRunning, CannotServe) as error:
                self._missing(error)
            else:
                self.problem = ""

    async def _check(self) -> None:
        if self._activated:
            for path, inode in self._held.items():
                if inode is not None and await run_in_thread(inode_of, path) != inode:
                    raise CannotServe(
                        f"the socket {path} was removed, and systemd holds it",
                        remedy="Stop the socket unit and the service (systemctl stop "
                        "homey-tokend.socket homey-tokend.service), then start both.",
                    )
        elif not self._open:
            await self._create()
        elif self._options is not None:
            await self._socket.restore(self._options)

    async def _create(self) -> None:
        await self._socket.start(self._options)
        self._open = True

    def _missing(self, error: AlreadyRunning | CannotServe) -> None:
        if error.message != self.problem:
            _log.error("socket.missing", reason=error.message, remedy=error.remedy)
        self.problem = error.message

    async def change_socket(self, new: SocketConfig) -> None:
        """Move the socket, or change its rights; if that fails, the old one stays.

        The next reload tries again: a group may have been created meanwhile. A socket whose
        path is unchanged and whose file is gone is restored.
        """
        async with self._changing:
            await self._change_socket(_options(new))

    async def _change_socket(self, options: SocketOptions) -> None:
        before = self._options
        if before is None:
            return
        if self._activated:
            if options != before:
                _log.warning("reload.restart_required", key="socket")
            return
        if not self._open:
            self._options = options  # ``check`` creates it
            return
        try:
            if options.path == before.path:
                await self._socket.restore(options)
                if options != before:
                    await self._socket.change_rights(options)
                self._options = options
                return
            server = Server(self._api)
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
        self._http = Server(self._api)
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
