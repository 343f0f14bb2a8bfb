"""Check single values of the stored JSON. All functions raise TypeError or ValueError."""

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar

from homey_tokend.core.secret import Secret

#: The characters of a token; none of them can end a header or a line.
_SENDABLE = re.compile("[!-~]+")
#: The years of instants that can be moved when a clock is corrected without an overflow.
_EARLIEST, _LATEST = 1900, 9000
T = TypeVar("T")
Json = dict[str, Any]


def mapping(value: Any) -> Json:
    """Return an object."""
    if not isinstance(value, dict):
        raise TypeError
    return value


def sequence(value: Any) -> list[Any]:
    """Return a list of bounded length."""
    if not isinstance(value, list) or len(value) > 1000:
        raise TypeError
    return value


def text(value: Any) -> str:
    """Return a text."""
    if not isinstance(value, str):
        raise TypeError
    # JSON may contain lone surrogates, which can be neither encoded nor hashed.
    return value.encode(errors="replace").decode()


def secret(value: Any) -> Secret:
    """Return a secret that can be sent as a token."""
    if not isinstance(value, str) or not _SENDABLE.fullmatch(value):
        raise TypeError
    return Secret(value)


def number(value: Any) -> int:
    """Return a whole number from 0."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
        raise TypeError
    return value


def flag(value: Any) -> bool:
    """Return true or false."""
    if not isinstance(value, bool):
        raise TypeError
    return value


def share(value: Any) -> float:
    """Return a number from 0 to 1."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 1:
        raise TypeError
    return float(value)


def seconds(value: Any) -> float:
    """Return a number of seconds from 0 to about a thousand years."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 3.2e10:
        raise TypeError
    return float(value)


def instant(value: Any) -> datetime:
    """Return an instant with a zone, within bounds."""
    at = datetime.fromisoformat(text(value))
    if at.tzinfo is None or not _EARLIEST <= at.year <= _LATEST:
        raise ValueError
    return at


def maybe(read: Callable[[Any], T], value: Any) -> T | None:
    """Return the result of ``read``, or None for null."""
    return None if value is None else read(value)
