"""Serve the API on its sockets, and stop within a moment."""

import asyncio
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web

from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.acceptor import ACCEPTED_AT_ONCE, Acceptor
from homey_tokend.server.app import Api
from homey_tokend.server.connections import Connections
from homey_tokend.server.protocols import ProtocolFactory
from homey_tokend.server.tcp_sockets import open_tcp_sockets
from homey_tokend.server.unix_socket import SocketOptions, UnixSocket

#: How long a connection may be idle, or stuck within a request or response, before it is closed.
IDLE = timedelta(seconds=30)
#: How long a request in progress may continue at the end.
GRACE = timedelta(seconds=1)
#: Seconds at the end in which clients that were just accepted can still send a request. If systemd
#: holds the socket, the next daemon accepts all later ones.
_ACCEPTED_GRACE_S = 0.05
#: TCP clients that are accepted in one turn of the loop. Since a connection is closed after one
#: response, so many are also served in a turn: a reader of the token does not wait for more.
_TCP_ACCEPTED_AT_ONCE = 2

_log = structlog.get_logger()


class Server:
    """The API's sockets.

    Args:
        api: What is served.
        idle: How long a connection may be idle or stuck before it is closed.
        grace: How long a request in progress may continue at the end.
    """

    def __init__(
        self,
        api: Api,
        *,
        idle: timedelta = IDLE,
        grace: timedelta = GRACE,
    ) -> None:
        self._api = api
        self._idle = idle
        self._grace_s = grace.total_seconds()
        self._connections: list[Connections] = []
        self._protocols: ProtocolFactory | None = None
        self._unix: UnixSocket | None = None
        self._unix_acceptor: Acceptor | None = None
        self._acceptors: list[Acceptor] = []
        self._runners: list[web.AppRunner] = []
        self._sweep: asyncio.TimerHandle | None = None

    async def start(
        self,
        options: SocketOptions | None = None,
        *,
        prepared: Sequence[socket.socket] = (),
        http: tuple[str, int] | None = None,
    ) -> None:
        """Listen on a unix socket made by ``options``, on prepared sockets, and on TCP.

        Args:
            options: The unix socket to make, or None.
            prepared: Sockets that listen already; their files belong to systemd.
            http: Host and port of the routes without a token, or None.

        Raises:
            AlreadyRunning: Another daemon is running.
            CannotServe: A socket cannot be made.
        """
        try:
            await self._start_unix(options, prepared)
            if http is not None:
                await self._start_http(*http)
        except BaseException:
            await self.stop()
            raise
        self._arm_sweep()

    async def change_rights(self, options: SocketOptions) -> None:
        """Give the unix socket another mode and group.

        Raises:
            CannotServe: The rights cannot be changed.
        """
        unix = self._unix
        if unix is not None:
            await run_in_thread(unix.change_rights, options)
            _log.info("socket.changed", mode=f"{options.mode:04o}", group=options.group)

    async def restore(self, options: SocketOptions) -> None:
        """Make the unix socket again where its file is gone; connections stay open.

        Raises:
            AlreadyRunning: Another daemon has taken its path.
            CannotServe: The socket cannot be made.
        """
        unix, acceptor = self._unix, self._unix_acceptor
        if unix is None or acceptor is None:
            return
        sock = await run_in_thread(unix.restore, options)
        if sock is not None:
            acceptor.replace_socket(sock)
            _log.warning("socket.restored", path=str(options.path), mode=f"{options.mode:04o}")

    async def stop(self) -> None:
        """Accept no more clients, let requests in progress end within the grace, close all."""
        if self._sweep is not None:
            self._sweep.cancel()
        unix, self._unix = self._unix, None
        if unix is not None:
            await run_in_thread(unix.withdraw)
        acceptors, self._acceptors = self._acceptors, []
        for acceptor in acceptors:
            acceptor.stop()
        runners, self._runners = self._runners, []
        if acceptors:
            await asyncio.sleep(_ACCEPTED_GRACE_S)  # noqa: TID251  by the loop's own clock
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        protocols, self._protocols = self._protocols, None
        if protocols is not None:
            protocols.close()
        for connections in self._connections:
            connections.close_unread()
        if unix is not None:
            await run_in_thread(unix.close)
            _log.info("socket.closed")

    @property
    def http_port(self) -> int | None:
        """The TCP port in use (a configured 0 takes a free one), or None."""
        addresses = [acceptor.address for acceptor in self._acceptors]
        return next((one[1] for one in addresses if isinstance(one, tuple)), None)

    async def _start_unix(
        self, options: SocketOptions | None, prepared: Sequence[socket.socket]
    ) -> None:
        socks = list(prepared)
        if options is not None:
            self._unix = await run_in_thread(UnixSocket.open, options)
            socks.append(self._unix.sock)
        connections, protocols = self._api.monitoring.connections, self._protocol_factory()
        await self._serve(socks, self._api.app(), connections, protocols.unix_protocol)
        if options is not None:
            self._unix_acceptor = self._acceptors[-1]
            _log.info("socket.opened", path=str(options.path), mode=f"{options.mode:04o}")

    async def _start_http(self, host: str, port: int) -> None:
        # In a thread, since a name may be resolved.
        socks = await run_in_thread(open_tcp_sockets, host, port)
        connections, protocols = self._api.monitoring.tcp_connections, self._protocol_factory()
        app, make = self._api.http_app(), protocols.tcp_protocol
        await self._serve(socks, app, connections, make, at_once=_TCP_ACCEPTED_AT_ONCE)
        _log.info("http.opened", host=host, port=self.http_port)

    async def _serve(
        self,
        socks: Sequence[socket.socket],
        app: web.Application,
        connections: Connections,
        make: Callable[[web.Server, socket.socket], asyncio.Protocol | None],
        *,
        at_once: int = ACCEPTED_AT_ONCE,
    ) -> None:
        """Serve an application on listening sockets."""
        runner = web.AppRunner(
            app,
            handler_cancellation=True,  # nothing waits, and no Homey works, for a client that left
            shutdown_timeout=self._grace_s / 2,  # aiohttp waits for it twice
        )
        self._runners.append(runner)
        await runner.setup()
        manager = runner.server
        if manager is None:  # pragma: no cover  -- setup() has made it
            raise RuntimeError("the runner has no server")
        self._connections.append(connections)
        for sock in socks:
            acceptor = Acceptor(sock, partial(make, manager), connections, at_once=at_once)
            self._acceptors.append(acceptor)
            acceptor.start()

    def _protocol_factory(self) -> ProtocolFactory:
        self._protocols = self._protocols or ProtocolFactory(self._api.monitoring, self._idle)
        return self._protocols

    def _arm_sweep(self) -> None:
        idle_s = self._idle.total_seconds()
        self._sweep = asyncio.get_running_loop().call_later(idle_s, self._close_stuck)

    def _close_stuck(self) -> None:
        for connections in self._connections:
            connections.sweep()
        self._arm_sweep()
