"""When sinks are written to, and when the token is verified."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.decision import Deliver, RefreshSettings, Verify, Wait
from homey_tokend.core.deliveries import sink_due_at
from homey_tokend.core.errors import ServerError, SinkFailed, SinkRejected, TokendError
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.tokens import DeliveryResult
from tests.core.samples import DAY, HOUR, IDLE, MINUTE, SECOND, decided, holding
from tests.support.clock import NOON

SINKS = RefreshSettings(sinks=("file", "exec"), verify_every=None)
FULL = SinkFailed("the disk is full")
FORBIDDEN = SinkRejected("403", remedy="Give the client the scope.")
HELD = holding()


def delivery_failed(
    error: TokendError = FULL, *, times: int = 1, random: float = 1.0
) -> HomeyState:
    state = HELD.delivered("exec", 1, DeliveryResult(), NOON)
    for _ in range(times):
        state = state.delivery_failed("file", 1, error, at=NOON, random=random)
    return state


def due_at(state: HomeyState, target: str = "file") -> datetime:
    assert state.token is not None
    return sink_due_at(state, target, state.token, NOON, SINKS)


# --- sinks -----------------------------------------------------------------------


def test_a_new_token_is_delivered_to_all_sinks_at_once() -> None:
    assert Deliver(("file", "exec")) == decided(HELD, settings=SINKS)


def test_a_running_delivery_is_not_started_again() -> None:
    activity = replace(IDLE, delivering=frozenset({"file"}))

    assert Deliver(("exec",)) == decided(HELD, activity=activity, settings=SINKS)


def test_a_delivered_token_is_not_delivered_again() -> None:
    state = delivery_failed().delivered("file", 1, DeliveryResult(), NOON)

    assert isinstance(decided(state, settings=SINKS), Wait)


def test_a_delivery_does_not_wait_for_a_running_refresh() -> None:
    activity = replace(IDLE, refreshing=True)

    assert Deliver(("file", "exec")) == decided(HELD, activity=activity, settings=SINKS)


@pytest.mark.parametrize(
    ("state", "now"),
    [
        pytest.param(HELD, NOON + DAY, id="an expired token"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, id="a revoked token"),
        pytest.param(HELD, NOON - HOUR, id="a token from the future"),
        pytest.param(HomeyState("home"), NOON, id="no token"),
    ],
)
def test_an_unusable_token_is_not_delivered(state: HomeyState, now: datetime) -> None:
    decision = decided(state, now, activity=replace(IDLE, refreshing=True), settings=SINKS)

    assert isinstance(decision, Wait)


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        pytest.param(delivery_failed(), SECOND, id="a second after the first failure"),
        pytest.param(delivery_failed(times=4), 8 * SECOND, id="doubling"),
        pytest.param(
            delivery_failed(times=4, random=0.5), 4 * SECOND, id="by its own stored random number"
        ),
        pytest.param(delivery_failed(times=40), 5 * MINUTE, id="at most the configured maximum"),
        pytest.param(delivery_failed(FORBIDDEN), MINUTE, id="a minute after the first rejection"),
        pytest.param(delivery_failed(FORBIDDEN, times=4), 8 * MINUTE, id="doubling from there"),
        pytest.param(delivery_failed(FORBIDDEN, times=99), HOUR, id="at most an hour, if rejected"),
        pytest.param(
            delivery_failed(ServerError("wait", retry_after=20 * MINUTE)),
            20 * MINUTE,
            id="not before the end of the Homey's Retry-After",
        ),
        pytest.param(
            delivery_failed(ServerError("wait", retry_after=20 * HOUR)),
            HOUR,
            id="which counts for an hour at most",
        ),
    ],
)
def test_a_failed_sink_is_tried_again(state: HomeyState, wait: timedelta) -> None:
    decision = decided(state, settings=SINKS)

    assert NOON + wait == due_at(state)
    assert isinstance(decision, Wait)
    assert NOON + wait == decision.wake
    assert Deliver(("file",)) == decided(state, NOON + wait, settings=SINKS)


def test_a_newer_token_is_delivered_to_a_failed_sink_at_once() -> None:
    newer = holding(state=delivery_failed(FORBIDDEN, times=9))

    assert Deliver(("file", "exec")) == decided(newer, settings=SINKS)


def test_a_failing_sink_delays_no_other() -> None:
    state = HELD.delivery_failed("file", 1, FULL, at=NOON, random=1.0)

    assert Deliver(("exec",)) == decided(state, settings=SINKS)


def test_a_running_delivery_causes_no_wake_up() -> None:
    activity = replace(IDLE, delivering=frozenset({"file"}))

    assert NOON + 12 * HOUR == getattr(
        decided(delivery_failed(), activity=activity, settings=SINKS), "wake", None
    )


# --- the verification -----------------------------------------------------------------

UNVERIFIED = holding(verified=False)


def failed_verifications(times: int) -> HomeyState:
    state = UNVERIFIED
    for _ in range(times):
        state = state.verification_failed(1, NOON)
    return state


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        pytest.param(UNVERIFIED, 5 * SECOND, id="an unverified token after five seconds"),
        pytest.param(failed_verifications(1), 10 * SECOND, id="then after ten"),
        pytest.param(failed_verifications(3), 40 * SECOND, id="doubling"),
        pytest.param(failed_verifications(50), 15 * MINUTE, id="up to a quarter of an hour"),
        pytest.param(HELD, 15 * MINUTE, id="a verified one in the usual interval"),
        pytest.param(
            HELD.verification_failed(1, NOON + HOUR),
            75 * MINUTE,
            id="which a failed verification does not change",
        ),
        pytest.param(
            UNVERIFIED.verified(1, NOON + HOUR, None), 75 * MINUTE, id="from the last verification"
        ),
        pytest.param(HELD.unverified(1), timedelta(0), id="one that becomes unverified, at once"),
        pytest.param(HELD.loaded(NOON + HOUR), timedelta(0), id="a stored one at once"),
        pytest.param(
            UNVERIFIED.loaded(NOON + HOUR), timedelta(0), id="a stored unverified one at once"
        ),
    ],
)
def test_when_the_token_is_verified(state: HomeyState, wait: timedelta) -> None:
    early = wait - timedelta(microseconds=1)

    assert Verify() == decided(state, NOON + wait)
    if wait > timedelta(0):
        assert NOON + wait == getattr(decided(state, NOON + early), "wake", None)


def test_no_second_verification_starts_while_one_is_running() -> None:
    activity = replace(IDLE, verifying=True)

    assert isinstance(decided(HELD, NOON + HOUR, activity=activity), Wait)


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        pytest.param(UNVERIFIED, Verify(), id="an unverified token is still verified once"),
        pytest.param(
            HELD,
            Wait(NOON + 12 * HOUR, "the token is due for renewal", NOON + 12 * HOUR),
            id="a verified one is not verified again",
        ),
    ],
)
def test_with_verification_turned_off(state: HomeyState, decision: Verify | Wait) -> None:
    assert decision == decided(state, NOON + HOUR, settings=RefreshSettings(verify_every=None))


def test_a_due_delivery_comes_before_a_due_verification() -> None:
    settings = replace(SINKS, verify_every=MINUTE)

    assert Deliver(("file", "exec")) == decided(UNVERIFIED, NOON + HOUR, settings=settings)
