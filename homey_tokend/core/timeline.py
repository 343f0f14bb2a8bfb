"""Convert values between the steady timeline and the wall clock.

All instants that this process measures are on one timeline: the wall clock at the start plus
the seconds since (``runtime.clock.SteadyClock.now``). They do not change when the wall clock is
set; the difference is added where an instant leaves the process.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")
_NOTHING = timedelta(0)
_FIRST, _LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def shift(value: T, by: timedelta) -> T:
    """Return the value with all instants moved that it contains in dataclasses, tuples, mappings."""
    moved: T = _shift(value, by) if by else value
    return moved


def _shift(value: Any, by: timedelta) -> Any:
    if isinstance(value, datetime):
        try:
            return value + by
        except OverflowError:
            return _LAST if by > _NOTHING else _FIRST
    if isinstance(value, tuple):
        return tuple(_shift(one, by) for one in value)
    if isinstance(value, Mapping):
        return {key: _shift(one, by) for key, one in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        before = {one.name: getattr(value, one.name) for one in fields(value)}
        after = {name: _shift(one, by) for name, one in before.items()}
        changed = {name: one for name, one in after.items() if one is not before[name]}
        return replace(value, **changed)
    return value
