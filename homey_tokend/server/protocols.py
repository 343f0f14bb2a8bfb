"""The protocol of each new client: who it is, and whether it is served."""

import asyncio
import socket
from datetime import timedelta
from weakref import WeakSet

import structlog
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from homey_tokend.server.connection import Connection
from homey_tokend.server.connections import (
    MAX_REJECTED,
    MAX_TCP_CONNECTIONS,
    Connections,
    Share,
)
from homey_tokend.server.hang_ups import HangUps
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.peers import Peer, read_peer
from homey_tokend.server.refusal import Refusal

_log = structlog.get_logger()


class ProtocolFactory:
    """Make the protocols of one server; made while the loop runs.

    Each method returns None if the client is to be disconnected at once: then so much of what
    its user was sent is not read yet that it is sent no more.

    Args:
        monitoring: Access control, and where connections are registered.
        idle: How long a connection may be idle.
    """

    def __init__(self, monitoring: Monitoring, idle: timedelta) -> None:
        self._access = monitoring.access
        self._connections = monitoring.connections
        self._tcp_connections = monitoring.tcp_connections
        self._idle_s = idle.total_seconds()
        self._hang_ups = HangUps()
        self._refusals: WeakSet[Refusal] = WeakSet()

    def unix_protocol(self, server: web.Server, client: socket.socket) -> asyncio.Protocol | None:
        """Return the protocol of a client of a unix socket."""
        peer = read_peer(client)
        if peer is None or self._access.is_rejected(peer):
            return self._refusal(peer)
        share = self._connections.share_of(str(peer.uid))
        return self._connection(server, self._connections, share, peer)

    def tcp_protocol(self, server: web.Server, _client: socket.socket) -> asyncio.Protocol | None:
        """Return the protocol of a client of the TCP port."""
        share = self._tcp_connections.share_of("tcp", MAX_TCP_CONNECTIONS)
        return self._connection(server, self._tcp_connections, share, None)

    def close(self) -> None:
        """Close what aiohttp does not know."""
        for refusal in self._refusals:
            refusal.wire.abort()
        self._hang_ups.close()

    def _refusal(self, peer: Peer | None) -> Refusal | None:
        share = self._connections.share_of("rejected", MAX_REJECTED)
        if share is None:
            return None
        made = Refusal(self._access, self._connections, share, peer, self._idle_s)
        self._refusals.add(made)
        return made

    def _connection(
        self, server: web.Server, connections: Connections, share: Share | None, peer: Peer | None
    ) -> Connection | None:
        if share is None:
            return None
        return Connection(
            server,
            connections,
            share,
            peer,
            self._hang_ups,
            access_log=None,
            auto_decompress=False,  # a proxied body stays as it came, as its Content-Encoding does
            keepalive_timeout=self._idle_s,
            lingering_time=min(10.0, self._idle_s),
            logger=_ServerLog(),
        )


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
