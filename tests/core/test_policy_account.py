"""What delays a password: rejections, the budget, one-time steps, and what blocked the last attempt."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.account import AccountState, Digests
from homey_tokend.core.decision import (
    Activity,
    Blocked,
    Constraint,
    RefreshSettings,
    Renew,
    SignInProgress,
    Wait,
)
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.policy import is_rejected, sign_in_constraint
from homey_tokend.core.totp import time_step
from tests.core.samples import (
    DAY,
    HOUR,
    IDLE,
    LOGIN,
    MINUTE,
    NEW_ACCOUNT,
    NO_PASSWORD,
    OTHER,
    SECOND,
    SITE,
    WRONG_CLIENT,
    WRONG_PASSWORD,
    decided,
    failing,
    holding,
    rejected_account,
    signed_in,
)
from tests.support.clock import NOON

EMPTY = HomeyState("home")
REJECTED = failing(EMPTY, WRONG_PASSWORD)
FORCED = REJECTED.requested(NOON + DAY, forced=True, at=NOON)
LADDER = [
    pytest.param(1, 15 * MINUTE, id="one rejection, a quarter of an hour"),
    pytest.param(2, HOUR, id="two rejections, an hour"),
    pytest.param(3, 4 * HOUR, id="three rejections, four hours"),
    pytest.param(4, DAY, id="four rejections, a day"),
    pytest.param(5, DAY, id="five rejections, a day"),
]
OTHER_VALUES = replace(IDLE, sign_in=SignInProgress(Digests("account", OTHER, OTHER)))
SPENT = signed_in(*(NOON + n * SECOND for n in range(12)))
ONE_TIME = RefreshSettings(one_time=True)
USED = NEW_ACCOUNT.signing_in(NOON, time_step(NOON))


def rejected_site(times: int = 1) -> HomeyState:
    state = EMPTY
    for _ in range(times):
        state = state.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=1.0)
    return state


# --- rejections------------------------------------------------------------------


@pytest.mark.parametrize(("times", "wait"), LADDER)
def test_a_rejected_account_is_tried_again_after(times: int, wait: timedelta) -> None:
    decision = decided(REJECTED, account=rejected_account(times=times))

    assert Blocked(NOON + wait, "the account was rejected", NOON + wait) == decision


@pytest.mark.parametrize(("times", "wait"), LADDER)
def test_a_rejected_sign_in_is_tried_again_after(times: int, wait: timedelta) -> None:
    decision = decided(rejected_site(times))

    assert Blocked(NOON + wait, "the sign-in was rejected", NOON + wait) == decision


@pytest.mark.parametrize(
    ("state", "account", "activity", "now"),
    [
        pytest.param(
            REJECTED, rejected_account(), IDLE, NOON + 15 * MINUTE, id="when the ladder says so"
        ),
        pytest.param(
            REJECTED, rejected_account(), OTHER_VALUES, NOON, id="at once with another password"
        ),
        pytest.param(
            rejected_site(),
            NEW_ACCOUNT,
            OTHER_VALUES,
            NOON,
            id="at once with another client or Homey",
        ),
        pytest.param(
            REJECTED,
            rejected_account(),
            NO_PASSWORD,
            NOON,
            id="at once where no password is needed",
        ),
        pytest.param(
            FORCED, rejected_account(times=9), IDLE, NOON, id="at once if a person requests it"
        ),
        pytest.param(
            rejected_site(9).requested(NOON + DAY, forced=True, at=NOON),
            NEW_ACCOUNT,
            IDLE,
            NOON,
            id="at once if a person requests it, whatever was rejected",
        ),
    ],
)
def test_a_rejected_sign_in_is_tried(
    state: HomeyState, account: AccountState, activity: Activity, now: datetime
) -> None:
    assert Renew("no valid token") == decided(state, now, account=account, activity=activity)


def test_a_rejected_homey_waits_even_if_no_password_is_needed() -> None:
    assert isinstance(decided(rejected_site(), activity=NO_PASSWORD), Blocked)


def test_a_rejected_account_blocks_its_other_homeys() -> None:
    assert isinstance(decided(EMPTY, account=rejected_account()), Blocked)


def test_a_forced_request_is_used_up_by_its_attempt() -> None:
    assert isinstance(decided(FORCED.attempted(NOON), account=rejected_account()), Blocked)


def test_a_blocked_keeper_still_wakes_for_its_token() -> None:
    late = NOON + 23 * HOUR
    state = failing(holding(), WRONG_PASSWORD, at=late)
    account = rejected_account(at=late, times=4)

    decision = decided(state, late, account=account, settings=RefreshSettings(verify_every=None))

    assert Blocked(late + DAY, "the account was rejected", NOON + DAY) == decision


# --- the budget ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "settings", "opens"),
    [
        pytest.param(SPENT, RefreshSettings(), NOON + 12 * HOUR, id="twelve for one Homey"),
        pytest.param(
            signed_in(NOON - HOUR, state=SPENT),
            RefreshSettings(),
            NOON + 12 * HOUR,
            id="the twelfth newest counts, in whatever order they were written down",
        ),
        pytest.param(
            signed_in(*(NOON + n * SECOND for n in range(16))),
            RefreshSettings(homeys=3),
            NOON + 12 * HOUR,
            id="two more for each further Homey",
        ),
        pytest.param(
            SPENT,
            RefreshSettings(lifetime=10 * HOUR),
            NOON + 5 * HOUR,
            id="within half a token's life",
        ),
        pytest.param(
            SPENT,
            RefreshSettings(lifetime=365 * DAY),
            NOON + DAY,
            id="within a day, however long it lives",
        ),
    ],
)
def test_the_budget_of_sign_ins_is(
    account: AccountState, settings: RefreshSettings, opens: datetime
) -> None:
    late = NOON + 20 * SECOND

    decision = decided(EMPTY, late, account=account, settings=settings)

    assert Blocked(opens, "the sign-in budget is used up", opens) == decision
    assert Renew("no valid token") == decided(EMPTY, opens, account=account, settings=settings)


def test_the_lifetime_of_the_current_token_determines_the_budget() -> None:
    short = holding(life=2 * HOUR).was_revoked(1, NOON)

    assert isinstance(decided(short, NOON + HOUR - SECOND, account=SPENT), Blocked)
    assert isinstance(decided(short, NOON + HOUR, account=SPENT), Renew)


def test_tokens_that_live_for_seconds_do_not_cost_a_password_each() -> None:
    """A Homey whose clock is wrong may report this for each token."""
    fleeting = holding(life=30 * SECOND)
    pretended = RefreshSettings(budget_span_least=timedelta(0))

    assert isinstance(decided(fleeting, NOON + HOUR - SECOND, account=SPENT), Blocked)
    assert isinstance(decided(fleeting, NOON + HOUR + MINUTE, account=SPENT), Renew)
    assert isinstance(decided(fleeting, NOON + MINUTE, account=SPENT, settings=pretended), Renew)


def test_a_forced_request_waits_for_the_budget() -> None:
    assert isinstance(decided(FORCED, NOON + MINUTE, account=SPENT), Blocked)


@pytest.mark.parametrize(
    ("spent", "gap"),
    [
        pytest.param(1, timedelta(0), id="after the first, none"),
        pytest.param(2, 12 * HOUR / 1024, id="after the second, some 42 seconds"),
        pytest.param(6, 12 * HOUR / 64, id="after half of it, some eleven minutes"),
        pytest.param(11, 6 * HOUR, id="before the last, half the window"),
    ],
)
def test_the_gap_grows_as_the_budget_is_used_up(spent: int, gap: timedelta) -> None:
    account = AccountState(sign_ins=(NOON,) * spent)

    if gap:
        assert isinstance(decided(EMPTY, NOON + gap - SECOND, account=account), Blocked)
    assert isinstance(decided(EMPTY, NOON + gap, account=account), Renew)


def test_a_forced_request_does_not_wait_for_the_gap() -> None:
    account = AccountState(sign_ins=(NOON,) * 11)
    state = EMPTY.requested(NOON + HOUR, forced=True, at=NOON)

    assert isinstance(decided(state, NOON, account=account), Renew)


def test_a_grant_in_memory_needs_no_budget() -> None:
    assert isinstance(decided(EMPTY, NOON + MINUTE, account=SPENT, activity=NO_PASSWORD), Renew)


# --- one-time steps ----------------------------------------------------------------


def test_an_attempt_waits_for_an_unused_one_time_step() -> None:
    now = NOON + timedelta(seconds=11, microseconds=7)
    then = NOON + timedelta(seconds=30)

    decision = decided(EMPTY, now, account=USED, settings=ONE_TIME)

    assert Wait(then, "waiting for a new one-time code", then) == decision
    assert isinstance(decided(EMPTY, then, account=USED, settings=ONE_TIME), Renew)


def test_a_forced_request_waits_for_an_unused_one_time_step() -> None:
    assert isinstance(decided(FORCED, account=USED, settings=ONE_TIME), Wait)


def test_without_a_one_time_secret_there_is_no_wait_for_a_step() -> None:
    assert isinstance(decided(EMPTY, NOON + MINUTE, account=USED), Renew)


# --- with the credentials just read -------------------------------------


@pytest.mark.parametrize(
    ("account", "activity", "why"),
    [
        pytest.param(NEW_ACCOUNT, IDLE, None, id="free: it may"),
        pytest.param(rejected_account(), IDLE, "the account was rejected", id="rejected: not now"),
        pytest.param(
            rejected_account(), replace(IDLE, forced=True), None, id="rejected, and forced: it may"
        ),
        pytest.param(
            SPENT,
            replace(IDLE, forced=True),
            "the sign-in budget is used up",
            id="budget used up, and forced: not now",
        ),
    ],
)
def test_whether_a_password_may_be_sent(
    account: AccountState, activity: Activity, why: str | None
) -> None:
    constraint = sign_in_constraint(EMPTY, account, activity, NOON + MINUTE, RefreshSettings())

    assert why == (constraint and constraint.why)


@pytest.mark.parametrize(
    ("activity", "forced", "until"),
    [
        pytest.param(IDLE, False, NOON + 30 * SECOND, id="delays the next attempt"),
        pytest.param(
            NO_PASSWORD,
            False,
            None,
            id="does not matter without a password",
        ),
        pytest.param(IDLE, True, None, id="does not delay a forced request"),
    ],
)
def test_what_blocked_the_last_attempt(
    activity: Activity, forced: bool, until: datetime | None
) -> None:
    state = EMPTY.attempted(NOON)
    state = state.requested(NOON + DAY, forced=True, at=NOON) if forced else state
    met = replace(activity, blocked=Constraint(NOON + 30 * SECOND, "met", blocking=True))

    decision = decided(state, NOON, activity=met)

    assert until == getattr(decision, "until", None)


def test_what_blocked_the_last_attempt_delays_the_next_by_a_minute_at_most() -> None:
    met = replace(IDLE, blocked=Constraint(NOON + DAY, "the account was rejected", blocking=True))

    assert isinstance(decided(EMPTY.attempted(NOON), NOON, activity=met), Blocked)
    assert isinstance(decided(EMPTY.attempted(NOON), NOON + MINUTE, activity=met), Renew)


def test_the_account_is_that_of_the_digests_in_memory() -> None:
    assert isinstance(decided(REJECTED, account=rejected_account(digest=LOGIN)), Blocked)
    assert isinstance(decided(REJECTED, account=rejected_account(digest=OTHER)), Renew)


def test_forced_attempts_are_counted_while_a_rejection_lasts() -> None:
    """They are counted while these credentials are rejected, and no longer."""
    account = rejected_account()

    assert is_rejected(EMPTY, account, IDLE, NOON + MINUTE)
    assert not is_rejected(EMPTY, account, IDLE, NOON + 2 * DAY)
    assert not is_rejected(EMPTY, NEW_ACCOUNT, IDLE, NOON)
