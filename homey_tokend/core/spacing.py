"""How far apart attempts are after failures. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from homey_tokend.core.decision import Constraint, RefreshSettings
from homey_tokend.core.errors import ProtocolChanged, needs_action
from homey_tokend.core.failure import Failure
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Step
from homey_tokend.core.lifetime import in_must_window

#: How far apart may attempts be when a token must be renewed?
MUST_GAP = timedelta(seconds=60)
#: How long do we wait at most because a server asks us to? With time left, and without.
RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(minutes=10)
#: After an unknown answer to a password: it was sent, so no quick second try.
UNKNOWN_LOGIN_GAP = timedelta(minutes=15)


def after_failure(state: HomeyState, now: datetime, plan: RefreshSettings) -> Iterator[Constraint]:
    """Our own spacing after the last failure, and what the server asked for."""
    failure = state.failure
    if failure is None:
        return
    at, kind = failure.trouble.at, failure.trouble.kind
    must = in_must_window(state, now)
    if kind == ProtocolChanged.kind and failure.trouble.step == Step.LOGIN:
        yield Constraint(at + UNKNOWN_LOGIN_GAP, "an unknown answer to the password")
    elif not needs_action(kind):
        gap = backoff(failure, plan.retry_first, plan.retry_most)
        yield Constraint(at + (min(gap, MUST_GAP) if must else gap), "spacing after a failure")
    if failure.not_before is not None:
        most = RETRY_AFTER_MUST if must else RETRY_AFTER_MOST
        yield Constraint(min(failure.not_before, at + most), "the server asked to wait")


def backoff(failure: Failure, first: timedelta, most: timedelta) -> timedelta:
    """Exponential with full jitter: the failure's own draw of min(most, first * 2^(n-1))."""
    doublings = min(failure.trouble.count - 1, 32)
    return min(most, first * (1 << doublings)) * failure.draw
