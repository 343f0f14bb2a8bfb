"""The connection of a peer that may neither read nor call: one 403, and no more.

Nothing that it sends is parsed or kept, so that it takes no memory to speak of.
"""

import asyncio
import re
from typing import cast

from homey_tokend.server.access import AccessControl
from homey_tokend.server.connections import Connections, Share
from homey_tokend.server.peers import Peer

_CALL = re.compile(rb"[!-~]+ /homeys/[^/\s]+/api/")


class Refusal(asyncio.Protocol):
    """Answer the first bytes with 403, and close.

    Args:
        access: Counts and logs the denial.
        connections: Where it is registered.
        share: The share of the rejected peers there.
        peer: Who connected; None if the kernel does not say.
        idle_s: Seconds after which a client that sends nothing is disconnected.
    """

    wire: asyncio.Transport
    drained = 0

    def __init__(
        self,
        access: AccessControl,
        connections: Connections,
        share: Share,
        peer: Peer | None,
        idle_s: float,
    ) -> None:
        self.share = share
        self._access = access
        self._connections = connections
        self._peer = peer
        self._idle_s = idle_s

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Register the connection."""
        self.wire = cast(asyncio.Transport, transport)
        self._connections.add(self)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._idle_s, self.wire.abort)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, unless the client has still something to read."""
        self._timer.cancel()
        self._connections.remove(self)
        self._connections.keep_unread(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answer the first bytes, without parsing them."""
        check = self._access.check_caller if _CALL.match(data) else self._access.check_reader
        problem = check(self._peer)
        if problem is not None:  # a reload may have admitted it: then it may try again
            self.wire.write(problem.last_response(with_body=not data.startswith(b"HEAD ")))
        self.wire.close()
