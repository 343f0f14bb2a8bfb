"""Values move between the steady timeline and the wall clock as a whole."""

from datetime import UTC, datetime, timedelta

from hypothesis import given

from homey_tokend.core.events import LogEntry
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.timeline import shift
from tests.core.samples import DAY, HOUR, NOBODY, holding, rejected_account, signed_in
from tests.core.strategies import jumps, stored_homeys
from tests.support.clock import NOON


def test_every_instant_moves_and_nothing_else() -> None:
    expected = holding(at=NOON + HOUR, state=HomeyState("home", attempted_at=NOON + HOUR))

    assert expected == shift(holding(state=HomeyState("home", attempted_at=NOON)), HOUR)


def test_tuples_and_mappings_move_along() -> None:
    account = rejected_account(state=signed_in(NOON, state=NOBODY))

    moved = shift(account, DAY)
    entry = shift(LogEntry("home", NOON, 20, "x", {"until": NOON, "why": "y"}), DAY)  # type: ignore[arg-type]  # a level

    assert rejected_account(at=NOON + DAY, state=signed_in(NOON + DAY)) == moved
    assert {"until": NOON + DAY, "why": "y"} == entry.fields


def test_nothing_is_moved_by_nothing() -> None:
    state = holding()

    assert state is shift(state, timedelta(0))


@given(stored_homeys("home"), jumps)
def test_there_and_back_is_where_it_was(state: HomeyState, by: timedelta) -> None:
    assert state == shift(shift(state, by), -by)


def test_an_instant_beyond_the_calendar_is_its_end() -> None:
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)

    assert (last, first) == (shift(last, DAY), shift(first, -DAY))
