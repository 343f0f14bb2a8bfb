"""When a refresh is due, and when a token is verified again."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.decision import Activity, RefreshSettings, Renew, Verify, Wait
from homey_tokend.core.homey import HomeyState, RefreshRequest
from tests.core.samples import (
    DAY,
    DOWN,
    HOUR,
    IDLE,
    MINUTE,
    PLAN,
    SECOND,
    decided,
    failing,
    holding,
)
from tests.support.clock import NOON

EMPTY = HomeyState("home")
HELD = holding()
RENEWING = replace(IDLE, refreshing=True)
#: No proof comes between: what is asked here is the refresh alone.
PROVED = RefreshSettings(verify_every=None)


def wished(state: HomeyState, *, forced: bool = False, at: datetime = NOON) -> HomeyState:
    return state.requested(at + MINUTE, forced=forced, at=at)


@pytest.mark.parametrize(
    ("state", "now", "why"),
    [
        pytest.param(EMPTY, NOON, "no valid token", id="no token is held: at once"),
        pytest.param(HELD, NOON + DAY, "no valid token", id="the token has expired: at once"),
        pytest.param(
            HELD.was_revoked(1, NOON),
            NOON + MINUTE,
            "the Homey rejects the current token",
            id="the Homey refused the token: at once",
        ),
        pytest.param(
            HELD,
            NOON - timedelta(minutes=5, microseconds=1),
            "no valid token",
            id="the token is from the future: at once",
        ),
        pytest.param(
            HELD.was_revoked(1, NOON),
            NOON - DAY,
            "no valid token",
            id="the token is revoked and from the future: at once",
        ),
        pytest.param(
            wished(HELD),
            NOON,
            "a newer token was requested",
            id="somebody wants a newer token: at once",
        ),
        pytest.param(
            HELD,
            NOON + 12 * HOUR,
            "the token is valid until then",
            id="the drawn part of its life is used: at once",
        ),
        pytest.param(
            wished(failing(HELD), forced=True),
            NOON,
            "a newer token was requested",
            id="a person asks: the spacing after failures is passed",
        ),
        pytest.param(
            failing(EMPTY, DOWN, random=0.0),
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
            HELD, NOON, NOON + 12 * HOUR, "the token is valid until then", id="a fresh token: wait"
        ),
        pytest.param(
            HELD,
            NOON - timedelta(minutes=5),
            NOON + 12 * HOUR,
            "the token is valid until then",
            id="a token issued five minutes ahead of our clock is still believed",
        ),
        pytest.param(
            wished(HELD),
            NOON + MINUTE,
            NOON + 12 * HOUR,
            "the token is valid until then",
            id="a wish is void at its end",
        ),
    ],
)
def test_no_refresh_is_begun(state: HomeyState, now: datetime, until: datetime, why: str) -> None:
    decision = decided(state, now, plan=PROVED)

    assert isinstance(decision, Wait)
    assert (until, why) == (decision.until, decision.why)


def test_while_a_refresh_is_under_way_none_is_begun() -> None:
    assert Wait(None, "no valid token", None) == decided(EMPTY, activity=RENEWING)


def test_a_revoked_token_is_neither_proved_nor_waited_for_while_a_refresh_is_under_way() -> None:
    decision = decided(HELD.was_revoked(1, NOON), NOON + HOUR, activity=RENEWING)

    assert Wait(None, "the Homey rejects the current token", None) == decision


def test_a_token_from_the_future_is_looked_at_again_when_it_would_be_believed() -> None:
    early = NOON - HOUR

    assert NOON - timedelta(minutes=5) == getattr(
        decided(HELD, early, activity=RENEWING), "wake", 0
    )


def test_the_jitter_is_one_draw_between_at_less_jitter_and_at() -> None:
    plan = RefreshSettings(at=0.5, jitter=0.05)

    assert [0.5, 0.475, 0.45] == [plan.fraction(draw) for draw in (0.0, 0.5, 1.0)]


def test_a_decision_on_the_same_state_is_the_same() -> None:
    state = failing(HELD, at=NOON + 13 * HOUR, times=4, random=0.123)

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
    assert NOON + after == state.should_renew_at(state.token)


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
    assert NOON + young == state.token.young_until


@pytest.mark.parametrize(
    ("now", "wake"),
    [
        pytest.param(NOON, NOON + 12 * HOUR, id="first its refresh"),
        pytest.param(NOON + 12 * HOUR, NOON + 23 * HOUR, id="then its must window"),
        pytest.param(NOON + 23 * HOUR, NOON + DAY, id="then its end"),
    ],
)
def test_a_held_token_wakes_at(now: datetime, wake: datetime) -> None:
    activity = IDLE if now == NOON else RENEWING

    assert wake == getattr(decided(HELD, now, activity=activity, plan=PROVED), "wake", None)


def test_the_end_of_a_wish_wakes() -> None:
    state = replace(failing(HELD, times=10), request=RefreshRequest(NOON + SECOND))

    assert NOON + SECOND == getattr(decided(state, plan=PROVED), "wake", None)


def test_a_due_refresh_comes_before_a_due_proof() -> None:
    unproved = holding(verified=False).requested(NOON + DAY, forced=False, at=NOON)

    assert Renew("a newer token was requested") == decided(unproved, NOON + HOUR)
    assert Verify() == decided(unproved, NOON + HOUR, activity=RENEWING)
    assert isinstance(decided(unproved, activity=Activity(refreshing=True), plan=PLAN), Wait)
