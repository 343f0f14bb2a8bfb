"""Which requests are retried: three tries, thirty seconds in all, and never one that uses something up."""

import pytest
import structlog
from aioresponses import aioresponses
from yarl import URL

from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Repeat, Request, Step
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import CANARY, Answer, Does, RawServer, answer, free_port
from tests.support.clock import FakeClock


@pytest.mark.parametrize("does", [Does.RESET, Does.CLOSE])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_safe_request_is_tried_three_times(
    transport: HttpTransport, clock: FakeClock, method: str, does: Answer
) -> None:
    """The third response counts; the waits double, with jitter."""
    clock.draws = [0.0, 1.0]
    async with RawServer(does, does, answer(200, b"late")) as server:
        response = await transport.send(Request(Step.SESSION, method, server.url))

    assert response.body == b"late"
    assert len(server.requests) == 3
    assert clock.slept == [0.5, 2.0]


async def test_there_is_no_fourth_try(transport: HttpTransport) -> None:
    """After three tries the last failure is raised."""
    async with RawServer(Does.CLOSE) as server:
        with pytest.raises(Unreachable):
            await transport.send(Request(Step.SESSION, "GET", server.url))

    assert len(server.requests) == 3


@pytest.mark.parametrize("does", [Does.RESET, Does.CLOSE, answer().replace(b": 0", b": 9")])
@pytest.mark.parametrize("method", ["GET", "PUT", "POST"])
async def test_a_request_that_uses_up_something_is_sent_once(
    transport: HttpTransport, method: str, does: Answer
) -> None:
    """Neither we nor aiohttp send a password or a code again once it may have arrived."""
    async with RawServer(does) as server:
        with pytest.raises(Unreachable):
            await transport.send(
                Request(Step.LOGIN, method, server.url, form=(("a", "b"),), repeat=Repeat.UNSENT)
            )

    assert len(server.requests) == 1


async def test_a_request_that_was_not_sent_is_tried_again(
    transport: HttpTransport, clock: FakeClock
) -> None:
    """After a refused connection there are three tries, even of a login."""
    request = Request(Step.LOGIN, "POST", f"http://127.0.0.1:{free_port()}", repeat=Repeat.UNSENT)
    with pytest.raises(Unreachable):
        await transport.send(request)

    assert len(clock.slept) == 2


async def test_tries_end_after_thirty_seconds(build: Build) -> None:
    """After the time is used up there is no retry, and no wait exceeds it."""

    class Slow(FakeClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            self.move(28.6)

    slow = Slow(instant=True)
    transport = build(clock=slow)
    async with RawServer(Does.CLOSE) as server:
        with pytest.raises(Unreachable):
            await transport.send(Request(Step.SESSION, "GET", server.url))

    assert len(server.requests) == 2
    assert slow.slept == [0.75]


@pytest.mark.parametrize(
    ("allowed", "totals"), [(20, [20, 14]), (5, [5, 5]), (120, [120, 104, 88])]
)
async def test_each_try_has_what_is_left_of_the_time(
    build: Build, clock: FakeClock, allowed: int, totals: list[int]
) -> None:
    """No try exceeds the thirty seconds, or the longer time-out, or its own time-out."""

    def break_late(*_: object, **__: object) -> None:
        clock.move(15)
        raise ConnectionResetError

    url = "http://127.0.0.1:1"
    with aioresponses() as web:
        web.get(url, callback=break_late, repeat=True)
        with pytest.raises(Unreachable):
            await build(timeout=allowed).send(Request(Step.SESSION, "GET", url))
        limits = [call.kwargs["timeout"] for call in web.requests["GET", URL(url)]]

    assert totals == [round(limit.total) for limit in limits]
    assert {min(10, allowed)} == {limit.sock_connect for limit in limits}


async def test_retries_are_logged_without_secrets(
    transport: HttpTransport, log_lines: list[structlog.types.EventDict]
) -> None:
    """The debug log has step, address and cause of each retry, and no URL."""
    async with RawServer(Does.CLOSE, answer()) as server:
        await transport.send(
            Request(Step.AUTHORISE, "GET", server.url, query=(("user_token", CANARY),))
        )
    repeated, answered = log_lines

    assert (repeated["event"], repeated["log_level"]) == ("request.retried", "debug")
    assert (repeated["step"], repeated["attempt"]) == ("authorise", 1)
    assert repeated["cause"] == "ServerDisconnectedError"
    assert (answered["event"], answered["status"]) == ("request.answered", 200)
    assert CANARY not in repr(log_lines)
