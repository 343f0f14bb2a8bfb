"""Simulated clouds in this process, on their own event loop and thread."""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar

from homey_tokend.simulator import Settings, Simulator

T = TypeVar("T")

#: How long to wait for what must happen. Generous: the machine may be busy.
TIMEOUT_S = 90.0


class Clouds:
    """Start simulators, and stop them together."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="clouds")
        self._started: list[Simulator] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop_all()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def start(self, **settings: Any) -> Simulator:
        """Start a simulator."""
        cloud = Simulator(Settings(**settings))
        self._run(cloud.start())
        self._started.append(cloud)
        return cloud

    def stop(self, cloud: Simulator) -> None:
        """Stop a cloud; its port rejects connections."""
        self._run(cloud.stop())

    def stop_all(self) -> None:
        """Stop all that still run, in parallel."""
        started, self._started = self._started, []

        async def stop() -> None:
            await asyncio.gather(*(cloud.stop() for cloud in started))

        self._run(stop())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(TIMEOUT_S)


def until(true: Callable[[], Any], what: str = "", timeout_s: float = TIMEOUT_S) -> Any:
    """Wait until the result is true, and return it."""
    end = time.monotonic() + timeout_s
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"not within {timeout_s:g} s: {what or true}")
        time.sleep(0.01)
    return found


def met(cloud: Simulator, step: str, kind: str) -> bool:
    """Return whether a fault applied to a request of this step."""
    return any(kind in entry.faults for entry in cloud.seen(step))


def sign_ins(cloud: Simulator) -> int:
    """Return how many passwords were received."""
    return len(cloud.seen("login"))


def canaries(cloud: Simulator) -> set[str]:
    """Return every secret that the cloud knows, issued or received."""
    state = cloud.state
    found = {state.password, cloud.settings.email, cloud.settings.client_secret}
    found |= {cloud.settings.totp_secret} if cloud.settings.totp_secret else set()
    for store in (
        state.user_tokens,
        state.codes,
        state.access_tokens,
        state.refresh_tokens,
        state.delegation_tokens,
    ):
        found |= set(store)
    for homey in state.homeys.values():
        found |= {session.bearer for session in homey.sessions.values()}
    for entry in cloud.requests:
        found |= set(_sent(entry.headers, entry.fields, entry.query))
    return {each for each in found if each}


def _sent(*groups: Any) -> Iterator[str]:
    """Yield the secrets of one request, including those that were used up."""
    headers, fields, query = groups
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme:
        yield bearer
    for group in (fields, query):
        for name in ("code", "refresh_token", "user_token", "token", "_csrf", "otptoken"):
            with contextlib.suppress(KeyError):
                yield str(group[name])
    yield from re.findall(r"=([^;]{8,})", headers.get("cookie", ""))
