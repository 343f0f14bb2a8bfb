"""Durations as people write them on a command line or in a query: ``600``, ``30s``, ``1.5h``.

Imports nothing: the client of ``homey-tokend token`` reads ``--wait`` with it.
"""

#: Longest first where one suffix ends with another ("ms" ends with "s").
_SCALES = (("ms", 0.001), ("s", 1.0), ("m", 60.0), ("h", 3600.0), ("d", 86400.0))
#: How long may a duration be? A year: no token lives as long, and sums stay far from overflow.
LONGEST_S = 366 * 86400.0
#: How many characters can such a number need? Fewer than this; more is garbage or an attack.
_LONGEST_TEXT = 20


def parse_seconds(text: str) -> float:
    """Read a duration.

    Args:
        text: A plain number of seconds, or one with the unit ``ms, s, m, h`` or ``d``.

    Returns:
        Seconds, from 0 to ``LONGEST_S``.

    Raises:
        ValueError: It is no such duration, or beyond the bounds; the text says what was expected.
    """
    number, scale = _split(text)
    whole, _, fraction = number.partition(".")
    plain = whole + (fraction or "0")
    if not (whole and plain.isascii() and plain.isdigit() and not number.endswith(".")):
        raise ValueError(
            "a duration is expected: seconds such as 600, or 500ms, 30s, 15m, 24h, 7d;"
            f" not {text[:_LONGEST_TEXT]!a}"
        )
    value = float(number) * scale
    if value > LONGEST_S:
        raise ValueError("a duration of at most 366d is expected")
    return value


def _split(text: str) -> tuple[str, float]:
    short = text[: _LONGEST_TEXT + 1]
    if len(short) > _LONGEST_TEXT:
        return "", 1.0
    for suffix, scale in _SCALES:
        if short.endswith(suffix):
            return short[: -len(suffix)], scale
    return short, 1.0
