"""When is a refresh due, and when is the next attempt to have one? Without refusals and budgets."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.errors import ServerTrouble, TokendError
from homey_tokend.model import Step
from homey_tokend.policy import (
    Facts,
    Plan,
    Renew,
    Verify,
    Wait,
    backoff,
    should_renew_at,
    young_until,
)
from homey_tokend.state import Failure, HomeyState, Wish
from tests.fakes.clock import NOON
from tests.thoughts.samples import (
    DAY,
    DOWN,
    HOUR,
    IDLE,
    MINUTE,
    PLAN,
    SECOND,
    UNKNOWN_LOGIN,
    decided,
    failing,
    holding,
)

EMPTY = HomeyState("home")
HELD = holding()
RENEWING = replace(IDLE, renewing=True)
#: No proof comes between: what is asked here is the refresh alone.
PROVED = Plan(verify_every=None)


def wished(state: HomeyState, *, forced: bool = False, at: datetime = NOON) -> HomeyState:
    return state.asked(at + MINUTE, forced=forced, at=at)


def throttled(after: timedelta | datetime) -> TokendError:
    return ServerTrouble("wait", step=Step.TOKEN, status=503, retry_after=after)


@pytest.mark.parametrize(
    ("state", "now", "why"),
    [
        pytest.param(EMPTY, NOON, "no valid token", id="no token is held: at once"),
        pytest.param(HELD, NOON + DAY, "no valid token", id="the token has expired: at once"),
        pytest.param(
            HELD.was_revoked(1, NOON),
            NOON + MINUTE,
            "the Homey refuses the held token",
            id="the Homey refused the token: at once",
        ),
        pytest.param(
            HELD,
            NOON - timedelta(minutes=5, microseconds=1),
            "no valid token",
            id="the token is from the future: at once",
        ),
        pytest.param(
            wished(HELD),
            NOON,
            "a newer token was asked for",
            id="somebody wants a newer token: at once",
        ),
        pytest.param(
            HELD,
            NOON + 12 * HOUR,
            "the token is good until then",
            id="the drawn part of its life is used: at once",
        ),
        pytest.param(
            wished(failing(HELD), forced=True),
            NOON,
            "a newer token was asked for",
            id="a person asks: the spacing after failures is passed",
        ),
        pytest.param(
            failing(EMPTY, DOWN, draw=0.0),
            NOON,
            "no valid token",
            id="chance drew no wait after a failure: at once",
        ),
    ],
)
def test_a_refresh_is_begun(state: HomeyState, now: datetime, why: str) -> None:
    assert Renew(why) == decided(state, now, plan=PROVED)


@pytest.mark.parametrize(
    ("state", "now", "until", "why"),
    [
        pytest.param(
            HELD, NOON, NOON + 12 * HOUR, "the token is good until then", id="a fresh token: wait"
        ),
        pytest.param(
            HELD,
            NOON - timedelta(minutes=5),
            NOON + 12 * HOUR,
            "the token is good until then",
            id="a token issued five minutes ahead of our clock is still believed",
        ),
        pytest.param(
            wished(HELD),
            NOON + MINUTE,
            NOON + 12 * HOUR,
            "the token is good until then",
            id="a wish is void at its end",
        ),
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=9),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=256),
            "spacing after a failure",
            id="rotate fails, old token still good: the spacing doubles",
        ),
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=10),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + 5 * MINUTE,
            "spacing after a failure",
            id="the spacing grows to its maximum",
        ),
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=10, draw=0.25),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=75),
            "spacing after a failure",
            id="the spacing is the stored draw of it",
        ),
        pytest.param(
            failing(HELD, at=NOON + 23 * HOUR, times=10),
            NOON + 23 * HOUR,
            NOON + 23 * HOUR + MINUTE,
            "spacing after a failure",
            id="in the last hour attempts are at most a minute apart",
        ),
        pytest.param(
            failing(EMPTY, times=10),
            NOON,
            NOON + MINUTE,
            "spacing after a failure",
            id="without a token attempts are at most a minute apart",
        ),
        pytest.param(
            failing(HELD.was_revoked(1, NOON), times=10),
            NOON,
            NOON + MINUTE,
            "spacing after a failure",
            id="with a revoked token attempts are at most a minute apart",
        ),
        pytest.param(
            failing(EMPTY, UNKNOWN_LOGIN),
            NOON,
            NOON + 15 * MINUTE,
            "an unknown answer to the password",
            id="an unknown answer to a password: a quarter of an hour, even without a token",
        ),
        pytest.param(
            failing(wished(HELD, forced=True).attempted(NOON), times=3),
            NOON,
            NOON + timedelta(seconds=4),
            "spacing after a failure",
            id="a person's wish passes the spacing once",
        ),
        pytest.param(
            failing(HELD, throttled(20 * MINUTE), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + 20 * MINUTE,
            "the server asked to wait",
            id="Retry-After is a lower bound",
        ),
        pytest.param(
            failing(HELD, throttled(NOON + 13 * HOUR), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 13 * HOUR,
            "the server asked to wait",
            id="Retry-After may be an instant",
        ),
        pytest.param(
            failing(HELD, throttled(3 * DAY), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 13 * HOUR,
            "the server asked to wait",
            id="Retry-After holds an hour at most",
        ),
        pytest.param(
            failing(HELD, throttled(3 * DAY), at=NOON + 23 * HOUR),
            NOON + 23 * HOUR,
            NOON + 23 * HOUR + 10 * MINUTE,
            "the server asked to wait",
            id="Retry-After holds ten minutes at most in the last hour",
        ),
        pytest.param(
            failing(EMPTY, throttled(3 * DAY)),
            NOON,
            NOON + 10 * MINUTE,
            "the server asked to wait",
            id="Retry-After holds ten minutes at most without a token",
        ),
        pytest.param(
            failing(HELD, throttled(NOON - DAY), at=NOON + 12 * HOUR, times=3),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=4),
            "spacing after a failure",
            id="a Retry-After in the past asks for nothing",
        ),
    ],
)
def test_the_next_attempt_waits(
    state: HomeyState, now: datetime, until: datetime, why: str
) -> None:
    decision = decided(state, now, plan=PROVED)

    assert isinstance(decision, Wait)
    assert (until, why) == (decision.until, decision.why)


def test_while_a_refresh_is_under_way_none_is_begun() -> None:
    assert Wait(None, "no valid token", None) == decided(EMPTY, facts=RENEWING)


def test_a_revoked_token_is_neither_proved_nor_waited_for_while_a_refresh_is_under_way() -> None:
    decision = decided(HELD.was_revoked(1, NOON), NOON + HOUR, facts=RENEWING)

    assert Wait(None, "the Homey refuses the held token", None) == decision


def test_a_token_from_the_future_is_looked_at_again_when_it_would_be_believed() -> None:
    early = NOON - HOUR

    assert NOON - timedelta(minutes=5) == getattr(decided(HELD, early, facts=RENEWING), "wake", 0)


def test_the_jitter_is_one_draw_between_at_less_jitter_and_at() -> None:
    plan = Plan(at=0.5, jitter=0.05)

    assert [0.5, 0.475, 0.45] == [plan.fraction(draw) for draw in (0.0, 0.5, 1.0)]


def test_a_decision_on_the_same_state_is_the_same() -> None:
    state = failing(HELD, at=NOON + 13 * HOUR, times=4, draw=0.123)

    assert decided(state, NOON + 13 * HOUR) == decided(state, NOON + 13 * HOUR)


@pytest.mark.parametrize(
    ("life", "fraction", "after"),
    [
        pytest.param(DAY, 0.5, 12 * HOUR, id="the drawn part of its life"),
        pytest.param(100 * HOUR, 0.995, 99 * HOUR, id="an hour before the end of a long one"),
        pytest.param(100 * SECOND, 0.95, 90 * SECOND, id="a tenth before the end of a short one"),
    ],
)
def test_a_token_is_renewed_after(life: timedelta, fraction: float, after: timedelta) -> None:
    state = holding(life=life, fraction=fraction)

    assert state.token is not None
    assert NOON + after == should_renew_at(state, state.token)


@pytest.mark.parametrize(
    ("life", "young"),
    [
        pytest.param(DAY, MINUTE, id="for a minute"),
        pytest.param(100 * SECOND, 10 * SECOND, id="for a tenth of a short life"),
    ],
)
def test_a_token_is_too_young_to_be_replaced_on_request(life: timedelta, young: timedelta) -> None:
    state = holding(life=life)

    assert state.token is not None
    assert NOON + young == young_until(state.token)


def test_no_count_of_failures_is_too_large_for_the_spacing() -> None:
    failure = failing(EMPTY).failure

    assert failure is not None
    many = Failure(replace(failure.trouble, count=10**15), 1.0)
    assert 5 * MINUTE == backoff(many, SECOND, 5 * MINUTE)


@pytest.mark.parametrize(
    ("now", "wake"),
    [
        pytest.param(NOON, NOON + 12 * HOUR, id="first its refresh"),
        pytest.param(NOON + 12 * HOUR, NOON + 23 * HOUR, id="then its must window"),
        pytest.param(NOON + 23 * HOUR, NOON + DAY, id="then its end"),
    ],
)
def test_a_held_token_wakes_at(now: datetime, wake: datetime) -> None:
    facts = IDLE if now == NOON else RENEWING

    assert wake == getattr(decided(HELD, now, facts=facts, plan=PROVED), "wake", None)


def test_the_end_of_a_wish_wakes() -> None:
    state = replace(failing(HELD, times=10), wish=Wish(NOON + SECOND))

    assert NOON + SECOND == getattr(decided(state, plan=PROVED), "wake", None)


def test_a_due_refresh_comes_before_a_due_proof() -> None:
    unproved = holding(proved=False).asked(NOON + DAY, forced=False, at=NOON)

    assert Renew("a newer token was asked for") == decided(unproved, NOON + HOUR)
    assert Verify() == decided(unproved, NOON + HOUR, facts=RENEWING)
    assert isinstance(decided(unproved, facts=Facts(renewing=True), plan=PLAN), Wait)
