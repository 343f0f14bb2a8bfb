"""Notice clients that hang up while nothing is read from them.

asyncio learns of a hang-up by reading, and aiohttp stops reading while a body or further requests
are not taken. epoll reports EPOLLHUP without reading.
"""

import asyncio
import select

#: Seconds before a client that disconnected is checked again, if it is still being read.
_AGAIN_S = 1.0


class HangUps:
    """Close the connections whose clients have hung up; made while the loop runs."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self._transports: dict[int, asyncio.Transport] = {}
        self._loop.add_reader(self._epoll, self._collect)

    def watch(self, transport: asyncio.Transport) -> int:
        """Watch a connection; ``forget`` takes the returned number while its socket is open."""
        number: int = transport.get_extra_info("socket").fileno()
        self._transports[number] = transport
        self._epoll.register(number, select.EPOLLET)  # EPOLLHUP is always reported
        return number

    def forget(self, number: int) -> None:
        """Watch a connection no longer."""
        if self._transports.pop(number, None) is not None:
            self._epoll.unregister(number)

    def close(self) -> None:
        """Watch nothing any more."""
        self._transports.clear()
        self._loop.remove_reader(self._epoll)
        self._epoll.close()

    def _collect(self) -> None:
        for number, _ in self._epoll.poll(0):
            transport = self._transports.get(number)
            if transport is not None:
                self._check(transport)

    def _check(self, transport: asyncio.Transport) -> None:
        """Close it, unless asyncio finds the hang-up by reading what was sent before it."""
        if transport.is_reading():
            self._loop.call_later(_AGAIN_S, self._check, transport)
        else:
            transport.abort()
