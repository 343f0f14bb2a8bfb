"""Durations and instants are written and parsed in the same format."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homey_tokend.core.timefmt import (
    LONGEST_S,
    format_duration,
    parse_number,
    parse_seconds,
    relative,
    rfc3339,
    rough_duration,
)

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)

GARBAGE = [
    "", "s", "ms", "-1", "-0", "--1", "1 s", " 1", "1w", "1h30m", "12:34", "1_000", "nan", "inf",
    "1e999", "e5", "1e", ".", "1.2.3", "367d", "99999d", "٣", "0x10", "1s\n", "1" * 65,
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0.5", 0.5), ("500ms", 0.5), ("30s", 30), ("15m", 900), ("1.5h", 5400),
     ("7d", 604800), ("0", 0), ("366d", LONGEST_S)],
)  # fmt: skip
def test_durations(text: str, seconds: float) -> None:
    """A number is in seconds unless it has a unit."""
    assert seconds == parse_seconds(text)
    assert seconds == parse_seconds(text, any_number=True)


@pytest.mark.parametrize(
    ("text", "seconds"), [(".5", 0.5), ("1.", 1), ("+1", 1), ("1e2", 100), ("5E-1s", 0.5)]
)
def test_numbers_of_a_file(text: str, seconds: float) -> None:
    """A number in YAML or JSON is a duration in a file, but not in a query."""
    assert seconds == parse_seconds(text, any_number=True)
    with pytest.raises(ValueError, match="a duration is expected"):
        parse_seconds(text)


@pytest.mark.parametrize("text", GARBAGE)
def test_no_durations(text: str) -> None:
    """Anything else, or longer than a year, is an error with the expected form."""
    for any_number in (False, True):
        with pytest.raises(ValueError, match="a duration "):
            parse_seconds(text, any_number=any_number)


def test_numbers() -> None:
    """A number too large for a float is infinite; the caller checks bounds."""
    assert float("inf") == parse_number("1e999")
    assert None is parse_number("1" * 65)


@given(st.integers(0, int(LONGEST_S * 1000)))
def test_written_and_read(milliseconds: int) -> None:
    """A written duration is read as the same one."""
    value = timedelta(milliseconds=milliseconds)

    assert value == timedelta(seconds=parse_seconds(format_duration(value)))


def test_written() -> None:
    """A duration is written with the largest unit that divides it; a day is 24h."""
    assert ["500ms", "90s", "15m", "24h", "7d"] == [
        format_duration(timedelta(seconds=seconds)) for seconds in (0.5, 90, 900, 86400, 604800)
    ]


def test_instants() -> None:
    """Instants are RFC 3339 in UTC; seconds are rounded down, so that no expiry is too late."""
    at = datetime(2026, 1, 31, 14, 0, 0, 999_999, tzinfo=timezone(timedelta(hours=2)))

    assert "2026-01-31T12:00:00Z" == rfc3339(at)
    assert "2026-01-31T12:00:00.999999Z" == rfc3339(at, "auto")
    assert at == datetime.fromisoformat(rfc3339(at, "auto"))
    with pytest.raises(ValueError, match="aware"):
        rfc3339(at.replace(tzinfo=None))


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.5, "now"), (-0.5, "now"), (90, "in 1 min 30 s"), (-41520, "11 h 32 min ago"),
     (86400, "in 1 d"), (90060, "in 1 d 1 h"), (60, "in 1 min")],
)  # fmt: skip
def test_relative(seconds: float, words: str) -> None:
    """A distance is written in its two largest units."""
    assert words == relative(NOW + timedelta(seconds=seconds), NOW)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(0), "0 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(hours=1, seconds=5), "1 h"),
        (timedelta(days=2, hours=3, minutes=4), "2 d 3 h"),
        (timedelta(minutes=-2, seconds=-3), "2 min 3 s"),
    ],
)
def test_rough_durations(length: timedelta, words: str) -> None:
    """A length of time is written in its two largest units."""
    assert words == rough_duration(length)
