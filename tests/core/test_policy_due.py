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
    SECOND,
    SETTINGS,
    decided,
    failing,
    holding,
)
from tests.support.clock import NOON

EMPTY = HomeyState("home")
HELD = holding()
RENEWING = replace(IDLE, refreshing=True)
#: Without verifications, so that only refreshes are due.
NO_VERIFICATION = RefreshSettings(verify_every=None)


def requested(state: HomeyState, *, forced: bool = False, at: datetime = NOON) -> HomeyState:
    return state.requested(at + MINUTE, forced=forced, at=at)


@pytest.mark.parametrize(
    ("state", "now", "why"),
    [
        pytest.param(EMPTY, NOON, "no valid token", id="there is no token: at once"),
        pytest.param(HELD, NOON + DAY, "no valid token", id="the token has expired: at once"),
        pytest.param(
            HELD.was_revoked(1, NOON),
            NOON + MINUTE,
            "the Homey rejects the current token",
            id="the Homey rejected the token: at once",
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
            requested(HELD),
            NOON,
            "a newer token was requested",
            id="somebody requests a newer token: at once",
        ),
        pytest.param(
            HELD,
            NOON + 12 * HOUR,
            "the token is due for renewal",
            id="the random share of its lifetime has passed: at once",
        ),
        pytest.param(
            requested(failing(HELD), forced=True),
            NOON,
            "a newer token was requested",
            id="a person requests it: no wait after failures",
        ),
        pytest.param(
            failing(EMPTY, DOWN, random=0.0),
            NOON,
            "no valid token",
            id="the random wait after a failure is zero: at once",
        ),
    ],
)
def test_a_refresh_starts(state: HomeyState, now: datetime, why: str) -> None:
    assert Renew(why) == decided(state, now, settings=NO_VERIFICATION)


@pytest.mark.parametrize(
    ("state", "now", "until", "why"),
    [
        pytest.param(
            HELD, NOON, NOON + 12 * HOUR, "the token is due for renewal", id="a fresh token: wait"
        ),
        pytest.param(
            HELD,
            NOON - timedelta(minutes=5),
            NOON + 12 * HOUR,
            "the token is due for renewal",
            id="a token issued five minutes ahead of our clock is valid",
        ),
        pytest.param(
            requested(HELD),
            NOON + MINUTE,
            NOON + 12 * HOUR,
            "the token is due for renewal",
            id="a request has expired",
        ),
    ],
)
def test_no_refresh_starts(state: HomeyState, now: datetime, until: datetime, why: str) -> None:
    decision = decided(state, now, settings=NO_VERIFICATION)

    assert isinstance(decision, Wait)
    assert (until, why) == (decision.until, decision.why)


def test_no_second_refresh_starts_while_one_is_running() -> None:
    assert Wait(None, "no valid token", None) == decided(EMPTY, activity=RENEWING)


def test_a_revoked_token_is_not_verified_while_a_refresh_is_running() -> None:
    decision = decided(HELD.was_revoked(1, NOON), NOON + HOUR, activity=RENEWING)

    assert Wait(None, "the Homey rejects the current token", None) == decision


def test_the_keeper_wakes_when_a_token_from_the_future_becomes_valid() -> None:
    early = NOON - HOUR

    assert NOON - timedelta(minutes=5) == getattr(
        decided(HELD, early, activity=RENEWING), "wake", 0
    )


def test_the_random_share_is_between_at_minus_jitter_and_at() -> None:
    settings = RefreshSettings(at=0.5, jitter=0.05)

    assert [0.5, 0.475, 0.45] == [settings.fraction(draw) for draw in (0.0, 0.5, 1.0)]


def test_the_same_state_gives_the_same_decision() -> None:
    state = failing(HELD, at=NOON + 13 * HOUR, times=4, random=0.123)

    assert decided(state, NOON + 13 * HOUR) == decided(state, NOON + 13 * HOUR)


@pytest.mark.parametrize(
    ("life", "fraction", "after"),
    [
        pytest.param(DAY, 0.5, 12 * HOUR, id="the random share of its lifetime"),
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
        pytest.param(100 * SECOND, 10 * SECOND, id="for a tenth of a short lifetime"),
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
        pytest.param(NOON + 12 * HOUR, NOON + 23 * HOUR, id="when it must be renewed"),
        pytest.param(NOON + 23 * HOUR, NOON + DAY, id="then its expiry"),
    ],
)
def test_the_keeper_wakes_for_its_token(now: datetime, wake: datetime) -> None:
    activity = IDLE if now == NOON else RENEWING

    assert wake == getattr(
        decided(HELD, now, activity=activity, settings=NO_VERIFICATION), "wake", None
    )


def test_the_keeper_wakes_when_a_request_expires() -> None:
    state = replace(failing(HELD, times=10), request=RefreshRequest(NOON + SECOND))

    assert NOON + SECOND == getattr(decided(state, settings=NO_VERIFICATION), "wake", None)


def test_a_due_refresh_comes_before_a_due_verification() -> None:
    unverified = holding(verified=False).requested(NOON + DAY, forced=False, at=NOON)

    assert Renew("a newer token was requested") == decided(unverified, NOON + HOUR)
    assert Verify() == decided(unverified, NOON + HOUR, activity=RENEWING)
    assert isinstance(
        decided(unverified, activity=Activity(refreshing=True), settings=SETTINGS), Wait
    )
