"""When the current token is verified, delivered to its sinks and checked there."""

from datetime import UTC, datetime, timedelta

from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.failure import RETRY_AFTER_MOST, backoff
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.tokens import Token

#: The waits between verifications that fail: doubled each time, up to the second value.
VERIFY_FIRST, VERIFY_MOST = timedelta(seconds=5), timedelta(minutes=15)
#: The waits between deliveries to a sink that needs a person: doubled each time, up to an hour.
REJECTED_FIRST, REJECTED_MOST = timedelta(minutes=1), timedelta(hours=1)
#: The longest wait until a failed check of a sink is repeated.
CHECK_AGAIN = timedelta(minutes=15)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_NEVER = datetime.max.replace(tzinfo=UTC)


def verify_at(state: HomeyState, token: Token, settings: RefreshSettings) -> datetime:
    """Return when the token is to be verified next."""
    last = max(state.last_verification_at or token.issued_at, state.verified_at or token.issued_at)
    if state.verified_at is not None:
        return last + settings.verify_every if settings.verify_every else _NEVER
    if state.last_verification_at is None:
        return last
    return last + min(VERIFY_FIRST * (1 << min(state.failed_verifications, 16)), VERIFY_MOST)


def due_sinks(
    state: HomeyState, token: Token, activity: Activity, now: datetime, settings: RefreshSettings
) -> tuple[str, ...]:
    """Return the sinks to deliver to at ``now``."""
    return tuple(
        target
        for target in settings.sinks
        if target not in activity.delivering
        and state.sink(target).generation != token.generation
        and sink_due_at(state, target, token, now, settings) <= now
    )


def due_checks(
    state: HomeyState, token: Token, activity: Activity, now: datetime, settings: RefreshSettings
) -> tuple[str, ...]:
    """Return the sinks to check at ``now``."""
    return tuple(
        target
        for target in settings.checked
        if target not in activity.delivering
        and state.sink(target).generation == token.generation
        and check_at(state, target, settings) <= now
    )


def check_at(state: HomeyState, target: str, settings: RefreshSettings) -> datetime:
    """Return when a sink that has the token is to be checked next.

    It is checked as often as the token is verified, and always once after the keeper started:
    a reboot may have emptied its directory, or the configuration may require another format.
    """
    sink = state.sink(target)
    if sink.unchecked:
        pause = min(CHECK_AGAIN, settings.verify_every or CHECK_AGAIN)
        return sink.checked_at + pause if sink.checked_at else _LONG_AGO
    last = max((at for at in (sink.checked_at, sink.delivered_at) if at), default=None)
    if settings.verify_every is None or last is None:
        return _NEVER
    return last + settings.verify_every


def sink_due_at(
    state: HomeyState, target: str, token: Token, now: datetime, settings: RefreshSettings
) -> datetime:
    """Return when a delivery to a sink can be tried: ``now``, or after the wait for its failures."""
    sink = state.sink(target)
    failure = sink.failure
    if failure is None or sink.failed_generation != token.generation:
        return now
    at = failure.last_error.at
    if sink.rejected:
        return at + min(
            REJECTED_FIRST * (1 << min(failure.last_error.count - 1, 16)), REJECTED_MOST
        )
    asked = min(failure.not_before or at, at + RETRY_AFTER_MOST)
    return max(at + backoff(failure, settings.retry_first, settings.retry_most), asked)
