"""Durations and instants as text.

``homey-tokend token`` parses ``--wait`` with this module, so it imports nothing that is slow to
load.
"""

# Not the one of typing: its import would slow down the client's start, as datetime's would.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta

#: The longest duration that is accepted, in seconds. No token lives for a year, and sums of
#: such values are far from an overflow.
LONGEST_S = 366 * 86400.0
#: Decimal numbers of JSON and YAML, as a regular expression; YAML's ``1:30`` and ``1_000`` are
#: not accepted.
NUMBER = r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
#: What :func:`parse_seconds` accepts with ``any_number``, as a regular expression.
DURATION = f"^{NUMBER}(?:ms|s|m|h|d)?$"

#: The longest text that is read as a number.
_LONGEST_TEXT = 64
#: "ms" comes first because it ends with "s".
_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))
_EXPECTED = "a duration is expected: seconds such as 600, or 500ms, 30s, 15m, 24h, 7d"


def parse_seconds(text: str, *, any_number: bool = False) -> float:
    """Parse a duration: seconds such as ``1.5``, or with a unit: ``ms``, ``s``, ``m``, ``h``, ``d``.

    Args:
        text: The whole text.
        any_number: Accept all forms of ``NUMBER``, such as ``1e3`` and ``.5``.

    Returns:
        Seconds, from 0 to ``LONGEST_S``.

    Raises:
        ValueError: It is not a duration, or too long; the message says what is expected.
    """
    unit, scale = next((each for each in _UNITS if text.endswith(each[0])), ("", 1.0))
    digits = text[: len(text) - len(unit)]
    plain = digits[:1].isdigit() and digits[-1:].isdigit() and "e" not in digits.lower()
    number = parse_number(digits) if plain or any_number else None
    if number is None:
        raise ValueError(f"{_EXPECTED}; not {text[:20]!a}")
    if number * scale > LONGEST_S:
        raise ValueError("a duration of at most 366d is expected")
    return number * scale


def parse_number(text: str) -> float | None:
    """Parse a number of the form ``NUMBER``; None if it is malformed. Huge ones are ``inf``."""
    # float() alone would accept "1_000", " 1", "nan", "-1" and the digits of other scripts.
    if len(text) > _LONGEST_TEXT or text.startswith("-") or set(text) - set("0123456789.eE+-"):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def format_duration(value: "timedelta") -> str:
    """Format a duration with the largest unit that needs no fraction: ``24h``, ``90s``, ``500ms``."""
    whole = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        # One day is written 24h, as in the documentation.
        if whole % size == 0 and (unit != "d" or whole > size):
            return f"{whole // size}{unit}"
    return f"{whole}ms"


def rfc3339(at: "datetime", timespec: str = "seconds") -> str:
    """Format an instant in UTC: ``2026-01-31T12:00:00Z`` (RFC 3339).

    Args:
        at: An aware instant.
        timespec: As for ``datetime.isoformat``: ``seconds`` rounds down, ``auto`` keeps microseconds.

    Raises:
        ValueError: The instant is naive.
    """
    offset = at.utcoffset()
    if offset is None:
        raise ValueError("an aware instant is expected")
    return (at.replace(tzinfo=None) - offset).isoformat(timespec=timespec) + "Z"


def rough_duration(length: "timedelta") -> str:
    """Format a duration for people, in its two largest units: ``11 h 32 min``."""
    left = int(abs(length).total_seconds())
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, left = divmod(left, size)
        if count or parts:
            parts.append(f"{count} {unit}" if count else "")
        if len(parts) == 2:
            break
    return " ".join(filter(None, parts)) or "0 s"


def relative(at: "datetime", now: "datetime") -> str:
    """Format an instant relative to ``now``, for people: ``in 2 h``, ``5 min ago``, ``now``."""
    if abs((at - now).total_seconds()) < 1:
        return "now"
    return f"in {rough_duration(at - now)}" if at >= now else f"{rough_duration(at - now)} ago"
