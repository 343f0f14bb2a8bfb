"""Runs the API on its sockets, and ends within a moment."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import timedelta
from functools import partial

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler

from homey_tokend.runtime.aside import run_in_thread
from homey_tokend.server.acceptor import Acceptor
from homey_tokend.server.app import Api
from homey_tokend.server.connections import Connection, Connections
from homey_tokend.server.tcp import open_tcp_sockets
from homey_tokend.server.unix_socket import SocketOptions, UnixSocket

#: After how long is a connection closed that is idle, or stuck amid a request or an answer?
IDLE = timedelta(seconds=30)
#: How long may a request in flight go on at the end?
GRACE = timedelta(seconds=1)
#: How long is listened, at the end, to who was let in a moment ago and has not been heard yet?
#: Of a socket that systemd holds, the next daemon takes all others: so none is lost.
_LET_IN_S = 0.05

_log = structlog.get_logger()


class Server:
    """The API's sockets.

    Args:
        api: What is served.
        idle: After how long a connection is closed that is idle or stuck.
        grace: How long a request in flight may go on at the end.
        crowd: All connections of the daemon; None: those of this server alone.
    """

    def __init__(
        self,
        api: Api,
        *,
        idle: timedelta = IDLE,
        grace: timedelta = GRACE,
        crowd: Connections | None = None,
    ) -> None:
        self._api = api
        self._idle_s = idle.total_seconds()
        self._grace_s = grace.total_seconds()
        self._crowd = Connections() if crowd is None else crowd
        self._listener: UnixSocket | None = None
        self._entrance: Acceptor | None = None
        self._acceptors: list[Acceptor] = []
        self._runners: list[web.AppRunner] = []
        self._sweep: asyncio.TimerHandle | None = None
        self._unread: dict[RequestHandler, tuple[int, int]] = {}

    async def start(
        self,
        place: SocketOptions | None = None,
        *,
        prepared: Sequence[socket.socket] = (),
        http: tuple[str, int] | None = None,
    ) -> None:
        """Listen: on a socket made at ``place``, on prepared ones, and on TCP.

        Args:
            place: Where to make the unix socket, or None.
            prepared: Sockets that listen already; their files are somebody else's.
            http: Host and port of the routes without a token, or None.

        Raises:
            AlreadyRunning: Another daemon is running.
            CannotServe: A socket cannot be made.
        """
        try:
            await self._start_socket(place, prepared)
            if http is not None:
                await self._start_http(*http)
        except BaseException:
            await self.stop()
            raise
        self._arm_sweep()

    async def change_rights(self, place: SocketOptions) -> None:
        """Give the unix socket another mode and group.

        Raises:
            CannotServe: the rights cannot be changed.
        """
        listener = self._listener
        if listener is not None:
            await run_in_thread(lambda: listener.change_rights(place))
            _log.info("socket.changed", mode=f"{place.mode:04o}", group=place.group)

    async def put_back(self, place: SocketOptions) -> None:
        """Make the unix socket anew where its file is gone; no connection ends by it.

        Raises:
            AlreadyRunning: Another daemon has taken its place.
            CannotServe: The socket cannot be made.
        """
        listener, entrance = self._listener, self._entrance
        if listener is None or entrance is None:
            return
        sock = await run_in_thread(lambda: listener.put_back(place))
        if sock is not None:
            entrance.change(sock)
            _log.warning("socket.restored", path=str(place.path), mode=f"{place.mode:04o}")

    async def stop(self) -> None:
        """Refuse new clients, give requests in flight their grace, close all."""
        if self._sweep is not None:
            self._sweep.cancel()
        listener, self._listener = self._listener, None
        if listener is not None:
            await run_in_thread(listener.withdraw)
        acceptors, self._acceptors = self._acceptors, []
        for acceptor in acceptors:
            acceptor.stop()
        runners, self._runners = self._runners, []
        if acceptors:
            await _passed(_LET_IN_S)
        await asyncio.gather(*(runner.cleanup() for runner in runners))
        if listener is not None:
            await run_in_thread(listener.close)
            _log.info("socket.closed")

    async def _start_socket(
        self, place: SocketOptions | None, prepared: Sequence[socket.socket]
    ) -> None:
        socks = list(prepared)
        if place is not None:
            self._listener = await run_in_thread(lambda: UnixSocket.open(place))
            socks.append(self._listener.sock)
        await self._accept(socks, self._api.app())
        if place is not None:
            self._entrance = self._acceptors[-1]
            _log.info("socket.opened", path=str(place.path), mode=f"{place.mode:04o}")

    async def _start_http(self, host: str, port: int) -> None:
        await self._accept(
            await run_in_thread(partial(open_tcp_sockets, host, port)), self._api.http_app()
        )
        _log.info("http.opened", host=host, port=self.http_port)

    @property
    def http_port(self) -> int | None:
        """The TCP port in use (a configured 0 takes a free one), or None."""
        addresses = [acceptor.address for acceptor in self._acceptors]
        return next((one[1] for one in addresses if isinstance(one, tuple)), None)

    async def _accept(self, socks: Sequence[socket.socket], app: web.Application) -> None:
        """Serve an application on sockets that listen."""
        runner = web.AppRunner(
            app,
            handler_cancellation=True,  # who left waits for nothing, and no Homey works for it
            shutdown_timeout=self._grace_s / 2,  # aiohttp waits for it twice
        )
        self._runners.append(runner)
        await runner.setup()
        manager = runner.server
        if manager is None:  # pragma: no cover  -- setup() has made it
            raise RuntimeError("the runner has no server")
        make = partial(
            Connection,
            manager,
            self._crowd,
            access_log=None,
            auto_decompress=False,  # a call's body goes on as it came, its Content-Encoding with it
            keepalive_timeout=self._idle_s,
            lingering_time=min(10.0, self._idle_s),
            logger=_ServerLog(),
        )
        for sock in socks:
            self._acceptors.append(Acceptor(sock, make, self._crowd))
            self._acceptors[-1].start()

    def _arm_sweep(self) -> None:
        self._sweep = asyncio.get_running_loop().call_later(self._idle_s, self._close_stuck)

    def _close_stuck(self) -> None:
        """Close whoever has not read a byte of its answer since the last sweep.

        aiohttp's own time-out closes who sends nothing; who takes nothing it would keep for ever.
        """
        unread: dict[RequestHandler, tuple[int, int]] = {}
        for runner in self._runners:
            for connection in runner.server.connections if runner.server else ():
                waiting = _waiting(connection)
                # What is filled again as soon as it was taken has the same length each time.
                found = waiting, connection.drained if isinstance(connection, Connection) else 0
                if waiting and self._unread.get(connection) == found:
                    _log.info("client.disconnected", unread=waiting)
                    connection.transport.abort()  # type: ignore[union-attr]  # it has bytes waiting
                elif waiting:
                    unread[connection] = found
        self._unread = unread
        self._arm_sweep()


def _waiting(connection: RequestHandler) -> int:
    transport = connection.transport
    return 0 if transport is None else transport.get_write_buffer_size()


async def _passed(seconds: float) -> None:
    """Wait by the loop's own clock."""
    loop = asyncio.get_running_loop()
    over: asyncio.Future[None] = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


class _ServerLog:
    """What aiohttp's server has to say, without the bytes that clients sent."""

    def debug(self, *_args: object, **_kw: object) -> None:
        """Clients come and go: not worth a line."""

    def warning(self, message: str, *_args: object, **_kw: object) -> None:
        """Tell of a misuse of aiohttp."""
        _log.warning("server.warned", message=message)

    def exception(
        self, _message: str, *_args: object, exc_info: BaseException | None = None
    ) -> None:
        """Tell of garbage by its kind alone: its text quotes what the client sent."""
        garbled = isinstance(exc_info, HttpProcessingError)
        event = "request.malformed" if garbled else "server.failed"
        _log.info(event, error=type(exc_info).__name__)
