"""Spans of time as people write them: a number of seconds, or ``500ms``, ``30s``, ``15m``.

Not ``homey_tokend.core.timefmt``, which the client loads and which therefore imports
nothing: a file may also have numbers as JSON and YAML write them, such as ``1.5e3``.
"""

import math
import re
from datetime import timedelta

#: JSON's numbers; what YAML would make of ``1:30`` or ``1_000`` is not meant.
NUMBER = r"\+?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"

_UNITS = {"": 1.0, "ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}

#: For editors: the same grammar as :func:`seconds` reads.
PATTERN = f"^(?:{NUMBER})(?:ms|s|m|h|d)?$"

_SPAN = re.compile(f"({NUMBER})(ms|s|m|h|d)?")

#: Nothing here is longer than a year; beyond it ``timedelta`` would overflow some day.
LONGEST = timedelta(days=365)


def seconds(text: str) -> float | None:
    """The span that ``text`` names, in seconds; None where it names none.

    A number alone is seconds. An absurdly large one is ``inf``, never an exception.
    """
    match = _SPAN.fullmatch(text)
    if match is None:
        return None
    return float(match[1]) * _UNITS[match[2] or ""]


def parse_span(text: str) -> timedelta | None:
    """The span that ``text`` names; None where it names none or one beyond all bounds."""
    found = seconds(text)
    if found is None or not math.isfinite(found) or found > LONGEST.total_seconds():
        return None
    return timedelta(seconds=found)


def format_span(value: timedelta) -> str:
    """The shortest way to write a span: ``24h``, ``90s``, ``500ms``."""
    whole = round(value.total_seconds() * 1000)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        # A day is written 24h: the form that the documentation uses throughout.
        if whole % size == 0 and (unit != "d" or whole > size):
            return f"{whole // size}{unit}"
    return f"{whole}ms"
