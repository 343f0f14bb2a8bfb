"""Durations and instants as text: the one grammar, and the one RFC 3339 writer.

The client of ``homey-tokend token`` reads ``--wait`` with it: nothing costly is imported.
"""

# Not typing's: the client's start does without it, and without datetime.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from datetime import datetime, timedelta

#: The longest duration that is read, in seconds. No token lives a year, and sums of such
#: values stay far from overflow.
LONGEST_S = 366 * 86400.0
#: Decimal numbers of JSON and YAML, as a regular expression; what YAML makes of ``1:30`` or
#: ``1_000`` is not among them.
NUMBER = r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
#: What :func:`parse_seconds` takes with ``any_number``, as a regular expression.
DURATION = f"^{NUMBER}(?:ms|s|m|h|d)?$"

#: Longer texts are garbage.
_LONGEST_TEXT = 64
#: "ms" before "s", with which it ends.
_UNITS = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))
_EXPECTED = "a duration is expected: seconds such as 600, or 500ms, 30s, 15m, 24h, 7d"


def parse_seconds(text: str, *, any_number: bool = False) -> float:
    """Read a duration: seconds such as ``1.5``, or with the unit ``ms, s, m, h`` or ``d``.

    Args:
        text: The whole text.
        any_number: Take every form of ``NUMBER``, ``1e3`` and ``.5`` among them.

    Returns:
        Seconds, from 0 to ``LONGEST_S``.

    Raises:
        ValueError: It is no such duration, or too long; the text says what is expected.
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
    """Read a number of the form ``NUMBER``; None if it is malformed. Huge ones are ``inf``."""
    # float() alone would take "1_000", " 1", "nan", "-1" and the digits of other scripts.
    if len(text) > _LONGEST_TEXT or text.startswith("-") or set(text) - set("0123456789.eE+-"):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def format_duration(value: "timedelta") -> str:
    """Write a duration as short as it can be: ``24h``, ``90s``, ``500ms``."""
    whole = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        # One day is 24h: the form that the documentation uses.
        if whole % size == 0 and (unit != "d" or whole > size):
            return f"{whole // size}{unit}"
    return f"{whole}ms"


def rfc3339(at: "datetime", timespec: str = "seconds") -> str:
    """Write an instant in UTC: ``2026-01-31T12:00:00Z`` (RFC 3339).

    Args:
        at: An aware instant.
        timespec: As of ``datetime.isoformat``: ``seconds`` rounds down, ``auto`` keeps what there is.

    Raises:
        ValueError: The instant is not aware.
    """
    offset = at.utcoffset()
    if offset is None:
        raise ValueError("an aware instant is expected")
    return (at.replace(tzinfo=None) - offset).isoformat(timespec=timespec) + "Z"


def rough_duration(length: "timedelta") -> str:
    """Write a length of time for people, in its two largest units: ``11 h 32 min``."""
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
    """Write how far an instant is away, for people: ``in 2 h``, ``5 min ago``, ``now``."""
    if abs((at - now).total_seconds()) < 1:
        return "now"
    return f"in {rough_duration(at - now)}" if at >= now else f"{rough_duration(at - now)} ago"
