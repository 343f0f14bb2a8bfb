"""Calls through the door are counted by how they ended."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.desk import view
from tests.support.door import Door, Heard, Hub, opened, with_length


@pytest.fixture
async def door(socket_path: Path) -> AsyncIterator[Door]:
    async with opened(socket_path) as made:
        yield made


async def samples(door: Door, name: str) -> dict[tuple[str, ...], float]:
    """The samples of one metric, by their labels."""
    metrics = await door.monitoring.load_metrics()
    return {
        tuple(sample.labels.values()): sample.value
        for family in metrics.collect(())
        for sample in family.samples
        if sample.name == f"homey_tokend_{name}"
    }


@pytest.mark.parametrize("status", [200, 404, 500])
async def test_answers(door: Door, status: int) -> None:
    """What the Homey answered is counted by its class of status, with the time it took."""
    door.hub.answers = [with_length(b"x", status=f"{status} X")]
    await door.ask()
    await door.ask()

    assert {("home", f"{status // 100}xx"): 2} == await samples(door, "calls_total")
    assert {("home",): 2} == await samples(door, "call_duration_seconds_count")


async def test_problems(door: Door) -> None:
    """What was not passed on is counted by the problem's name; names of nobody are not."""
    await door.ask("/homeys/home/api/../x")
    await door.ask(fields="Connection: Upgrade\r\nUpgrade: websocket\r\n")
    await door.ask("/homeys/nope/api/x")
    door.hub.answers = [b"!"]
    await door.ask()
    door.desk.views["home"] = view("home")
    await door.ask()
    names = ("bad-path", "no-upgrade", "unreachable", "no-valid-token")

    assert dict.fromkeys((("home", name) for name in names), 1) == await samples(
        door, "calls_total"
    )


async def test_an_answer_that_breaks_off(door: Door) -> None:
    """An answer that was cut is not counted as one that came."""
    door.hub.answers, door.hub.hangs_up = [with_length(b"abcde")[:-2]], True
    await door.ask()

    assert {("home", "aborted"): 1} == await samples(door, "calls_total")


async def test_a_caller_that_leaves(door: Door) -> None:
    """A caller that leaves is counted as broken off, too."""
    said = asyncio.Event()

    async def turn(
        _hub: Hub, _heard: Heard, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter
    ) -> None:
        said.set()
        if not await reader.read(1):
            raise ConnectionResetError

    door.hub.turn = turn
    _, writer = await door.send(b"GET /homeys/home/api/x HTTP/1.1\r\nHost: h\r\n\r\n")
    await said.wait()
    writer.close()
    await asyncio.wait_for(door.hub.left.wait(), 10)

    assert {("home", "aborted"): 1} == await samples(door, "calls_total")
