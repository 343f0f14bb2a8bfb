"""An account: what was refused, the passwords that went out, the one-time steps used."""

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
    NOBODY,
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
            NOBODY.signing_in(NOON, 7),
            lambda state: state.signing_in(LATER, 7),
            id="a one-time step that was used",
        ),
        pytest.param(
            NOBODY.signing_in(NOON, 7).not_judged(),
            lambda state: state.signing_in(LATER, 7),
            id="a one-time step that was used and not judged",
        ),
        pytest.param(
            NOBODY, lambda state: state.not_judged(), id="a refund where no password went out"
        ),
    ],
)
def test_is_illegal_and_changes_nothing(
    state: AccountState, event: Callable[[AccountState], AccountState]
) -> None:
    before = replace(state)

    with pytest.raises(IllegalEvent):
        event(state)

    assert before == state


def test_a_password_that_goes_out_is_counted_with_its_one_time_step() -> None:
    state = NOBODY.signing_in(NOON, 7).signing_in(LATER, None)

    assert AccountState(sign_ins=(NOON, LATER), one_time_steps=(7,)) == state


def test_a_password_that_was_not_judged_does_not_count() -> None:
    assert signed_in(NOON) == signed_in(NOON, LATER).not_judged()


def test_the_sign_ins_since_an_instant_are_told_oldest_first() -> None:
    state = signed_in(LATER, NOON, NOON - SECOND, NOON + SECOND)

    assert (NOON + SECOND, LATER) == state.sign_ins_since(NOON)


def test_what_is_remembered_of_sign_ins_is_bounded() -> None:
    state = NOBODY
    for n in range(500):
        state = state.signing_in(NOON + n * SECOND, n)

    assert 200 == len(state.sign_ins)
    assert NOON + 499 * SECOND == state.sign_ins[-1]
    assert tuple(range(484, 500)) == state.one_time_steps


# --- refusals ----------------------------------------------------------------------


def test_refusals_of_the_same_values_are_counted() -> None:
    state = rejected_account(times=2).rejected(LOGIN, last_error_of(WRONG_PASSWORD, LATER))

    expected = Rejection(LOGIN, last_error_of(WRONG_PASSWORD, LATER, 3))
    assert expected == state.rejection(LOGIN)


def test_refusals_of_other_values_are_another_count() -> None:
    state = rejected_account(times=2, state=rejected_account(digest=OTHER))

    first, second = state.rejection(LOGIN), state.rejection(OTHER)
    assert (2, 1) == (first and first.last_error.count, second and second.last_error.count)


def test_values_that_were_never_refused_are_free() -> None:
    assert rejected_account().rejection(OTHER) is None


def test_accepted_values_are_free_and_others_are_not() -> None:
    state = rejected_account(digest=OTHER, state=rejected_account()).accepted(LOGIN)

    assert {OTHER} == set(state.rejections)
    assert (None, NOON + 15 * MINUTE) == (state.rejected_until(LOGIN), state.rejected_until(OTHER))


def test_two_wrong_passwords_cost_an_account_no_more_than_one() -> None:
    state = rejected_account(times=2)
    state = rejected_account(digest=OTHER, at=NOON + MINUTE, times=2, state=state)

    assert [NOON + DAY] * 2 == [state.rejected_until(digest) for digest in (LOGIN, OTHER)]


def test_a_password_that_is_corrected_wrongly_goes_on_where_the_other_left_off() -> None:
    state = rejected_account(times=3)
    tried = []
    for _ in range(3):
        at = state.rejected_until(OTHER) or NOON + HOUR
        tried.append(at - NOON)
        state = rejected_account(digest=OTHER, at=at, state=state)

    assert [HOUR, DAY, DAY + HOUR] == tried


def test_what_an_account_takes_ends_the_count_of_its_day() -> None:
    state = rejected_account(times=3).accepted(LOGIN)

    assert NOON + HOUR + 15 * MINUTE == rejected_account(
        at=NOON + HOUR, state=state
    ).rejected_until(LOGIN)


def test_the_values_refused_last_are_remembered_eight_at_most() -> None:
    state = NOBODY
    for n in range(12):
        state = rejected_account(digest=f"values {n}", at=NOON + n * MINUTE, state=state)
    state = rejected_account(digest="values 5", at=NOON + DAY, state=state)

    assert {f"values {n}" for n in range(5, 12)} | {"values 4"} == set(state.rejections)
    assert 2 == state.rejections["values 5"].last_error.count


# --- force ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("forced", "free_in"),
    [
        pytest.param([], timedelta(0), id="at once the first time"),
        pytest.param([-HOUR], timedelta(0), id="at once the second time"),
        pytest.param([-3 * HOUR, -HOUR], 21 * HOUR, id="a day after the first, the third time"),
        pytest.param([-DAY, -HOUR], timedelta(0), id="at once when the first is a day old"),
        pytest.param(
            [-5 * HOUR, -3 * HOUR, -HOUR], 21 * HOUR, id="a day after the last but one, ever after"
        ),
    ],
)
def test_a_person_may_force_a_try(forced: list[timedelta], free_in: timedelta) -> None:
    state = NOBODY
    for ago in forced:
        state = state.was_forced(NOON + ago)

    assert NOON + free_in == state.may_force_at(NOON)


# --- clocks ----------------------------------------------------------------------------

KNOWN = rejected_account(state=NOBODY.signing_in(NOON, 7)).was_forced(NOON)


@pytest.mark.parametrize(
    "behind",
    [
        pytest.param(timedelta(0), id="the past stays as it is"),
        pytest.param(300 * DAY, id="what a clock ahead wrote down is cut to now"),
    ],
)
def test_no_wait_grows_by_a_clock_ahead(behind: timedelta) -> None:
    assert KNOWN == shift(KNOWN, behind).not_after(NOON)
