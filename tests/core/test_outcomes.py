"""Each message leads to a new state and activity, events, and a write where one is due."""

from dataclasses import replace

import pytest

from homey_tokend.core.account import Digests
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings, SignInProgress
from homey_tokend.core.errors import BearerRejected, SinkFailed, SinkRejected, TokendError
from homey_tokend.core.events import (
    DeliveryFailed,
    Level,
    LogEntry,
    RefreshFailed,
    RefreshRecovered,
    TokenDelivered,
    TokenRenewed,
    TokenRevoked,
)
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.messages import (
    CheckFinished,
    ClockChanged,
    CredentialsRead,
    DeliveryFinished,
    Message,
    RefreshFinished,
    RefreshRequested,
    VerificationFinished,
    VerificationRequested,
)
from homey_tokend.core.outcomes import Change, Context, apply
from homey_tokend.core.policy import next_attempt
from homey_tokend.core.tokens import DeliveryResult
from tests.core.samples import (
    DAY,
    DOWN,
    HOUR,
    LOGIN,
    NEW_ACCOUNT,
    SITE,
    WRONG_CLIENT,
    WRONG_PASSWORD,
    bearer,
    failing,
    holding,
)
from tests.support.clock import NOON

LATER = NOON + HOUR
PROGRESS = SignInProgress(Digests("account", LOGIN, SITE))
BUSY = Activity(
    refreshing=True, reading=True, verifying=True, delivering=frozenset({"file"}), forced=True
)
HELD = holding()
DELIVERED = HELD.delivered("file", 1, DeliveryResult(), NOON)


def applied(state: HomeyState, message: Message, activity: Activity = BUSY) -> Change:
    """The change an hour after the token was issued."""
    return apply(state, activity, message, Context({}, RefreshSettings(), LATER, 0.5))


def finished(result: object, since: int = 1) -> RefreshFinished:
    return RefreshFinished(since, result, PROGRESS)  # type: ignore[arg-type]  # each kind of result


def names(change: Change) -> list[str]:
    """The names of the log entries among the events."""
    return [one.name for one in change.events if isinstance(one, LogEntry)]


# --- a refresh ---


def test_a_new_token_is_saved_and_reported() -> None:
    change = applied(HELD, finished(bearer(at=LATER)))

    (event,) = change.events
    assert isinstance(event, TokenRenewed)
    assert (2, LATER, LATER + DAY) == (event.generation, event.at, event.expires_at)
    assert change.save
    assert change.state.usable(LATER) == change.state.held(2)
    assert "account" == change.state.account
    assert replace(BUSY, refreshing=False, forced=False, sign_in=PROGRESS, refreshes=1) == (
        change.activity
    )


def test_a_new_token_gets_a_random_share_of_its_lifetime() -> None:
    change = applied(HELD, finished(bearer(at=LATER)))

    assert RefreshSettings().fraction(0.5) == change.state.fraction


def test_a_recovery_is_reported_with_the_failures_before() -> None:
    change = applied(failing(HELD, times=3), finished(bearer(at=LATER)))

    assert RefreshRecovered("home", LATER, 3) == change.events[1]
    assert change.state.failure is None


def test_a_stale_result_changes_only_the_activity() -> None:
    change = applied(HELD, finished(bearer(at=LATER), since=0))

    assert HELD == change.state
    assert not change.activity.refreshing
    assert ["outcome.dropped"] == names(change)
    assert not change.save


def test_a_blocked_attempt_keeps_its_reason() -> None:
    blocked = Constraint(LATER + HOUR, "the sign-in budget is used up", blocking=True)

    change = applied(HELD, finished(blocked))

    assert (HELD, (), False) == (change.state, change.events, change.save)
    assert blocked == change.activity.blocked
    assert 1 == change.activity.refreshes


def test_a_failure_keeps_the_token_and_reports_the_next_try() -> None:
    change = applied(HELD, finished(DOWN))

    (event,) = change.events
    assert isinstance(event, RefreshFailed)
    following = next_attempt(change.state, NEW_ACCOUNT, change.activity, LATER, RefreshSettings())
    assert (following.at, NOON + DAY) == (event.next_try, event.outage_at)
    assert not event.action_needed
    assert not event.urgent
    assert HELD.token == change.state.token
    assert change.save


@pytest.mark.parametrize(
    ("state", "urgent"),
    [
        pytest.param(HELD, False, id="with hours left"),
        pytest.param(holding(at=NOON - 23 * HOUR), True, id="in the last hour of its lifetime"),
        pytest.param(HomeyState("home"), True, id="without a token"),
    ],
)
def test_a_failure_is_urgent(state: HomeyState, urgent: bool) -> None:
    (event,) = applied(state, finished(DOWN, since=state.generation)).events

    assert isinstance(event, RefreshFailed)
    assert urgent == event.urgent


@pytest.mark.parametrize(
    ("error", "rejected"),
    [
        pytest.param(WRONG_CLIENT, True, id="of the client: the Homey's"),
        pytest.param(WRONG_PASSWORD, False, id="of the password: the account's"),
    ],
)
def test_a_rejection(error: TokendError, rejected: bool) -> None:
    change = applied(HELD, finished(error))

    (event,) = change.events
    assert isinstance(event, RefreshFailed)
    assert event.action_needed
    assert rejected == (change.state.rejection is not None)
    assert change.state.rejection is None or SITE == change.state.rejection.digest


def test_changed_credentials_end_what_blocked_an_attempt() -> None:
    activity = replace(BUSY, blocked=Constraint(LATER, "why"))
    changed = applied(HELD, CredentialsRead(changed=True, sign_in=PROGRESS), activity)
    same = applied(HELD, CredentialsRead(changed=False, sign_in=PROGRESS), activity)

    assert ["credentials.changed"] == names(changed)
    assert changed.activity.blocked is None
    assert (activity.blocked, ()) == (same.activity.blocked, same.events)
    assert not changed.activity.reading


def test_a_request_is_dropped_if_there_is_a_newer_token_already() -> None:
    stands = applied(HELD, RefreshRequested(LATER + HOUR, forced=True, than=1))
    late = applied(HELD, RefreshRequested(LATER + HOUR, forced=True, than=0))

    assert stands.state.request is not None
    assert HELD == late.state


# --- the verification ---


def test_a_verification_is_saved_only_if_the_expiry_changed() -> None:
    change = applied(HELD, VerificationFinished(1, (True, NOON + DAY)))

    assert LATER == change.state.verified_at
    assert not change.save
    assert replace(BUSY, verifying=False, verifications=1) == change.activity


def test_a_changed_expiry_is_saved_and_delivered_again() -> None:
    change = applied(DELIVERED, VerificationFinished(1, (True, NOON + 2 * DAY)))

    assert change.save
    assert NOON + 2 * DAY == change.state.held(1).expires_at
    assert change.state.sink("file").generation is None
    assert frozenset({"file"}) == change.activity.outdated


def test_a_token_that_is_no_longer_accepted_is_revoked() -> None:
    change = applied(HELD, VerificationFinished(1, (False, None)))

    assert (TokenRevoked("home", LATER, 1),) == change.events
    assert change.save
    assert change.state.usable(LATER) is None


def test_a_failed_verification_keeps_the_token() -> None:
    change = applied(HELD, VerificationFinished(1, DOWN))

    assert HELD.token == change.state.usable(LATER)
    assert ["token.not_verified"] == names(change)
    assert not change.save


def test_a_requested_verification_is_due_at_once() -> None:
    assert applied(HELD, VerificationRequested(1)).state.verified_at is None
    assert HELD == applied(HELD, VerificationRequested(7)).state


# --- sinks ---


def test_a_delivery_is_saved_and_reported() -> None:
    change = applied(HELD, DeliveryFinished("file", 1, DeliveryResult("mode 0600")))

    assert (TokenDelivered("home", LATER, "file", 1, "mode 0600"),) == change.events
    assert change.save
    assert 1 == change.state.sink("file").generation
    assert frozenset() == change.activity.delivering


def test_a_delivery_of_an_outdated_expiry_is_repeated() -> None:
    activity = replace(BUSY, outdated=frozenset({"file"}))

    change = applied(HELD, DeliveryFinished("file", 1, DeliveryResult()), activity)

    assert change.state.sink("file").generation is None


@pytest.mark.parametrize(
    ("error", "action_needed", "unverified"),
    [
        pytest.param(SinkFailed("full"), False, False, id="because of a full disk"),
        pytest.param(SinkRejected("403"), True, False, id="because of a missing permission"),
        pytest.param(BearerRejected("401"), True, True, id="with 401: the token is unverified"),
    ],
)
def test_a_failed_delivery_is_saved_and_reported(
    error: TokendError, action_needed: bool, unverified: bool
) -> None:
    change = applied(HELD, DeliveryFinished("file", 1, error))

    (event,) = change.events
    assert isinstance(event, DeliveryFailed)
    assert action_needed == event.action_needed
    assert unverified == (change.state.verified_at is None)
    assert change.save


def test_a_successful_check_is_recorded() -> None:
    change = applied(DELIVERED, CheckFinished("file", 1, in_place=True))

    assert LATER == change.state.sink("file").checked_at
    assert not change.save


def test_a_sink_that_drifted_gets_the_token_again() -> None:
    change = applied(DELIVERED, CheckFinished("file", 1, in_place=False))

    assert change.state.sink("file").generation is None
    assert (Level.WARNING,) == tuple(getattr(one, "level", None) for one in change.events)
    assert change.save


def test_a_failed_check_keeps_the_sink_and_a_401_leads_to_a_verification() -> None:
    failed = applied(DELIVERED, CheckFinished("file", 1, SinkFailed("away")))
    rejected = applied(DELIVERED, CheckFinished("file", 1, BearerRejected("401")))

    assert 1 == failed.state.sink("file").generation
    assert ["sink.check_failed"] == names(failed)
    assert failed.state.verified_at is not None
    assert rejected.state.verified_at is None


# --- a clock that is set ---


def test_a_set_clock_is_saved_and_the_token_verified() -> None:
    change = applied(HELD, ClockChanged(-HOUR))

    assert change.save
    assert HELD.token == change.state.token
    assert change.state.verified_at is None
    assert -HOUR == change.activity.offset


def test_a_loaded_token_expires_earlier_after_a_clock_set_forward() -> None:
    change = applied(HELD.loaded(NOON), ClockChanged(HOUR))

    assert NOON + DAY - HOUR == change.state.held(1).expires_at


def test_sinks_that_report_the_expiry_get_it_again() -> None:
    state = DELIVERED.delivered("raw", 1, DeliveryResult(), NOON)
    settings = RefreshSettings(reporting=("file", "exec"))

    change = apply(state, BUSY, ClockChanged(HOUR), Context({}, settings, LATER, 0.5))

    assert (None, 1) == (change.state.sink("file").generation, change.state.sink("raw").generation)
    assert frozenset({"file"}) == change.activity.outdated


def test_a_set_clock_is_recorded_without_a_token() -> None:
    change = applied(HomeyState("home"), ClockChanged(HOUR))

    assert (HomeyState("home"), HOUR) == (change.state, change.activity.offset)
