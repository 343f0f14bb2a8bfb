"""An account: rejections, the passwords that were sent, the one-time steps that were used."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from homey_tokend.core.account import AccountState, Rejection
from homey_tokend.core.errors import IllegalEvent
from homey_tokend.core.failure import last_error_of
from homey_tokend.core.timeline import shift
from tests.core.samples import (
    DAY,
    HOUR,
    LOGIN,
    MINUTE,
    NEW_ACCOUNT,
    OTHER,
    SECOND,
    WRONG_PASSWORD,
    rejected_account,
    signed_in,
)
from tests.support.clock import NOON

LATER = NOON + HOUR


# --- passwords and one-time steps --------------------------------------------------


@pytest.mark.parametrize(
    ("state", "event"),
    [
        pytest.param(
            NEW_ACCOUNT.signing_in(NOON, 7),
            lambda state: state.signing_in(LATER, 7),
            id="a one-time step that was used",
        ),
        pytest.param(
            NEW_ACCOUNT.signing_in(NOON, 7).not_judged(),
            lambda state: state.signing_in(LATER, 7),
            id="a one-time step that was used and not judged",
        ),
        pytest.param(
            NEW_ACCOUNT, lambda state: state.not_judged(), id="a removal where no password was sent"
        ),
    ],
)
def test_an_illegal_event_changes_nothing(
    state: AccountState, event: Callable[[AccountState], AccountState]
) -> None:
    before = replace(state)

    with pytest.raises(IllegalEvent):
        event(state)

    assert before == state


def test_a_password_is_counted_with_its_one_time_step_before_it_is_sent() -> None:
    state = NEW_ACCOUNT.signing_in(NOON, 7).signing_in(LATER, None)

    assert AccountState(sign_ins=(NOON, LATER), one_time_steps=(7,)) == state


def test_a_password_that_was_not_judged_does_not_count() -> None:
    assert signed_in(NOON) == signed_in(NOON, LATER).not_judged()


def test_sign_ins_since_an_instant_are_returned_oldest_first() -> None:
    state = signed_in(LATER, NOON, NOON - SECOND, NOON + SECOND)

    assert (NOON + SECOND, LATER) == state.sign_ins_since(NOON)


def test_the_number_of_stored_sign_ins_is_bounded() -> None:
    state = NEW_ACCOUNT
    for n in range(500):
        state = state.signing_in(NOON + n * SECOND, n)

    assert 200 == len(state.sign_ins)
    assert NOON + 499 * SECOND == state.sign_ins[-1]
    assert tuple(range(484, 500)) == state.one_time_steps


# --- rejections--------------------------------------------------------------------


def test_rejections_of_the_same_credentials_are_counted() -> None:
    state = rejected_account(times=2).rejected(LOGIN, last_error_of(WRONG_PASSWORD, LATER))

    expected = Rejection(LOGIN, last_error_of(WRONG_PASSWORD, LATER, 3))
    assert expected == state.rejection(LOGIN)


def test_rejections_of_other_credentials_are_counted_separately() -> None:
    state = rejected_account(times=2, state=rejected_account(digest=OTHER))

    first, second = state.rejection(LOGIN), state.rejection(OTHER)
    assert (2, 1) == (first and first.last_error.count, second and second.last_error.count)


def test_credentials_that_were_never_rejected_need_not_wait() -> None:
    assert rejected_account().rejection(OTHER) is None


def test_accepting_credentials_ends_their_rejection_and_no_other() -> None:
    state = rejected_account(digest=OTHER, state=rejected_account()).accepted(LOGIN)

    assert {OTHER} == set(state.rejections)
    assert (None, NOON + 15 * MINUTE) == (state.rejected_until(LOGIN), state.rejected_until(OTHER))


def test_two_wrong_passwords_cost_no_more_sign_ins_than_one() -> None:
    state = rejected_account(times=2)
    state = rejected_account(digest=OTHER, at=NOON + MINUTE, times=2, state=state)

    assert [NOON + DAY] * 2 == [state.rejected_until(digest) for digest in (LOGIN, OTHER)]


def test_a_wrongly_corrected_password_does_not_raise_the_daily_limit() -> None:
    state = rejected_account(times=3)
    tried = []
    for _ in range(3):
        at = state.rejected_until(OTHER) or NOON + HOUR
        tried.append(at - NOON)
        state = rejected_account(digest=OTHER, at=at, state=state)

    assert [HOUR, DAY, DAY + HOUR] == tried


def test_an_accepted_login_resets_the_daily_limit() -> None:
    state = rejected_account(times=3).accepted(LOGIN)

    assert NOON + HOUR + 15 * MINUTE == rejected_account(
        at=NOON + HOUR, state=state
    ).rejected_until(LOGIN)


def test_at_most_eight_rejected_credentials_are_remembered() -> None:
    state = NEW_ACCOUNT
    for n in range(12):
        state = rejected_account(digest=f"values {n}", at=NOON + n * MINUTE, state=state)
    state = rejected_account(digest="values 5", at=NOON + DAY, state=state)

    assert {f"values {n}" for n in range(5, 12)} | {"values 4"} == set(state.rejections)
    assert 2 == state.rejections["values 5"].last_error.count


# --- forced attempts -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forced", "free_in"),
    [
        pytest.param([], timedelta(0), id="at once the first time"),
        pytest.param([-HOUR], timedelta(0), id="at once the second time"),
        pytest.param([-3 * HOUR, -HOUR], 21 * HOUR, id="a day after the first, the third time"),
        pytest.param([-DAY, -HOUR], timedelta(0), id="at once when the first is a day old"),
        pytest.param(
            [-5 * HOUR, -3 * HOUR, -HOUR],
            21 * HOUR,
            id="a day after the last but one, from then on",
        ),
    ],
)
def test_a_person_can_force_an_attempt(forced: list[timedelta], free_in: timedelta) -> None:
    state = NEW_ACCOUNT
    for ago in forced:
        state = state.was_forced(NOON + ago)

    assert NOON + free_in == state.may_force_at(NOON)


# --- clocks ----------------------------------------------------------------------------

KNOWN = rejected_account(state=NEW_ACCOUNT.signing_in(NOON, 7)).was_forced(NOON)


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(timedelta(0), id="the past stays as it is"),
        pytest.param(300 * DAY, id="instants in the future become now"),
    ],
)
def test_a_clock_that_was_ahead_makes_no_wait_longer(behind: timedelta) -> None:
    assert KNOWN == shift(KNOWN, behind).not_after(NOON)
