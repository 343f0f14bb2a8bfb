"""Calls through the proxy are counted by their outcome."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.api_proxy import Hub, ProxySetup, ReceivedRequest, running_proxy, with_length
from tests.support.provider import view


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    async with running_proxy(socket_path) as made:
        yield made


def counted(proxy: ProxySetup) -> dict[tuple[str, ...], int]:
    return dict(proxy.monitoring.metrics.counts["calls"])


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_answers(proxy: ProxySetup, status: int) -> None:
    """A response of the Homey is counted by its class of status, with its duration."""
    proxy.hub.answers = [with_length(b"x", status=f"{status} X")]
    await proxy.ask()
    await proxy.ask()

    assert {("home", f"{status // 100}xx"): 2} == counted(proxy)


async def test_problems(proxy: ProxySetup) -> None:
    """A call that was not forwarded is counted by the problem's name, and not for unknown Homeys."""
    await proxy.ask("/homeys/home/api/../x")
    await proxy.ask(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n")
    await proxy.ask("/homeys/nope/api/x")
    proxy.hub.answers = [b"!"]
    await proxy.ask()
    proxy.provider.views["home"] = view("home")
    await proxy.ask()
    names = ("bad-path", "no-upgrade", "unreachable", "no-valid-token")

    assert dict.fromkeys((("home", name) for name in names), 1) == counted(proxy)


async def test_an_aborted_response(proxy: ProxySetup) -> None:
    """A response that was cut off does not count as complete."""
    proxy.hub.answers, proxy.hub.hangs_up = [with_length(b"abcde")[:-2]], True
    await proxy.ask()

    assert {("home", "aborted"): 1} == counted(proxy)


async def test_a_caller_that_disconnects(proxy: ProxySetup) -> None:
    """A caller that disconnects counts as aborted, too."""
    said = asyncio.Event()

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        reader: asyncio.StreamReader,
        _writer: asyncio.StreamWriter,
    ) -> None:
        said.set()
        if not await reader.read(1):
            raise ConnectionResetError

    proxy.hub.turn = turn
    _, writer = await proxy.send(b"GET /homeys/home/api/x HTTP/1.1\r\nHost: h\r\n\r\n")
    await said.wait()
    writer.close()
    await asyncio.wait_for(proxy.hub.left.wait(), 10)

    assert {("home", "aborted"): 1} == counted(proxy)
