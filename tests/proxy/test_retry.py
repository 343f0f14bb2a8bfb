"""Retries of the API proxy: a rejected token, and a Homey that asks to wait."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from homey_tokend.proxy.body import MAX_BUFFERED
from homey_tokend.proxy.retry import DEFAULT_DELAY, retry_after_delay
from tests.support.api_proxy import LONG_TIMEOUTS, OK, ProxySetup, running_proxy, with_length
from tests.support.provider import CANARY, token, view

NEWER = "canary-newer-8a31"
REJECTED = with_length(b"refused", status="401 Unauthorized")
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    async with running_proxy(socket_path) as made:
        yield made


def renew(proxy: ProxySetup) -> None:
    """Replace the token once it is rejected."""
    before = proxy.provider.views["home"]
    proxy.provider.renewed = {"home": proxy.hold(token(generation=8, value=NEWER))}
    proxy.provider.views["home"] = before


def many(answer: str = "429 Too Many", after: str = "") -> bytes:
    fields = [f"Retry-After: {after}"] if after else []
    return with_length(b"Too many requests", *fields, status=answer)


@pytest.mark.parametrize(
    ("method", "body"), [("GET", b""), ("POST", b'{"a": 1}'), ("PUT", b"a" * MAX_BUFFERED)]
)
async def test_an_invalid_token(proxy: ProxySetup, method: str, body: bytes) -> None:
    """A 401 causes one refresh and one retry with the new token; the caller gets the second response."""
    renew(proxy)
    proxy.hub.answers = [REJECTED, OK]
    got = await proxy.ask(method=method, body=body)
    bearers = [one.all("Authorization") for one in proxy.hub.received]

    assert (200, b"ok") == (got.status, got.body)
    assert [[f"Bearer {CANARY}"], [f"Bearer {NEWER}"]] == bearers
    assert [body, body] == [one.body for one in proxy.hub.received]
    assert [("home", 7, LONG_TIMEOUTS.refresh)] == proxy.provider.token_rejections


async def test_rejected_again(proxy: ProxySetup) -> None:
    """The second 401 is returned: there is no further retry."""
    renew(proxy)
    proxy.hub.answers = [REJECTED]
    got = await proxy.ask()

    assert (401, b"refused") == (got.status, got.body)
    assert (2, 1) == (len(proxy.hub.received), len(proxy.provider.token_rejections))


async def test_a_valid_token(proxy: ProxySetup) -> None:
    """If the token is valid after all, or there is no newer one, the 401 is returned."""
    proxy.hub.answers = [REJECTED]
    got = await proxy.ask()

    assert (401, b"refused", 1) == (got.status, got.body, len(proxy.hub.received))


async def test_no_other_token(proxy: ProxySetup) -> None:
    """If the token is invalid and not replaced in time, it is 503 with the time of the next attempt."""
    proxy.provider.renewed = {"home": view("home", next_at=NOON + timedelta(seconds=55))}
    proxy.hub.answers = [REJECTED]
    got = await proxy.ask()

    assert (503, "55", 1) == (got.status, got.fields["retry-after"], len(proxy.hub.received))


async def test_a_newer_token_is_already_held(proxy: ProxySetup) -> None:
    """After a refresh in the meantime the call is retried at once, without another verification."""
    proxy.hub.answers = [REJECTED, OK]
    asked = asyncio.create_task(proxy.ask())
    await proxy.hub.arrived.wait()
    proxy.hold(token(generation=9, value=NEWER))
    got = await asked

    assert (200, []) == (got.status, proxy.provider.token_rejections)


async def test_a_body_that_was_not_kept(proxy: ProxySetup) -> None:
    """A body too long to be kept is not sent again; but the token is verified all the same."""
    renew(proxy)
    proxy.hub.answers = [REJECTED]
    got = await proxy.ask(method="PUT", body=b"a" * (MAX_BUFFERED + 1))

    assert (401, 1) == (got.status, len(proxy.hub.received))
    assert [("home", 7, timedelta(0))] == proxy.provider.token_rejections


@pytest.mark.parametrize(("after", "slept"), [("", 1.0), ("7", 7.0), ("0", 0.0)])
async def test_too_many_requests(proxy: ProxySetup, after: str, slept: float) -> None:
    """After a Retry-After the request is sent once more."""
    proxy.clock.instant = True
    proxy.hub.answers = [many(after=after), OK]
    got = await proxy.ask()

    assert (200, [slept]) == (got.status, proxy.clock.slept)


async def test_a_date(proxy: ProxySetup) -> None:
    """Retry-After may be a date."""
    proxy.clock.instant = True
    proxy.hub.answers = [many(after="Sun, 01 Mar 2026 12:00:04 GMT"), OK]

    assert 200 == (await proxy.ask()).status
    assert [4.0] == proxy.clock.slept


@pytest.mark.parametrize(
    ("method", "after"), [("GET", "11"), ("GET", "soon"), ("GET", "99999999999"), ("POST", "1")]
)
async def test_waits_that_are_left_to_the_caller(
    proxy: ProxySetup, method: str, after: str
) -> None:
    """A long wait, and methods that must not be repeated, are returned with Retry-After."""
    proxy.hub.answers = [many(after=after)]
    got = await proxy.ask(method=method)

    assert (429, after, []) == (got.status, got.fields["retry-after"], proxy.clock.slept)
    assert 1 == len(proxy.hub.received)


async def test_others_wait_too(proxy: ProxySetup) -> None:
    """During a wait no other call to this Homey starts; then all are served."""
    proxy.hub.answers = [many(), OK]
    first = asyncio.create_task(proxy.ask())
    await proxy.clock.until_waited_for()
    second = asyncio.create_task(proxy.ask())
    await asyncio.sleep(0.05)
    before = len(proxy.hub.received)
    await proxy.clock.advance(1)
    got = await asyncio.gather(first, second)

    assert (1, [200, 200]) == (before, [one.status for one in got])


async def test_both(proxy: ProxySetup) -> None:
    """After a 429 and then a 401 each is handled once."""
    proxy.clock.instant = True
    renew(proxy)
    proxy.hub.answers = [many(), REJECTED, many(), OK]
    got = await proxy.ask()

    assert (429, 3) == (got.status, len(proxy.hub.received))


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
    """Seconds and dates are understood; anything else counts as too long."""
    headers = {} if text is None else {"Retry-After": text}

    assert wait == retry_after_delay(headers, NOON)


def test_a_date_counts_from_the_homeys_clock() -> None:
    """The clocks may differ: a date is compared with the response's own Date."""
    headers = {
        "Date": "Sun, 01 Mar 2026 09:00:00 GMT",
        "Retry-After": "Sun, 01 Mar 2026 09:00:05 GMT",
    }

    assert timedelta(seconds=5) == retry_after_delay(headers, NOON)
