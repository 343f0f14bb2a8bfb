"""Failures, as they are stored and reported."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homey_tokend.core.errors import TokendError, Transient, needs_action

_YEAR = timedelta(days=366)
#: The longest waits that a server's Retry-After causes: in general, and if the token must be
#: renewed.
RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class LastError:
    """An error as it is reported, without secrets. ``count``: how often in a row."""

    at: datetime
    kind: str
    step: str
    message: str
    remedy: str
    status: int | None = None
    count: int = 1

    @property
    def action_needed(self) -> bool:
        """Return whether a person has to act."""
        return needs_action(self.kind)


@dataclass(frozen=True, slots=True)
class Failure:
    """Consecutive failures, and what policy needs for the wait until the next attempt."""

    last_error: LastError
    random: float
    not_before: datetime | None = None

    def not_after(self, now: datetime) -> "Failure":
        """Move a failure from the future, measured with a wrong clock, to ``now``."""
        if self.last_error.at <= now:
            return self
        last_error, until = replace(self.last_error, at=now), self.not_before
        if until is not None:
            until = now + max(timedelta(0), min(until - self.last_error.at, _YEAR))
        return Failure(last_error, self.random, until)


def failure_of(error: TokendError, *, at: datetime, count: int, random: float) -> Failure:
    """Return the ``count``-th failure in a row."""
    return Failure(last_error_of(error, at, count), random, retry_after_until(error, at))


def last_error_of(error: TokendError, at: datetime, count: int = 1) -> LastError:
    """Return an error as it is stored and reported."""
    return LastError(
        at=at,
        kind=error.kind,
        step=str(error.step),
        message=error.message,
        remedy=error.remedy,
        status=error.status,
        count=count,
    )


def retry_after_until(error: TokendError, at: datetime) -> datetime | None:
    """Return the instant that a Retry-After asks for, at most a year away; policy limits it further."""
    wanted = error.retry_after if isinstance(error, Transient) else None
    if wanted is None:
        return None
    return at + max(timedelta(0), min(wanted, _YEAR))


def backoff(failure: Failure, first: timedelta, most: timedelta) -> timedelta:
    """Return an exponential wait with full jitter: ``failure.random`` is the share that applies."""
    doublings = min(failure.last_error.count - 1, 32)
    return min(most, first * (1 << doublings)) * failure.random
