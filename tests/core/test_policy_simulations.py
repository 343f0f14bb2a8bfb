"""Policy through days and months with clouds that reject, fail, hang or recover."""

import random
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.account import Digests
from homey_tokend.core.decision import Activity, RefreshSettings, SignInProgress
from homey_tokend.core.errors import (
    ClientRejected,
    ServerError,
    SignInExpired,
    Throttled,
    TokendError,
)
from tests.core.samples import (
    DAY,
    DOWN,
    HOUR,
    MINUTE,
    SECOND,
    UNKNOWN_LOGIN,
    WRONG_CLIENT,
    WRONG_PASSWORD,
    holding,
)
from tests.core.simulation import Simulation, gaps, most_within
from tests.support.clock import NOON

#: Seeds for random numbers, and settings for simulations with thousands of attempts.
seeds = st.integers(0, 2**32).map(random.Random)
long = settings(deadline=None, max_examples=15)
#: An attempt itself takes 0.2 s in this simulation.
TAKES = SECOND


def always(error: TokendError) -> Simulation:
    return Simulation(lambda _at: error, random=random.Random(7).random)  # noqa: S311  scripted random_values


def failing_until(recovers: datetime, error: TokendError) -> Simulation:
    return Simulation(
        lambda at: error if at < recovers else None,
        random=random.Random(recovers.timestamp()).random,  # noqa: S311  scripted random_values
    )


def test_without_failures_there_are_two_sign_ins_a_day_and_always_a_token() -> None:
    simulation = Simulation(lambda _at: None)

    simulation.live(NOON + 30 * DAY)

    assert 0 == len([gap for gap in gaps(simulation.renewed) if gap > 12 * HOUR])
    assert 3 == most_within(DAY, simulation.passwords)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(WRONG_PASSWORD, id="the account"),
        pytest.param(WRONG_CLIENT, id="the client"),
        pytest.param(ClientRejected("no", step="authorise"), id="the redirect URL"),
    ],
)
def test_a_permanent_rejection_is_tried_four_times_on_the_first_day_then_daily(
    error: TokendError,
) -> None:
    simulation = always(error)

    simulation.live(NOON + 30 * DAY)

    assert 4 == most_within(DAY, simulation.passwords)
    assert {DAY} == {timedelta(days=gap.days) for gap in gaps(simulation.passwords)[3:]}
    assert 33 == len(simulation.passwords)


def test_after_any_number_of_rejections_other_credentials_are_tried_at_once() -> None:
    simulation = always(WRONG_PASSWORD)
    simulation.live(NOON + 10 * DAY)
    simulation.activity = Activity(sign_in=SignInProgress(Digests("account", "new", "new")))

    before = len(simulation.passwords)
    simulation.live(simulation.now + SECOND)

    assert before + 1 == len(simulation.passwords)


@long
@given(first=st.integers(1, 60), most=st.integers(60, 3600), random_values=seeds)
def test_without_a_token_a_failing_cloud_is_tried_at_least_each_minute(
    first: int, most: int, random_values: random.Random
) -> None:
    settings = RefreshSettings(retry_first=first * SECOND, retry_most=most * SECOND)
    simulation = Simulation(lambda _at: DOWN, settings=settings, random=random_values.random)

    simulation.live(NOON + HOUR)

    assert MINUTE + TAKES >= max(gaps(simulation.tried))
    assert [] == list(simulation.account.sign_ins)


@long
@given(random_values=seeds)
def test_with_a_valid_token_a_failing_cloud_is_tried_within_the_configured_maximum(
    random_values: random.Random,
) -> None:
    simulation = Simulation(lambda _at: DOWN, state=holding(), random=random_values.random)

    simulation.live(NOON + 25 * HOUR)

    calm = [at for at in simulation.tried if at < NOON + 23 * HOUR]
    tense = [at for at in simulation.tried if at >= NOON + 23 * HOUR]
    assert 12 * HOUR == calm[0] - NOON
    assert 5 * MINUTE + TAKES >= max(gaps(calm))
    assert MINUTE + TAKES >= max(gaps(tense))
    assert MINUTE + TAKES >= tense[0] - (NOON + 23 * HOUR)


@pytest.mark.parametrize("homeys", [1, 3])
@pytest.mark.parametrize(
    "error",
    [
        pytest.param(UNKNOWN_LOGIN, id="the response to the password was unknown"),
        pytest.param(Throttled("slow down", step="token", status=429), id="429 after it"),
        pytest.param(SignInExpired("again", step="consent", status=403), id="an expired sign-in"),
        pytest.param(ServerError("unwell", step="user", status=500), id="5xx after it"),
    ],
)
def test_a_cloud_that_fails_after_the_login_gets_no_more_passwords_than_the_budget(
    error: TokendError, homeys: int
) -> None:
    simulation = always(error)
    simulation.settings = RefreshSettings(homeys=homeys)

    simulation.live(NOON + 3 * DAY)

    budget = 10 + 2 * homeys

    assert budget * 3 // 4 <= most_within(12 * HOUR, simulation.passwords) <= budget


@long
@given(
    outage=st.timedeltas(timedelta(0), 40 * HOUR),
    retry_after=st.none() | st.timedeltas(timedelta(0), 40 * HOUR),
)
def test_there_is_a_token_within_ten_minutes_of_the_end_of_an_outage(
    outage: timedelta, retry_after: timedelta | None
) -> None:
    error = ServerError("unwell", step="login", status=503, retry_after=retry_after)
    recovers = NOON + outage
    simulation = failing_until(recovers, error)

    simulation.live(recovers + 11 * MINUTE)

    assert simulation.renewed
    assert recovers <= simulation.renewed[0] <= recovers + 10 * MINUTE + TAKES


@long
@given(outage=st.timedeltas(timedelta(0), 11 * HOUR), begins=st.timedeltas(HOUR, 30 * HOUR))
def test_an_outage_shorter_than_half_a_lifetime_leaves_no_gap(
    outage: timedelta, begins: timedelta
) -> None:
    start, end = NOON + begins, NOON + begins + outage
    simulation = Simulation(lambda at: DOWN if start <= at < end else None)

    simulation.live(NOON + 4 * DAY)

    for (_, dies), (born, _) in pairwise(simulation.held):
        assert born < dies


def test_no_one_time_code_is_sent_twice() -> None:
    simulation = always(DOWN)
    simulation.settings = RefreshSettings(one_time=True, retry_first=timedelta(milliseconds=10))

    simulation.live(NOON + HOUR)

    assert len(simulation.codes) == len(set(simulation.codes))
    assert 50 < len(simulation.codes)
