"""Values move between the steady timeline and the wall clock as a whole."""

from datetime import UTC, datetime, timedelta

from hypothesis import given

from homey_tokend.core.events import LogEntry
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.timeline import shift
from tests.core.samples import DAY, HOUR, NEW_ACCOUNT, holding, rejected_account, signed_in
from tests.core.strategies import clock_jumps, stored_homeys
from tests.support.clock import NOON


def test_all_instants_move_and_nothing_else() -> None:
    expected = holding(at=NOON + HOUR, state=HomeyState("home", attempted_at=NOON + HOUR))

    assert expected == shift(holding(state=HomeyState("home", attempted_at=NOON)), HOUR)


def test_instants_in_tuples_and_mappings_move() -> None:
    account = rejected_account(state=signed_in(NOON, state=NEW_ACCOUNT))

    moved = shift(account, DAY)
    entry = shift(LogEntry("home", NOON, 20, "x", {"until": NOON, "why": "y"}), DAY)  # type: ignore[arg-type]  # a level

    assert rejected_account(at=NOON + DAY, state=signed_in(NOON + DAY)) == moved
    assert {"until": NOON + DAY, "why": "y"} == entry.fields


def test_a_shift_by_zero_returns_the_same_object() -> None:
    state = holding()

    assert state is shift(state, timedelta(0))


@given(stored_homeys("home"), clock_jumps)
def test_a_shift_can_be_undone(state: HomeyState, by: timedelta) -> None:
    assert state == shift(shift(state, by), -by)


def test_an_instant_beyond_the_calendar_is_clipped() -> None:
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    assert (last, first) == (shift(last, DAY), shift(first, -DAY))
