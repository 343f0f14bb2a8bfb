"""A Homey's state: verifications, sinks, clocks that are set, and restarts."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.decision import RefreshSettings, Verify
from homey_tokend.core.errors import ServerError, SinkFailed, SinkRejected
from homey_tokend.core.failure import Failure
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.sink import SinkState
from homey_tokend.core.timeline import shift
from homey_tokend.core.tokens import DeliveryResult
from tests.core.samples import (
    DAY,
    HOUR,
    MINUTE,
    SECOND,
    SITE,
    WRONG_CLIENT,
    decided,
    failing,
    holding,
)
from tests.core.strategies import clock_jumps, stored_homeys
from tests.support.clock import NOON

HELD = holding()
LATER = NOON + HOUR
FULL = SinkFailed("the disk is full")
YEARS = timedelta(days=3000)


def sink_failure(state: HomeyState) -> Failure:
    failure = state.sink("file").failure
    assert failure is not None
    return failure


# --- the verification -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("reported", "expires_at"),
    [
        pytest.param(None, NOON + DAY, id="stays, if the Homey reports none"),
        pytest.param(NOON + 2 * DAY, NOON + 2 * DAY, id="is what the Homey reports"),
        pytest.param(NOON + MINUTE, NOON + MINUTE, id="may become earlier"),
        pytest.param(NOON, NOON + DAY, id="is never before the issue"),
        pytest.param(NOON + DAY + 2 * SECOND, NOON + DAY, id="does not drift to later"),
        pytest.param(NOON + DAY - 2 * SECOND, NOON + DAY, id="does not drift to earlier"),
    ],
)
def test_the_expiry_after_a_verification(reported: datetime | None, expires_at: datetime) -> None:
    state = HELD.verification_failed(1, NOON).verified(1, LATER, reported)

    assert state.token is not None
    assert expires_at == state.token.expires_at
    assert (LATER, LATER, 0) == (
        state.verified_at,
        state.last_verification_at,
        state.failed_verifications,
    )


def test_a_changed_expiry_is_delivered_to_the_sinks_that_have_the_token() -> None:
    memory = DeliveryResult(memory={"id": "7"})
    before = HELD.delivered("old", 1, memory, NOON)
    state = holding(state=before).delivered("new", 2, memory, NOON)

    same = state.verified(2, LATER, NOON + DAY + SECOND)
    other = state.verified(2, LATER, NOON + 2 * DAY)

    assert state.sinks == same.sinks
    assert state.sink("old") == other.sink("old")
    assert replace(state.sink("new"), generation=None) == other.sink("new")


def test_a_sink_with_an_outdated_expiry_gets_the_token_again() -> None:
    state = HELD.delivered("file", 1, DeliveryResult(), NOON)

    assert state.outdated("file", 1).sink("file").generation is None
    assert state == state.outdated("file", 2)


def test_a_reported_expiry_is_marked_as_reported() -> None:
    assumed = replace(HELD, token=replace(HELD.token, expiry_reported=False))  # type: ignore[type-var]  # the plugin and replace()

    assert assumed.verified(1, LATER, None).token == assumed.token
    assert HELD.token == assumed.verified(1, LATER, NOON + DAY).token


def test_a_failed_verification_keeps_the_token() -> None:
    state = HELD.verification_failed(1, LATER).verification_failed(1, LATER)

    assert replace(HELD, last_verification_at=LATER, failed_verifications=2) == state


def test_a_revoked_token_stays_revoked() -> None:
    assert replace(HELD, revoked=True, last_verification_at=LATER) == HELD.was_revoked(1, LATER)


def test_an_unverified_token_counts_as_never_verified() -> None:
    state = HELD.verification_failed(1, LATER).unverified(1)

    assert replace(HELD, verified_at=None, last_verification_at=None) == state


# --- sinks -----------------------------------------------------------------------


def test_a_delivery_ends_the_failures_of_a_sink_and_stores_its_memory() -> None:
    failed = HELD.delivery_failed("file", 1, FULL, at=NOON, random=0.5)
    state = failed.delivered("file", 1, DeliveryResult(memory={"id": "7"}), LATER)

    assert SinkState(generation=1, delivered_at=LATER, memory={"id": "7"}) == state.sink("file")


def test_a_failed_delivery_keeps_what_the_sink_has() -> None:
    before = HELD.delivered("file", 1, DeliveryResult(memory={"id": "7"}), NOON)
    state = holding(state=before).delivery_failed("file", 2, FULL, at=LATER, random=0.5)

    sink = state.sink("file")
    assert (1, 2, {"id": "7"}) == (sink.generation, sink.failed_generation, sink.memory)
    assert not sink.rejected


def test_the_same_token_can_be_delivered_again() -> None:
    once = HELD.delivered("file", 1, DeliveryResult(), NOON)

    assert LATER == once.delivered("file", 1, DeliveryResult(), LATER).sink("file").delivered_at


def test_the_failures_of_a_sink_are_counted_per_token() -> None:
    twice = HELD.delivery_failed("file", 1, FULL, at=NOON, random=0.5).delivery_failed(
        "file", 1, SinkRejected("403"), at=NOON, random=0.5
    )
    newer = holding(state=twice).delivery_failed("file", 2, FULL, at=NOON, random=0.5)

    assert (2, True) == (sink_failure(twice).last_error.count, twice.sink("file").rejected)
    assert (1, False) == (sink_failure(newer).last_error.count, newer.sink("file").rejected)


def test_sinks_do_not_affect_each_other() -> None:
    state = HELD.delivery_failed("file", 1, FULL, at=NOON, random=0.5)

    assert SinkState() == state.delivered("exec", 1, DeliveryResult(), NOON).sink("other")
    assert state.sink("file") == state.delivered("exec", 1, DeliveryResult(), NOON).sink("file")


# --- a clock that is set ------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "by", "moved"),
    [
        pytest.param(HELD, HOUR, timedelta(0), id="of this process: stays (set forward)"),
        pytest.param(HELD, -HOUR, timedelta(0), id="of this process: stays (set back)"),
        pytest.param(HELD.loaded(NOON), HOUR, -HOUR, id="loaded: becomes earlier"),
        pytest.param(HELD.loaded(NOON), -HOUR, timedelta(0), id="loaded: never becomes later"),
        pytest.param(HELD.loaded(NOON, None), HOUR, timedelta(0), id="of this boot: stays"),
        pytest.param(HomeyState("home"), HOUR, timedelta(0), id="without a token: nothing"),
    ],
)
def test_the_expiry_after_the_clock_is_set(
    state: HomeyState, by: timedelta, moved: timedelta
) -> None:
    clock_set = state.clock_set(by)

    assert shift(state.token, moved) == clock_set.token
    assert replace(state, token=None) == replace(
        clock_set, token=None, loaded_offset=state.loaded_offset
    )


@settings(max_examples=50)
@given(stored_homeys("home"), st.lists(clock_jumps, min_size=1, max_size=4))
def test_of_several_clock_changes_the_largest_offset_counts(
    state: HomeyState, offsets: list[timedelta]
) -> None:
    state = state.loaded(NOON)
    moved = state
    for offset in offsets:
        moved = moved.clock_set(offset)

    assert shift(state.token, -max(timedelta(0), *offsets)) == moved.token


# --- restarts ----------------------------------------------------------------------


def test_nothing_is_running_after_loading() -> None:
    state = HELD.verification_failed(1, LATER).requested(LATER, forced=True, at=NOON)

    assert replace(
        HELD, loaded_offset=timedelta(0), last_verification_at=None, verified_at=None
    ) == state.loaded(LATER)


def test_failures_still_count_after_a_restart() -> None:
    state = failing(HELD).rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5)
    state = state.delivery_failed("file", 1, FULL, at=NOON, random=0.5)

    loaded = state.loaded(NOON)

    assert (state.failure, state.rejection, state.sinks) == (
        loaded.failure,
        loaded.rejection,
        loaded.sinks,
    )


def test_instants_of_a_clock_that_was_ahead_make_no_wait_longer() -> None:
    ahead = NOON + YEARS
    error = ServerError("wait", step="login", retry_after=MINUTE)
    state = (
        HELD.rejected(WRONG_CLIENT, digest=SITE, at=ahead, random=0.5)
        .delivery_failed("file", 1, error, at=ahead, random=0.5)
        .verified(1, ahead, None)
    )
    again = failing(state, error, at=ahead).loaded(NOON)

    assert again.failure is not None
    assert again.rejection is not None
    assert (NOON, NOON + MINUTE) == (again.failure.last_error.at, again.failure.not_before)
    assert NOON + 15 * MINUTE == again.rejection.until
    assert NOON == sink_failure(again).last_error.at
    assert NOON + MINUTE == sink_failure(again).not_before


def test_a_delivery_in_the_future_counts_as_one_of_now() -> None:
    state = HELD.delivered("file", 1, DeliveryResult(), NOON + YEARS).loaded(NOON)

    assert NOON == state.sink("file").delivered_at


def test_a_loaded_token_is_verified_again() -> None:
    state = HELD.verified(1, NOON, None).loaded(LATER)

    assert state.verified_at is None
    assert Verify() == decided(state, LATER, settings=RefreshSettings(verify_every=None))


def test_one_future_instant_does_not_move_the_others() -> None:
    state = HELD.rejected(WRONG_CLIENT, digest=SITE, at=NOON - HOUR, random=0.5)
    state = failing(state, at=NOON + YEARS).loaded(NOON)

    assert state.rejection is not None
    assert NOON - 45 * MINUTE == state.rejection.until


@settings(max_examples=50)
@given(stored_homeys("home"), st.datetimes(datetime(1900, 1, 1), datetime(2300, 1, 1)))  # noqa: DTZ001  given a zone below
def test_any_stored_state_can_be_loaded_with_any_clock(state: HomeyState, now: datetime) -> None:
    here = now.replace(tzinfo=UTC)
    loaded = state.loaded(here)

    known = [loaded.failure, loaded.rejection, *(one.failure for one in loaded.sinks.values())]
    assert all(one.last_error.at <= here for one in known if one)
