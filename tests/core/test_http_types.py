"""Requests and responses as values, and the meaning of response headers."""

from datetime import timedelta
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.http_types import NO_JSON, Request, Step, cookie_header
from tests.athom.scenes import answer


def test_headers_are_found_by_name_in_their_order() -> None:
    """A header is the first of its name, or all; none if there is none."""
    response = answer(200, b"", ("set-cookie", "a=1"), ("date", "x"), ("set-cookie", "b=2"))

    assert "a=1" == response.header("set-cookie")
    assert ("a=1", "b=2") == response.all_headers("set-cookie")
    assert (None, ()) == (response.header("location"), response.all_headers("location"))


def test_the_headers_of_a_plain_request_cannot_be_changed() -> None:
    """The default mapping is immutable and shared."""
    headers = Request(Step.USER, "GET", "https://x").headers

    assert isinstance(headers, MappingProxyType)
    assert 0 == len(headers)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 7 ", timedelta(seconds=7)),
        ("0", timedelta(0)),
        ("999999999", timedelta(seconds=999_999_999)),
        ("Sun, 01 Mar 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 14:05:00 +0200", timedelta(minutes=5)),
        ("Sun, 01 Mar 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Sunday, 01-Mar-26 12:05:00 GMT", timedelta(minutes=5)),
        ("Sun Mar  1 12:05:00 2026", timedelta(minutes=5)),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("9999999999", None),
        ("9" * 5000, None),
        ("²", None),
        ("٣", None),
        ("soon", None),
        ("2026-03-01T12:05:00Z", None),
        ("Sun, 31 Feb 2026 12:05:00 GMT", None),
        ("Fri, 31 Dec 9999 23:59:59 -0100", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, expected: timedelta | None) -> None:
    """RFC 9110, 10.2.3 with all three spellings of a date; anything else is ignored."""
    reply = answer(429, b"", ("retry-after", text), took=timedelta(0))

    assert expected == reply.retry_after()


DATED = ("retry-after", "Sun, 01 Mar 2026 12:05:00 GMT")


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Sun, 01 Mar 2026 12:04:00 GMT", timedelta(minutes=1)),
        ("Sat, 28 Feb 2026 12:05:00 GMT", timedelta(days=1)),
        ("Mon, 02 Mar 2026 12:05:00 GMT", timedelta(0)),
        ("noon", timedelta(minutes=5)),
    ],
)
@pytest.mark.parametrize("trusted", [True, False])
def test_a_date_in_retry_after_is_compared_with_the_date_header(
    date: str, expected: timedelta, *, trusted: bool
) -> None:
    """The wait is measured by the server's clock, or by ours without a Date."""
    reply = answer(429, b"", DATED, ("date", date), took=timedelta(0), trusted=trusted)

    assert expected == reply.retry_after()


@given(st.text(), st.text())
def test_any_headers_give_a_wait_or_none(value: str, date: str) -> None:
    """It is never negative, and nothing raises."""
    reply = answer(429, b"", ("retry-after", value), ("date", date))

    assert (reply.retry_after() or timedelta(0)) >= timedelta(0)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": ', b"[" * 100_000, b"9" * 5000, b"\xff"])
def test_malformed_json_differs_from_null(body: bytes) -> None:
    """HTML, truncated JSON, endless nesting and numbers out of range are not JSON."""
    assert answer(200, body).json() is NO_JSON
    assert answer(200, b"null").json() is None


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([], ""),
        (["_csrf=abc; Path=/; HttpOnly; Secure"], "_csrf=abc"),
        (["a=1", "b=2; Domain=x"], "a=1; b=2"),
        (["a=1", "b=2", "a=3"], "a=3; b=2"),
        (["a=b=c"], "a=b=c"),
        ([' a = "q" '], 'a="q"'),
        (["a="], "a="),
        (["noequals", "=noname", "sp ace=1", "a=b c", "a=\r\nX: y", "ü=1", "a=ü", "c=3"], "c=3"),
        ([f"a={'x' * 4097}", f"{'n' * 257}=1"], ""),
        ([f"c{number}=1" for number in range(25)], "; ".join(f"c{n}=1" for n in range(20))),
    ],
)
def test_cookies_are_returned_without_attributes(headers: list[str], expected: str) -> None:
    """Cookies lose their attributes; malformed ones are skipped, and at most twenty are kept."""
    assert expected == cookie_header(headers)


@settings(deadline=None)
@given(st.lists(st.text()))
def test_no_cookie_injects_a_header(headers: list[str]) -> None:
    """The Cookie header is one line of printable ASCII, whatever was set."""
    line = cookie_header(headers)

    assert line.isascii()
    assert line.isprintable()


def test_new_cookies_are_added_to_earlier_ones() -> None:
    """Of several cookies with one name, the latest counts."""
    assert "a=1; b=3; c=4" == cookie_header(["b=3; Path=/", "c=4"], "a=1; b=2")
