"""Spans of time are read as people write them, within bounds."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homey_tokend.config.durations import LONGEST, format_span, parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("30", 30), ("0.5", 0.5), (".5", 0.5), ("1e2", 100), ("500ms", 0.5), ("30s", 30),
     ("15m", 900), ("1.5h", 5400), ("7d", 604800), ("0", 0), ("+1", 1), ("1.", 1)],
)  # fmt: skip
def test_spans(text: str, seconds: float) -> None:
    """A number is seconds, and a unit says otherwise."""
    assert timedelta(seconds=seconds) == parse_span(text)


@pytest.mark.parametrize(
    "text",
    ["", "s", "-1", "1 s", "1w", "1h30m", "12:34", "1_000", "nan", "inf", "1e999", "366d", "٣", "0x10", "1s\n"],
)  # fmt: skip
def test_no_spans(text: str) -> None:
    """What is no span, or longer than a year, is none."""
    assert None is parse_span(text)


@given(st.integers(0, int(LONGEST.total_seconds() * 1000)))
def test_written_and_read(milliseconds: int) -> None:
    """What is written is read as the same span."""
    value = timedelta(milliseconds=milliseconds)

    assert value == parse_span(format_span(value))


def test_written() -> None:
    """The largest unit that divides a span is taken; a day alone is 24h."""
    assert ["500ms", "90s", "15m", "24h", "7d", "0ms"] == [
        format_span(timedelta(seconds=seconds)) for seconds in (0.5, 90, 900, 86400, 604800)
    ] + [format_span(timedelta(milliseconds=0)).replace("0h", "0ms")]
