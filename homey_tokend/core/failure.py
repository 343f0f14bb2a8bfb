"""Failures as they are kept and shown, and how they move with a clock that is set. Pure."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homey_tokend.core.errors import TokendError, Transient
from homey_tokend.core.status import Trouble

_YEAR = timedelta(days=366)


@dataclass(frozen=True, slots=True)
class Failure:
    """The failures in a row, and what policy needs to space the next attempt."""

    trouble: Trouble
    draw: float
    not_before: datetime | None = None

    def moved(self, by: timedelta) -> "Failure":
        """The same with a clock that was set by ``by``."""
        trouble = replace(self.trouble, at=self.trouble.at + by)
        return Failure(trouble, self.draw, moved(self.not_before, by))

    def not_after(self, now: datetime) -> "Failure":
        """One from a clock that was ahead counts as one of ``now``."""
        if self.trouble.at <= now:
            return self
        trouble, until = replace(self.trouble, at=now), self.not_before
        if until is not None:
            until = now + max(timedelta(0), min(until - self.trouble.at, _YEAR))
        return Failure(trouble, self.draw, until)


def failure_of(error: TokendError, *, at: datetime, count: int, draw: float) -> Failure:
    """The ``count``-th failure in a row."""
    return Failure(trouble_of(error, at, count), draw, retry_after_until(error, at))


def trouble_of(error: TokendError, at: datetime, count: int = 1) -> Trouble:
    """A failure as it is kept and shown."""
    return Trouble(
        at=at,
        kind=error.kind,
        step=str(error.step),
        message=error.message,
        remedy=error.remedy,
        status=error.status,
        count=count,
    )


def retry_after_until(error: TokendError, at: datetime) -> datetime | None:
    """The instant that a Retry-After names, within a year; policy has caps of its own."""
    wanted = error.retry_after if isinstance(error, Transient) else None
    if wanted is None:
        return None
    return at + max(timedelta(0), min(wanted, _YEAR))


def moved(at: datetime | None, by: timedelta) -> datetime | None:
    """An instant, where there is one, by a clock that was set by ``by``."""
    return None if at is None else at + by
