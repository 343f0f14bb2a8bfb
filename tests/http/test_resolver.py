"""Look-ups on their own threads."""

import asyncio
import socket
import threading
from typing import Any

import pytest

from homey_tokend.http.resolver import MAX_LOOK_UPS, DaemonThreadResolver
from tests.support.clock import settle


async def test_loopback_is_found() -> None:
    """The system's look-up returns an address."""
    results = await DaemonThreadResolver().resolve("localhost", 80)

    assert {"127.0.0.1", "::1"} >= {result["host"] for result in results}
    assert {80} == {result["port"] for result in results}


async def test_a_link_local_address_keeps_its_interface() -> None:
    """A link-local address has its interface."""

    def look_up(*_: object, **__: object) -> list[Any]:
        v6 = (socket.AF_INET6, socket.SOCK_STREAM, 6, "")
        return [
            (*v6, ("fe80::1", 80, 0, 2)),
            (*v6, ("fe80::1%lo", 80, 0, 1)),
            (*v6, ("2001:db8::1", 80, 0, 0)),
        ]

    results = await DaemonThreadResolver(look_up).resolve("homey.local", 80)

    assert [result["host"] for result in results] == ["fe80::1%2", "fe80::1%lo", "2001:db8::1"]


@pytest.mark.parametrize("error", [socket.gaierror(socket.EAI_NONAME, "x"), UnicodeError("x")])
async def test_errors_of_a_look_up_are_raised(error: Exception) -> None:
    """An error of the look-up is raised to the caller."""

    def look_up(*_: object, **__: object) -> list[Any]:
        raise error

    with pytest.raises(type(error)):
        await DaemonThreadResolver(look_up).resolve("nowhere.example")


async def test_hanging_look_ups_delay_nothing() -> None:
    """Sixteen may hang, and the next one fails; the default pool stays free."""
    free = threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        free.wait(10)
        return []

    resolver = DaemonThreadResolver(hang)
    tasks = [asyncio.create_task(resolver.resolve("slow.example")) for _ in range(MAX_LOOK_UPS)]
    await settle()
    with pytest.raises(socket.gaierror) as caught:
        await resolver.resolve("one.more.example")
    async with asyncio.timeout(40):
        await asyncio.to_thread(lambda: None)
    tasks[0].cancel()
    await settle()
    free.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)

    assert caught.value.errno == socket.EAI_AGAIN
    assert results[1:] == [[]] * (MAX_LOOK_UPS - 1)
    assert await resolver.resolve("again.example") == []
    await resolver.close()


def test_a_look_up_that_outlives_the_loop_is_harmless() -> None:
    """The daemon can stop while a look-up hangs."""
    free, done = threading.Event(), threading.Event()

    def hang(*_: object, **__: object) -> list[Any]:
        free.wait(10)
        done.set()
        return []

    async def ask() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await DaemonThreadResolver(hang).resolve("slow.example")

    asyncio.run(ask())
    threads = [thread for thread in threading.enumerate() if thread.name == "look-up"]
    free.set()
    for thread in threads:
        thread.join(1)

    assert done.is_set()


async def test_without_a_thread_the_look_up_fails_temporarily(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If no thread can be started, the look-up fails, and its slot is free again."""

    def none_left(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    def look_up(*_: object, **__: object) -> list[Any]:
        return []

    resolver = DaemonThreadResolver(look_up)
    with monkeypatch.context() as exhausted:
        exhausted.setattr(threading.Thread, "start", none_left)
        for _ in range(MAX_LOOK_UPS + 1):
            with pytest.raises(socket.gaierror) as caught:
                await resolver.resolve("cloud.example")
            assert caught.value.errno == socket.EAI_AGAIN

    assert await resolver.resolve("cloud.example") == []
