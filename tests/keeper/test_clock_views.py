"""As soon as a set clock is detected, readers get the new time."""

import asyncio
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness

#: Between two heartbeats.
BEAT = timedelta(seconds=30)


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 2 * DAY])
async def test_views_show_the_new_time_at_once(harness: Harness, by: timedelta) -> None:
    """This also applies to a keeper that waits for the disk: it neither withholds nor prolongs a token."""
    await harness.start()
    harness.clock.set_wall(by)
    beat = asyncio.create_task(harness.supervisor.on_heartbeat())
    await asyncio.sleep(0)
    token, now = harness.token(), harness.supervisor.now()
    await beat

    assert 24 * HOUR == token.left(now)


async def answers(socket: Path) -> tuple[int, int, str]:
    """Return the statuses of ``/token`` and ``/readyz``, and the health that ``/status`` shows."""
    connector = aiohttp.UnixConnector(path=str(socket))
    async with (
        aiohttp.ClientSession("http://localhost", connector=connector) as http,
        http.get("/token") as token,
        http.get("/readyz") as ready,
        http.get("/status") as status,
    ):
        health: str = (await status.json())["health"]
        return token.status, ready.status, health


@pytest.mark.parametrize("by", [-HOUR, HOUR, -25 * HOUR, 25 * HOUR])
@pytest.mark.parametrize("before", [12 * HOUR - MINUTE, MINUTE], ids=["early", "late"])
async def test_a_set_clock_withholds_no_token(
    harness: Harness, by: timedelta, before: timedelta
) -> None:
    """Before and after the heartbeat there is a token, and the status is ready and ok."""
    await harness.start()
    server, socket = Server(Api(harness.supervisor, version="1")), harness.folder / "api.sock"
    await server.start(SocketOptions(socket))
    renewal = harness.view().renew_at
    assert renewal is not None
    left = renewal - harness.now - before
    await harness.wait(left)

    harness.clock.set_wall(by)
    assert await answers(socket) == (200, 200, "ok")
    await harness.heartbeat()
    assert await answers(socket) == (200, 200, "ok")
    assert harness.token().generation == 1

    await harness.wait(before - BEAT)
    assert harness.token().generation == 1
    await harness.wait(2 * BEAT)
    assert harness.token().generation == 2
    assert await answers(socket) == (200, 200, "ok")
    await server.stop()
