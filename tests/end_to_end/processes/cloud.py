"""Pretend clouds in this process, on a loop and thread of their own."""

import asyncio
import contextlib
import re
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, Self, TypeVar

from homey_tokend.simulator import Settings, Simulator

T = TypeVar("T")

#: How long is waited for what must come? Generous: the machine may be busy with other things.
PATIENCE_S = 90.0


class Clouds:
    """Starts simulators; all of them stop together."""

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
        """A simulator that listens."""
        cloud = Simulator(Settings(**settings))
        self._run(cloud.start())
        self._started.append(cloud)
        return cloud

    def stop(self, cloud: Simulator) -> None:
        """The cloud is gone; its port refuses connections."""
        self._run(cloud.stop())

    def stop_all(self) -> None:
        """Stop whatever still runs, side by side."""
        started, self._started = self._started, []

        async def stop() -> None:
            await asyncio.gather(*(cloud.stop() for cloud in started))

        self._run(stop())

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(PATIENCE_S)


def until(true: Callable[[], Any], what: str = "", patience_s: float = PATIENCE_S) -> Any:
    """Wait until something is so, and give what it is."""
    end = time.monotonic() + patience_s
    while not (found := true()):
        if time.monotonic() > end:
            raise AssertionError(f"not so within {patience_s:g} s: {what or true}")
        time.sleep(0.01)
    return found


def met(cloud: Simulator, step: str, kind: str) -> bool:
    """Whether a request of this step met this fault."""
    return any(kind in entry.faults for entry in cloud.seen(step))


def sign_ins(cloud: Simulator) -> int:
    """How many passwords came in."""
    return len(cloud.seen("login"))


def canaries(cloud: Simulator) -> set[str]:
    """Every secret that the cloud knows, gave out or was sent."""
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
    """The secrets of one request, the ones that were used up and forgotten among them."""
    headers, fields, query = groups
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    if scheme:
        yield bearer
    for group in (fields, query):
        for name in ("code", "refresh_token", "user_token", "token", "_csrf", "otptoken"):
            with contextlib.suppress(KeyError):
                yield str(group[name])
    yield from re.findall(r"=([^;]{8,})", headers.get("cookie", ""))
