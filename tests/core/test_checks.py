"""A sink that can be read back is looked at, and written again where it holds something else."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.decision import Activity, Check, Deliver, RefreshSettings, Verify, Wait
from homey_tokend.core.errors import IllegalEvent, SinkFailed, SinkRejected
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.sink import SinkState
from homey_tokend.core.tokens import DeliveryResult
from tests.core.samples import DAY, HOUR, IDLE, MINUTE, SECOND, decided, holding
from tests.core.simulation import Simulation
from tests.support.clock import NOON

PLAN = RefreshSettings(sinks=("file", "variable"), checked=("variable",))
MEMORY = DeliveryResult(memory={"id": "7"})
WRITTEN = holding().delivered("file", 1, MEMORY, NOON).delivered("variable", 1, MEMORY, NOON)
DUE = NOON + 15 * MINUTE
#: The proof has the same rhythm and comes first: here it is under way.
PROVING = replace(IDLE, verifying=True)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        pytest.param(WRITTEN, DUE, id="as often as the token is proved, from its delivery on"),
        pytest.param(
            WRITTEN.checked("variable", 1, NOON + HOUR), DUE + HOUR, id="then from the last look on"
        ),
    ],
)
def test_a_sink_is_looked_at(state: HomeyState, due: datetime) -> None:
    assert isinstance(decided(state, due - SECOND, activity=PROVING, plan=PLAN), Wait)
    assert Check(("variable",)) == decided(state, due, activity=PROVING, plan=PLAN)


def test_the_next_look_wakes() -> None:
    assert DUE == getattr(decided(WRITTEN, activity=PROVING, plan=PLAN), "wake", None)


@pytest.mark.parametrize(
    ("state", "activity", "plan"),
    [
        pytest.param(
            WRITTEN,
            replace(PROVING, delivering=frozenset({"variable"})),
            PLAN,
            id="while it is under way",
        ),
        pytest.param(WRITTEN, PROVING, replace(PLAN, verify_every=None), id="with the proof off"),
        pytest.param(WRITTEN, PROVING, replace(PLAN, checked=()), id="that cannot be read back"),
        pytest.param(
            WRITTEN.was_revoked(1, NOON),
            replace(PROVING, refreshing=True),
            PLAN,
            id="for a dead token",
        ),
        pytest.param(
            WRITTEN.delivery_failed("file", 1, SinkFailed("full"), at=DUE, random=1.0)
            .drifted("variable", 1)
            .delivery_failed("variable", 1, SinkFailed("full"), at=DUE, random=1.0),
            PROVING,
            PLAN,
            id="that lacks the token and waits to be written",
        ),
    ],
)
def test_no_sink_is_looked_at(state: HomeyState, activity: Activity, plan: RefreshSettings) -> None:
    assert isinstance(decided(state, DUE, activity=activity, plan=plan), Wait)


@pytest.mark.parametrize("plan", [PLAN, replace(PLAN, verify_every=None)])
def test_a_sink_is_looked_at_as_soon_as_its_keeper_begins(plan: RefreshSettings) -> None:
    """However often otherwise; then in the usual rhythm, if there is one."""
    state = WRITTEN.checked("variable", 1, NOON).keeper_started()
    seen = state.checked("variable", 1, NOON)

    assert Check(("variable",)) == decided(state, activity=PROVING, plan=plan)
    assert isinstance(decided(seen, DUE - SECOND, activity=PROVING, plan=plan), Wait)
    assert plan.verify_every is None or isinstance(
        decided(seen, DUE, activity=PROVING, plan=plan), Check
    )


@pytest.mark.parametrize(
    ("rhythm", "again"),
    [
        pytest.param(None, 15 * MINUTE, id="where no rhythm is configured"),
        pytest.param(DAY, 15 * MINUTE, id="sooner than in a slow rhythm"),
        pytest.param(MINUTE, MINUTE, id="in a quick rhythm"),
    ],
)
def test_a_sink_that_could_not_be_seen_yet_is_looked_at_again(
    rhythm: timedelta | None, again: timedelta
) -> None:
    plan = replace(PLAN, verify_every=rhythm)
    state = WRITTEN.keeper_started().check_failed("variable", 1, NOON)

    assert isinstance(decided(state, NOON + again - SECOND, activity=PROVING, plan=plan), Wait)
    assert Check(("variable",)) == decided(state, NOON + again, activity=PROVING, plan=plan)


def test_a_check_that_failed_is_repeated_sooner_than_the_next_one() -> None:
    """What has changed meanwhile is not missed for an hour because one request was lost."""
    hourly = replace(PLAN, verify_every=HOUR)
    lost = WRITTEN.checked("variable", 1, NOON).check_failed("variable", 1, NOON + HOUR)
    seen = lost.checked("variable", 1, DUE + HOUR)

    assert Check(("variable",)) == decided(lost, DUE + HOUR, activity=PROVING, plan=hourly)
    assert isinstance(decided(seen, DUE + HOUR + 59 * MINUTE, activity=PROVING, plan=hourly), Wait)


def test_a_sink_that_was_refused_is_tried_at_once_when_its_keeper_begins() -> None:
    refused = holding().delivery_failed("file", 1, SinkRejected("closed"), at=NOON, random=1.0)
    failed = holding().delivery_failed("file", 1, SinkFailed("full"), at=NOON, random=1.0)
    plan = replace(PLAN, sinks=("file",))

    assert isinstance(decided(refused, plan=plan), Wait)
    assert Deliver(("file",)) == decided(refused.keeper_started(), plan=plan)
    assert isinstance(decided(failed.keeper_started(), plan=plan), Wait)


def test_a_due_proof_comes_before_a_due_look() -> None:
    assert Verify() == decided(WRITTEN, DUE, plan=PLAN)


def test_a_sink_that_holds_something_else_is_written_again_at_once() -> None:
    state = WRITTEN.checked("variable", 1, NOON).drifted("variable", 1)

    expected = SinkState(delivered_at=NOON, memory={"id": "7"}, drifts=1)
    assert expected == state.sink("variable")
    assert Deliver(("variable",)) == decided(state, plan=PLAN)


def test_how_often_a_sink_held_something_else_is_counted_on() -> None:
    state = WRITTEN.drifted("variable", 1).delivered("variable", 1, MEMORY, NOON)

    assert 2 == state.drifted("variable", 1).sink("variable").drifts


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda state: state.checked("variable", 1, NOON), id="looked at"),
        pytest.param(lambda state: state.check_failed("variable", 1, NOON), id="not seen"),
        pytest.param(lambda state: state.drifted("variable", 1), id="found changed"),
    ],
)
def test_a_sink_that_has_a_newer_token_cannot_be(
    event: Callable[[HomeyState], HomeyState],
) -> None:
    newer = holding(state=WRITTEN).delivered("variable", 2, MEMORY, NOON)

    with pytest.raises(IllegalEvent, match="no longer has"):
        event(newer)


def test_in_a_calm_world_a_sink_is_looked_at_four_times_an_hour() -> None:
    simulation = Simulation(lambda _at: None, plan=PLAN)

    simulation.live(NOON + HOUR + SECOND)
    checked_at = simulation.state.sink("variable").checked_at
    simulation.live(NOON + DAY)

    assert checked_at is not None
    assert NOON + 59 * MINUTE < checked_at <= NOON + HOUR + SECOND
