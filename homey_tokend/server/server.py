"""Serve the API on its sockets, and stop within a moment."""

import asyncio
import socket
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from homey_tokend.core.errors import CannotServe
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.server.acceptor import ACCEPTED_AT_ONCE, Acceptor
from homey_tokend.server.app import Api
from homey_tokend.server.connections import MAX_TCP_CONNECTIONS, Connection, Connections
from homey_tokend.server.hang_ups import HangUps
from homey_tokend.server.unix_socket import BACKLOG, SocketOptions, UnixSocket

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
        connections: The connections of the unix sockets; None: those of this server alone.
        tcp_connections: Those of the TCP port, likewise.
    """

    def __init__(
        self,
        api: Api,
        *,
        idle: timedelta = IDLE,
        grace: timedelta = GRACE,
        connections: Connections | None = None,
        tcp_connections: Connections | None = None,
    ) -> None:
        self._api = api
        self._idle_s = idle.total_seconds()
        self._grace_s = grace.total_seconds()
        self._connections = Connections() if connections is None else connections
        self._tcp_connections = (
            Connections(MAX_TCP_CONNECTIONS) if tcp_connections is None else tcp_connections
        )
        self._unix: UnixSocket | None = None
        self._unix_acceptor: Acceptor | None = None
        self._acceptors: list[Acceptor] = []
        self._runners: list[web.AppRunner] = []
        self._hang_ups: HangUps | None = None
        self._sweep: asyncio.TimerHandle | None = None
        self._unread: dict[Connection, tuple[int, int]] = {}

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
        hang_ups, self._hang_ups = self._hang_ups, None
        if hang_ups is not None:
            hang_ups.close()
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
        await self._serve(socks, self._api.app(), self._connections)
        if options is not None:
            self._unix_acceptor = self._acceptors[-1]
            _log.info("socket.opened", path=str(options.path), mode=f"{options.mode:04o}")

    async def _start_http(self, host: str, port: int) -> None:
        # In a thread, since a name may be resolved.
        socks = await run_in_thread(open_tcp_sockets, host, port)
        connections = self._tcp_connections
        await self._serve(socks, self._api.http_app(), connections, at_once=_TCP_ACCEPTED_AT_ONCE)
        _log.info("http.opened", host=host, port=self.http_port)

    async def _serve(
        self,
        socks: Sequence[socket.socket],
        app: web.Application,
        connections: Connections,
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
        self._hang_ups = self._hang_ups or HangUps()
        manager = runner.server
        if manager is None:  # pragma: no cover  -- setup() has made it
            raise RuntimeError("the runner has no server")
        make = partial(
            Connection,
            manager,
            connections,
            self._hang_ups,
            access_log=None,
            auto_decompress=False,  # a proxied body stays as it came, as its Content-Encoding does
            keepalive_timeout=self._idle_s,
            lingering_time=min(10.0, self._idle_s),
            logger=_ServerLog(),
        )
        for sock in socks:
            self._acceptors.append(Acceptor(sock, make, connections, at_once=at_once))
            self._acceptors[-1].start()

    def _arm_sweep(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._close_stuck)

    def _close_stuck(self) -> None:
        """Close each connection that has read no byte of its answer since the last sweep.

        aiohttp's own time-out closes one that sends nothing, but not one that reads nothing.
        """
        unread: dict[Connection, tuple[int, int]] = {}
        for connection in self._open_connections():
            transport = connection.transport
            size = 0 if transport is None else transport.get_write_buffer_size()
            # A buffer that is refilled as soon as it is read has the same size each time.
            state = size, connection.drained
            if transport is not None and size and self._unread.get(connection) == state:
                _log.info("client.disconnected", unread=size)
                transport.abort()
            elif size:
                unread[connection] = state
        self._unread = unread
        self._arm_sweep()

    def _open_connections(self) -> list[Connection]:
        found = [
            one for runner in self._runners if runner.server for one in runner.server.connections
        ]
        return [one for one in found if isinstance(one, Connection)]


class _ServerLog:
    """The logger of aiohttp's server, without the bytes that clients sent."""

    def debug(self, *_args: object, **_kw: object) -> None:
        """Drop it: clients come and go."""

    def warning(self, message: str, *_args: object, **_kw: object) -> None:
        """Log a misuse of aiohttp."""
        _log.warning("server.warned", message=message)

    def exception(
        self, _message: str, *_args: object, exc_info: BaseException | None = None
    ) -> None:
        """Log an error by its type alone: its text quotes what the client sent."""
        malformed = isinstance(exc_info, HttpProcessingError)
        event = "request.malformed" if malformed else "server.failed"
        _log.info(event, error=type(exc_info).__name__)


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
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_DEFER_ACCEPT, int(IDLE.total_seconds()))
            sock.bind((address[0], port, *address[2:]))
            sock.listen(BACKLOG)
            port = port or sock.getsockname()[1]
            made.append(sock)
        undo.pop_all()
    return made
