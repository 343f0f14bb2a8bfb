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


def test_a_fresh_token_goes_to_all_sinks_together() -> None:
    assert Deliver(("file", "exec")) == decided(HELD, plan=SINKS)


def test_a_sink_under_way_is_not_begun_again() -> None:
    activity = replace(IDLE, delivering=frozenset({"file"}))

    assert Deliver(("exec",)) == decided(HELD, activity=activity, plan=SINKS)


def test_nothing_is_written_twice() -> None:
    state = delivery_failed().delivered("file", 1, DeliveryResult(), NOON)

    assert isinstance(decided(state, plan=SINKS), Wait)


def test_a_sink_does_not_wait_for_a_refresh_that_is_under_way() -> None:
    activity = replace(IDLE, refreshing=True)

    assert Deliver(("file", "exec")) == decided(HELD, activity=activity, plan=SINKS)


@pytest.mark.parametrize(
    ("state", "now"),
    [
        pytest.param(HELD, NOON + DAY, id="an expired token"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, id="a revoked token"),
        pytest.param(HELD, NOON - HOUR, id="a token from the future"),
        pytest.param(HomeyState("home"), NOON, id="no token"),
    ],
)
def test_is_never_written_to_a_sink(state: HomeyState, now: datetime) -> None:
    decision = decided(state, now, activity=replace(IDLE, refreshing=True), plan=SINKS)

    assert isinstance(decision, Wait)


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        pytest.param(delivery_failed(), SECOND, id="a second after the first failure"),
        pytest.param(delivery_failed(times=4), 8 * SECOND, id="doubling"),
        pytest.param(delivery_failed(times=4, random=0.5), 4 * SECOND, id="by its own stored draw"),
        pytest.param(delivery_failed(times=40), 5 * MINUTE, id="at most the configured maximum"),
        pytest.param(delivery_failed(FORBIDDEN), MINUTE, id="a minute after the first refusal"),
        pytest.param(delivery_failed(FORBIDDEN, times=4), 8 * MINUTE, id="doubling from there"),
        pytest.param(delivery_failed(FORBIDDEN, times=99), HOUR, id="at most an hour, if rejected"),
        pytest.param(
            delivery_failed(ServerError("wait", retry_after=20 * MINUTE)),
            20 * MINUTE,
            id="not before the Homey asked for",
        ),
        pytest.param(
            delivery_failed(ServerError("wait", retry_after=20 * HOUR)),
            HOUR,
            id="which holds an hour",
        ),
    ],
)
def test_a_failed_sink_is_tried_again(state: HomeyState, wait: timedelta) -> None:
    decision = decided(state, plan=SINKS)

    assert NOON + wait == due_at(state)
    assert isinstance(decision, Wait)
    assert NOON + wait == decision.wake
    assert Deliver(("file",)) == decided(state, NOON + wait, plan=SINKS)


def test_a_newer_token_goes_to_a_failed_sink_at_once() -> None:
    newer = holding(state=delivery_failed(FORBIDDEN, times=9))

    assert Deliver(("file", "exec")) == decided(newer, plan=SINKS)


def test_a_failing_sink_holds_up_no_other() -> None:
    state = HELD.delivery_failed("file", 1, FULL, at=NOON, random=1.0)

    assert Deliver(("exec",)) == decided(state, plan=SINKS)


def test_a_sink_under_way_does_not_wake() -> None:
    activity = replace(IDLE, delivering=frozenset({"file"}))

    assert NOON + 12 * HOUR == getattr(
        decided(delivery_failed(), activity=activity, plan=SINKS), "wake", None
    )


# --- the proof -------------------------------------------------------------------

UNPROVED = holding(verified=False)


def failed_verifications(times: int) -> HomeyState:
    state = UNPROVED
    for _ in range(times):
        state = state.verification_failed(1, NOON)
    return state


@pytest.mark.parametrize(
    ("state", "wait"),
    [
        pytest.param(UNPROVED, 5 * SECOND, id="an unproved token after five seconds"),
        pytest.param(failed_verifications(1), 10 * SECOND, id="then after ten"),
        pytest.param(failed_verifications(3), 40 * SECOND, id="doubling"),
        pytest.param(failed_verifications(50), 15 * MINUTE, id="up to a quarter of an hour"),
        pytest.param(HELD, 15 * MINUTE, id="a proved one in the usual rhythm"),
        pytest.param(
            HELD.verification_failed(1, NOON + HOUR), 75 * MINUTE, id="which no silence changes"
        ),
        pytest.param(
            UNPROVED.verified(1, NOON + HOUR, None), 75 * MINUTE, id="from the last proof"
        ),
        pytest.param(HELD.unverified(1), timedelta(0), id="a unverified one at once"),
        pytest.param(HELD.loaded(NOON + HOUR), timedelta(0), id="a stored one at once"),
        pytest.param(
            UNPROVED.loaded(NOON + HOUR), timedelta(0), id="a stored unproved one at once"
        ),
    ],
)
def test_the_homey_is_asked_about(state: HomeyState, wait: timedelta) -> None:
    early = wait - timedelta(microseconds=1)

    assert Verify() == decided(state, NOON + wait)
    if wait > timedelta(0):
        assert NOON + wait == getattr(decided(state, NOON + early), "wake", None)


def test_no_second_question_is_asked_while_one_is_under_way() -> None:
    activity = replace(IDLE, verifying=True)

    assert isinstance(decided(HELD, NOON + HOUR, activity=activity), Wait)


@pytest.mark.parametrize(
    ("state", "decision"),
    [
        pytest.param(UNPROVED, Verify(), id="an unproved token is still proved once"),
        pytest.param(
            HELD,
            Wait(NOON + 12 * HOUR, "the token is valid until then", NOON + 12 * HOUR),
            id="a proved one is not asked about again",
        ),
    ],
)
def test_with_the_proof_turned_off(state: HomeyState, decision: Verify | Wait) -> None:
    assert decision == decided(state, NOON + HOUR, plan=RefreshSettings(verify_every=None))


def test_a_due_sink_comes_before_a_due_proof() -> None:
    plan = replace(SINKS, verify_every=MINUTE)

    assert Deliver(("file", "exec")) == decided(UNPROVED, NOON + HOUR, plan=plan)
