"""What holds a password back: refusals, the budget, one-time steps, and a gate just met."""

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
    NO_PASSWORD,
    NOBODY,
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
REFUSED = failing(EMPTY, WRONG_PASSWORD)
FORCED = REFUSED.requested(NOON + DAY, forced=True, at=NOON)
LADDER = [
    pytest.param(1, 15 * MINUTE, id="one refusal, a quarter of an hour"),
    pytest.param(2, HOUR, id="two refusals, an hour"),
    pytest.param(3, 4 * HOUR, id="three refusals, four hours"),
    pytest.param(4, DAY, id="four refusals, a day"),
    pytest.param(5, DAY, id="five refusals, a day"),
]
OTHER_VALUES = replace(IDLE, sign_in=SignInProgress(Digests("account", OTHER, OTHER)))
SPENT = signed_in(*(NOON + n * SECOND for n in range(12)))
ONE_TIME = RefreshSettings(one_time=True)
USED = NOBODY.signing_in(NOON, time_step(NOON))


def refused_site(times: int = 1) -> HomeyState:
    state = EMPTY
    for _ in range(times):
        state = state.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=1.0)
    return state


# --- refusals --------------------------------------------------------------------


@pytest.mark.parametrize(("times", "wait"), LADDER)
def test_a_rejected_account_is_tried_again_after(times: int, wait: timedelta) -> None:
    decision = decided(REFUSED, account=rejected_account(times=times))

    assert Blocked(NOON + wait, "the account was rejected", NOON + wait) == decision


@pytest.mark.parametrize(("times", "wait"), LADDER)
def test_a_refused_sign_in_is_tried_again_after(times: int, wait: timedelta) -> None:
    decision = decided(refused_site(times))

    assert Blocked(NOON + wait, "the sign-in was rejected", NOON + wait) == decision


@pytest.mark.parametrize(
    ("state", "account", "activity", "now"),
    [
        pytest.param(
            REFUSED, rejected_account(), IDLE, NOON + 15 * MINUTE, id="when the ladder says so"
        ),
        pytest.param(
            REFUSED, rejected_account(), OTHER_VALUES, NOON, id="at once with another password"
        ),
        pytest.param(
            refused_site(), NOBODY, OTHER_VALUES, NOON, id="at once with another client or Homey"
        ),
        pytest.param(
            REFUSED, rejected_account(), NO_PASSWORD, NOON, id="at once where no password is needed"
        ),
        pytest.param(FORCED, rejected_account(times=9), IDLE, NOON, id="at once if a person asks"),
        pytest.param(
            refused_site(9).requested(NOON + DAY, forced=True, at=NOON),
            NOBODY,
            IDLE,
            NOON,
            id="at once if a person asks, whatever was refused",
        ),
    ],
)
def test_a_refused_sign_in_is_tried(
    state: HomeyState, account: AccountState, activity: Activity, now: datetime
) -> None:
    assert Renew("no valid token") == decided(state, now, account=account, activity=activity)


def test_a_consent_that_does_not_cover_the_homey_holds_without_a_password_too() -> None:
    assert isinstance(decided(refused_site(), activity=NO_PASSWORD), Blocked)


def test_a_rejected_account_holds_back_a_homey_that_was_not_refused_itself() -> None:
    assert isinstance(decided(EMPTY, account=rejected_account()), Blocked)


def test_a_forced_try_is_spent_by_its_attempt() -> None:
    assert isinstance(decided(FORCED.attempted(NOON), account=rejected_account()), Blocked)


def test_while_a_refresh_is_held_back_the_held_token_still_wakes() -> None:
    late = NOON + 23 * HOUR
    state = failing(holding(), WRONG_PASSWORD, at=late)
    account = rejected_account(at=late, times=4)

    decision = decided(state, late, account=account, plan=RefreshSettings(verify_every=None))

    assert Blocked(late + DAY, "the account was rejected", NOON + DAY) == decision


# --- the budget ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("account", "plan", "opens"),
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
    account: AccountState, plan: RefreshSettings, opens: datetime
) -> None:
    late = NOON + 20 * SECOND

    decision = decided(EMPTY, late, account=account, plan=plan)

    assert Blocked(opens, "the sign-in budget is used up", opens) == decision
    assert Renew("no valid token") == decided(EMPTY, opens, account=account, plan=plan)


def test_the_life_of_the_held_token_counts_for_the_budget() -> None:
    short = holding(life=2 * HOUR).was_revoked(1, NOON)

    assert isinstance(decided(short, NOON + HOUR - SECOND, account=SPENT), Blocked)
    assert isinstance(decided(short, NOON + HOUR, account=SPENT), Renew)


def test_tokens_that_live_for_seconds_do_not_cost_a_password_each() -> None:
    """A Homey whose clock is wrong may tell so of each token."""
    fleeting = holding(life=30 * SECOND)
    pretended = RefreshSettings(budget_span_least=timedelta(0))

    assert isinstance(decided(fleeting, NOON + HOUR - SECOND, account=SPENT), Blocked)
    assert isinstance(decided(fleeting, NOON + HOUR + MINUTE, account=SPENT), Renew)
    assert isinstance(decided(fleeting, NOON + MINUTE, account=SPENT, plan=pretended), Renew)


def test_a_person_does_not_pass_the_budget() -> None:
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
def test_the_less_of_the_budget_is_left_the_longer_the_gap(spent: int, gap: timedelta) -> None:
    account = AccountState(sign_ins=(NOON,) * spent)

    if gap:
        assert isinstance(decided(EMPTY, NOON + gap - SECOND, account=account), Blocked)
    assert isinstance(decided(EMPTY, NOON + gap, account=account), Renew)


def test_a_person_does_not_wait_for_the_gap() -> None:
    account = AccountState(sign_ins=(NOON,) * 11)
    state = EMPTY.requested(NOON + HOUR, forced=True, at=NOON)

    assert isinstance(decided(state, NOON, account=account), Renew)


def test_a_grant_in_memory_needs_no_budget() -> None:
    assert isinstance(decided(EMPTY, NOON + MINUTE, account=SPENT, activity=NO_PASSWORD), Renew)


# --- one-time steps ----------------------------------------------------------------


def test_a_used_one_time_step_waits_for_the_next() -> None:
    now = NOON + timedelta(seconds=11, microseconds=7)
    then = NOON + timedelta(seconds=30)

    decision = decided(EMPTY, now, account=USED, plan=ONE_TIME)

    assert Wait(then, "waiting for a new one-time code", then) == decision
    assert isinstance(decided(EMPTY, then, account=USED, plan=ONE_TIME), Renew)


def test_a_person_waits_for_a_new_one_time_code_too() -> None:
    assert isinstance(decided(FORCED, account=USED, plan=ONE_TIME), Wait)


def test_without_a_one_time_secret_no_step_is_waited_for() -> None:
    assert isinstance(decided(EMPTY, NOON + MINUTE, account=USED), Renew)


# --- asked once more, with the values just read -------------------------------------


@pytest.mark.parametrize(
    ("account", "activity", "why"),
    [
        pytest.param(NOBODY, IDLE, None, id="free: it may"),
        pytest.param(rejected_account(), IDLE, "the account was rejected", id="refused: not now"),
        pytest.param(
            rejected_account(), replace(IDLE, forced=True), None, id="refused, and forced: it may"
        ),
        pytest.param(
            SPENT,
            replace(IDLE, forced=True),
            "the sign-in budget is used up",
            id="budget spent, and forced: not now",
        ),
    ],
)
def test_whether_a_password_may_go_out(
    account: AccountState, activity: Activity, why: str | None
) -> None:
    gate = sign_in_constraint(EMPTY, account, activity, NOON + MINUTE, RefreshSettings())

    assert why == (gate and gate.why)


@pytest.mark.parametrize(
    ("activity", "forced", "until"),
    [
        pytest.param(IDLE, False, NOON + 30 * SECOND, id="is not run into again"),
        pytest.param(
            NO_PASSWORD,
            False,
            None,
            id="closes nothing without a password",
        ),
        pytest.param(IDLE, True, None, id="is no gate for a person who asks"),
    ],
)
def test_a_gate_just_met(activity: Activity, forced: bool, until: datetime | None) -> None:
    state = EMPTY.attempted(NOON)
    state = state.requested(NOON + DAY, forced=True, at=NOON) if forced else state
    met = replace(activity, blocked=Constraint(NOON + 30 * SECOND, "met", blocking=True))

    decision = decided(state, NOON, activity=met)

    assert until == getattr(decision, "until", None)


def test_a_gate_that_has_since_been_opened_by_another_homey_holds_a_minute_at_most() -> None:
    met = replace(IDLE, blocked=Constraint(NOON + DAY, "the account was rejected", blocking=True))

    assert isinstance(decided(EMPTY.attempted(NOON), NOON, activity=met), Blocked)
    assert isinstance(decided(EMPTY.attempted(NOON), NOON + MINUTE, activity=met), Renew)


def test_the_digests_in_use_are_those_of_the_facts() -> None:
    assert isinstance(decided(REFUSED, account=rejected_account(digest=LOGIN)), Blocked)
    assert isinstance(decided(REFUSED, account=rejected_account(digest=OTHER)), Renew)


def test_a_refusal_that_still_holds_makes_a_person_s_try_count() -> None:
    """Two tries a day are counted while these very values are refused, and no longer."""
    account = rejected_account()

    assert is_rejected(EMPTY, account, IDLE, NOON + MINUTE)
    assert not is_rejected(EMPTY, account, IDLE, NOON + 2 * DAY)
    assert not is_rejected(EMPTY, NOBODY, IDLE, NOON)
