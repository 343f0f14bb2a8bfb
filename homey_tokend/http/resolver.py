"""Look up names on daemon threads.

aiohttp's own resolver uses the event loop's default thread pool: eight look-ups that hang fill
it, all other work waits for them, and so does ``asyncio.run`` when the daemon ends. Here each
look-up has a daemon thread of its own, and their number is bounded.
"""

import asyncio
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

#: The most look-ups at once. aiohttp has one for each host: two of the cloud, the proxy, and
#: some Homeys.
MAX_LOOK_UPS = 16

_NUMERIC = socket.AI_NUMERICHOST | socket.AI_NUMERICSERV


class DaemonThreadResolver(AbstractResolver):
    """Run each ``getaddrinfo`` on a daemon thread of its own.

    Args:
        look_up: The blocking function, for tests.
    """

    def __init__(self, look_up: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._look_up = look_up
        self._free = threading.Semaphore(MAX_LOOK_UPS)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return all addresses of a host, in the system's order.

        Raises:
            OSError: The name has none, or cannot be looked up now (``gaierror``, EAI_AGAIN).
        """
        if not self._free.acquire(blocking=False):
            raise socket.gaierror(socket.EAI_AGAIN, "too many look-ups hang")
        answer: Future[list[Any]] = Future()
        answer.set_running_or_notify_cancel()  # the thread sets it even if nobody awaits it any more

        def look_up() -> None:
            try:
                infos = self._look_up(
                    host, port, type=socket.SOCK_STREAM, family=family, flags=socket.AI_ADDRCONFIG
                )
            except Exception as error:  # noqa: BLE001  raised to the caller
                self._free.release()
                answer.set_exception(error)
            else:
                self._free.release()
                answer.set_result(infos)

        try:
            threading.Thread(target=look_up, name="look-up", daemon=True).start()
        except RuntimeError:  # no thread can be started now (TasksMax=, ulimit -u)
            self._free.release()
            raise socket.gaierror(socket.EAI_AGAIN, "no thread can be started") from None
        return [_result(host, info) for info in await asyncio.wrap_future(answer)]

    async def close(self) -> None:
        """Do nothing: a hanging look-up ends by itself, or with the process."""


def _result(host: str, info: tuple[Any, ...]) -> ResolveResult:
    family, _, protocol, _, address = info
    name, port = address[0], address[1]
    if family == socket.AF_INET6 and address[3]:
        # A link-local address requires its interface.
        name = f"{name}%{address[3]}" if "%" not in name else name
    return ResolveResult(
        hostname=host, host=name, port=port, family=family, proto=protocol, flags=_NUMERIC
    )
