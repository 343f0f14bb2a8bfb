"""Second tries of the API proxy: a rejected token, and a Homey that asks to wait."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homey_tokend.proxy.body import MAX_BUFFERED
from homey_tokend.proxy.retry import DEFAULT_DELAY, retry_after_delay
from tests.support.desk import CANARY, token, view
from tests.support.door import OK, PATIENT, Door, opened, with_length

NEWER = "canary-newer-8a31"
REFUSED = with_length(b"refused", status="401 Unauthorized")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def door(socket_path: Path) -> AsyncIterator[Door]:
    async with opened(socket_path) as made:
        yield made


def renew(door: Door) -> None:
    """A refuted token brings another one."""
    before = door.desk.views["home"]
    door.desk.renewed = {"home": door.hold(token(generation=8, value=NEWER))}
    door.desk.views["home"] = before


def many(answer: str = "429 Too Many", after: str = "") -> bytes:
    fields = [f"Retry-After: {after}"] if after else []
    return with_length(b"Too many requests", *fields, status=answer)


@pytest.mark.parametrize(
    ("method", "body"), [("GET", b""), ("POST", b'{"a": 1}'), ("PUT", b"a" * MAX_BUFFERED)]
)
async def test_a_dead_token(door: Door, method: str, body: bytes) -> None:
    """A 401 brings one refresh and one replay with the new token; the caller sees the end only."""
    renew(door)
    door.hub.answers = [REFUSED, OK]
    got = await door.ask(method=method, body=body)
    bearers = [one.all("Authorization") for one in door.hub.heard]

    assert (200, b"ok") == (got.status, got.body)
    assert [[f"Bearer {CANARY}"], [f"Bearer {NEWER}"]] == bearers
    assert [body, body] == [one.body for one in door.hub.heard]
    assert [("home", 7, PATIENT.refresh)] == door.desk.refuted_with


async def test_refused_again(door: Door) -> None:
    """The second 401 is the caller's: nobody goes round in circles."""
    renew(door)
    door.hub.answers = [REFUSED]
    got = await door.ask()

    assert (401, b"refused") == (got.status, got.body)
    assert (2, 1) == (len(door.hub.heard), len(door.desk.refuted_with))


async def test_a_good_token(door: Door) -> None:
    """Where the token turns out to be good, or none comes, the 401 is the caller's."""
    door.hub.answers = [REFUSED]
    got = await door.ask()

    assert (401, b"refused", 1) == (got.status, got.body, len(door.hub.heard))


async def test_no_other_token(door: Door) -> None:
    """Where the token is dead and no other comes in time, it is 503 with the next try."""
    door.desk.renewed = {"home": view("home", next_at=NOON + timedelta(seconds=55))}
    door.hub.answers = [REFUSED]
    got = await door.ask()

    assert (503, "55", 1) == (got.status, got.fields["retry-after"], len(door.hub.heard))


async def test_a_newer_token_is_held_already(door: Door) -> None:
    """Who was overtaken by a refresh is repeated at once, without another verification."""
    door.hub.answers = [REFUSED, OK]
    asked = asyncio.create_task(door.ask())
    await door.hub.arrived.wait()
    door.hold(token(generation=9, value=NEWER))
    got = await asked

    assert (200, []) == (got.status, door.desk.refuted_with)


async def test_a_body_that_is_gone(door: Door) -> None:
    """A body too long to be kept is not repeated; but the token is doubted all the same."""
    renew(door)
    door.hub.answers = [REFUSED]
    got = await door.ask(method="PUT", body=b"a" * (MAX_BUFFERED + 1))

    assert (401, 1) == (got.status, len(door.hub.heard))
    assert [("home", 7, timedelta(0))] == door.desk.refuted_with


@pytest.mark.parametrize(("after", "slept"), [("", 1.0), ("7", 7.0), ("0", 0.0)])
async def test_too_many_requests(door: Door, after: str, slept: float) -> None:
    """A Homey that asks to wait is waited for, and asked once more."""
    door.clock.instant = True
    door.hub.answers = [many(after=after), OK]
    got = await door.ask()

    assert (200, [slept]) == (got.status, door.clock.slept)


async def test_a_date(door: Door) -> None:
    """Retry-After may be a date: it counts from the daemon's clock."""
    door.clock.instant = True
    door.hub.answers = [many(after="Sun, 01 Mar 2026 12:00:04 GMT"), OK]

    assert 200 == (await door.ask()).status
    assert [4.0] == door.clock.slept


@pytest.mark.parametrize(
    ("method", "after"), [("GET", "11"), ("GET", "soon"), ("GET", "99999999999"), ("POST", "1")]
)
async def test_waits_that_are_the_callers(door: Door, method: str, after: str) -> None:
    """A long wait, and what must not be sent twice, are passed back with Retry-After."""
    door.hub.answers = [many(after=after)]
    got = await door.ask(method=method)

    assert (429, after, []) == (got.status, got.fields["retry-after"], door.clock.slept)
    assert 1 == len(door.hub.heard)


async def test_others_wait_too(door: Door) -> None:
    """While a Homey is waited for nobody else is let in; then all are served."""
    door.hub.answers = [many(), OK]
    first = asyncio.create_task(door.ask())
    await door.clock.until_waited_for()
    second = asyncio.create_task(door.ask())
    await asyncio.sleep(0.05)
    before = len(door.hub.heard)
    await door.clock.advance(1)
    got = await asyncio.gather(first, second)

    assert (1, [200, 200]) == (before, [one.status for one in got])


async def test_both(door: Door) -> None:
    """A 429 and then a 401: each is fixed once."""
    door.clock.instant = True
    renew(door)
    door.hub.answers = [many(), REFUSED, many(), OK]
    got = await door.ask()

    assert (429, 3) == (got.status, len(door.hub.heard))


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        (None, DEFAULT_DELAY),
        ("0", timedelta(0)),
        (" 3 ", timedelta(seconds=3)),
        ("Sun, 01 Mar 2026 12:00:05 GMT", timedelta(seconds=5)),
        ("Sun, 01 Mar 2026 12:00:05 -0000", timedelta(seconds=5)),
        ("Sun, 01 Mar 2026 11:00:00 GMT", timedelta(0)),
        ("Sun, 01 Mar 2027 12:00:00 GMT", timedelta(days=1)),
        ("-1", timedelta(days=1)),
        ("1.5", timedelta(days=1)),
        ("9" * 5000, timedelta(days=1)),
        ("1 Jan 99999999999999999999 00:00:00 GMT", timedelta(days=1)),
        ("\u0663", timedelta(days=1)),
        ("", timedelta(days=1)),
    ],
)
def test_retry_after(text: str | None, wait: timedelta) -> None:
    """Seconds and dates are understood; what is not is too long to be waited for here."""
    headers = {} if text is None else {"Retry-After": text}

    assert wait == retry_after_delay(headers, NOON)


def test_a_date_counts_from_the_homeys_clock() -> None:
    """The two clocks may differ: what the Homey says of time is read against its own Date."""
    headers = {
        "Date": "Sun, 01 Mar 2026 09:00:00 GMT",
        "Retry-After": "Sun, 01 Mar 2026 09:00:05 GMT",
    }

    assert timedelta(seconds=5) == retry_after_delay(headers, NOON)
