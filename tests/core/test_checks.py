"""A sink that can be read back is checked, and written again if its content differs."""

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

SETTINGS = RefreshSettings(sinks=("file", "variable"), checked=("variable",))
MEMORY = DeliveryResult(memory={"id": "7"})
WRITTEN = holding().delivered("file", 1, MEMORY, NOON).delivered("variable", 1, MEMORY, NOON)
DUE = NOON + 15 * MINUTE
#: A verification has the same interval and comes first, so here it is running.
VERIFYING = replace(IDLE, verifying=True)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        pytest.param(WRITTEN, DUE, id="as often as the token is verified, from its delivery on"),
        pytest.param(
            WRITTEN.checked("variable", 1, NOON + HOUR),
            DUE + HOUR,
            id="then from the last check on",
        ),
    ],
)
def test_a_sink_is_checked(state: HomeyState, due: datetime) -> None:
    assert isinstance(decided(state, due - SECOND, activity=VERIFYING, settings=SETTINGS), Wait)
    assert Check(("variable",)) == decided(state, due, activity=VERIFYING, settings=SETTINGS)


def test_the_keeper_wakes_for_the_next_check() -> None:
    assert DUE == getattr(decided(WRITTEN, activity=VERIFYING, settings=SETTINGS), "wake", None)


@pytest.mark.parametrize(
    ("state", "activity", "settings"),
    [
        pytest.param(
            WRITTEN,
            replace(VERIFYING, delivering=frozenset({"variable"})),
            SETTINGS,
            id="while it is running",
        ),
        pytest.param(
            WRITTEN,
            VERIFYING,
            replace(SETTINGS, verify_every=None),
            id="with verification turned off",
        ),
        pytest.param(
            WRITTEN, VERIFYING, replace(SETTINGS, checked=()), id="that cannot be read back"
        ),
        pytest.param(
            WRITTEN.was_revoked(1, NOON),
            replace(VERIFYING, refreshing=True),
            SETTINGS,
            id="for an expired token",
        ),
        pytest.param(
            WRITTEN.delivery_failed("file", 1, SinkFailed("full"), at=DUE, random=1.0)
            .drifted("variable", 1)
            .delivery_failed("variable", 1, SinkFailed("full"), at=DUE, random=1.0),
            VERIFYING,
            SETTINGS,
            id="that does not have the token and waits to be written",
        ),
    ],
)
def test_no_sink_is_checked(
    state: HomeyState, activity: Activity, settings: RefreshSettings
) -> None:
    assert isinstance(decided(state, DUE, activity=activity, settings=settings), Wait)


@pytest.mark.parametrize("settings", [SETTINGS, replace(SETTINGS, verify_every=None)])
def test_a_sink_is_checked_when_its_keeper_starts(settings: RefreshSettings) -> None:
    """Whatever the interval; then in that interval, if there is one."""
    state = WRITTEN.checked("variable", 1, NOON).keeper_started()
    seen = state.checked("variable", 1, NOON)

    assert Check(("variable",)) == decided(state, activity=VERIFYING, settings=settings)
    assert isinstance(decided(seen, DUE - SECOND, activity=VERIFYING, settings=settings), Wait)
    assert settings.verify_every is None or isinstance(
        decided(seen, DUE, activity=VERIFYING, settings=settings), Check
    )


@pytest.mark.parametrize(
    ("rhythm", "again"),
    [
        pytest.param(None, 15 * MINUTE, id="without a configured interval"),
        pytest.param(DAY, 15 * MINUTE, id="sooner than a long interval"),
        pytest.param(MINUTE, MINUTE, id="in a short interval"),
    ],
)
def test_a_failed_check_is_repeated(rhythm: timedelta | None, again: timedelta) -> None:
    settings = replace(SETTINGS, verify_every=rhythm)
    state = WRITTEN.keeper_started().check_failed("variable", 1, NOON)

    assert isinstance(
        decided(state, NOON + again - SECOND, activity=VERIFYING, settings=settings), Wait
    )
    assert Check(("variable",)) == decided(
        state, NOON + again, activity=VERIFYING, settings=settings
    )


def test_a_check_that_failed_is_repeated_sooner_than_the_next_one() -> None:
    """A change is not missed for an hour because one request failed."""
    hourly = replace(SETTINGS, verify_every=HOUR)
    lost = WRITTEN.checked("variable", 1, NOON).check_failed("variable", 1, NOON + HOUR)
    seen = lost.checked("variable", 1, DUE + HOUR)

    assert Check(("variable",)) == decided(lost, DUE + HOUR, activity=VERIFYING, settings=hourly)
    assert isinstance(
        decided(seen, DUE + HOUR + 59 * MINUTE, activity=VERIFYING, settings=hourly), Wait
    )


def test_a_rejected_sink_is_tried_at_once_when_its_keeper_starts() -> None:
    rejected = holding().delivery_failed("file", 1, SinkRejected("closed"), at=NOON, random=1.0)
    failed = holding().delivery_failed("file", 1, SinkFailed("full"), at=NOON, random=1.0)
    settings = replace(SETTINGS, sinks=("file",))

    assert isinstance(decided(rejected, settings=settings), Wait)
    assert Deliver(("file",)) == decided(rejected.keeper_started(), settings=settings)
    assert isinstance(decided(failed.keeper_started(), settings=settings), Wait)


def test_a_due_verification_comes_before_a_due_check() -> None:
    assert Verify() == decided(WRITTEN, DUE, settings=SETTINGS)


def test_a_sink_with_other_content_is_written_again_at_once() -> None:
    state = WRITTEN.checked("variable", 1, NOON).drifted("variable", 1)

    expected = SinkState(delivered_at=NOON, memory={"id": "7"}, drifts=1)
    assert expected == state.sink("variable")
    assert Deliver(("variable",)) == decided(state, settings=SETTINGS)


def test_the_count_of_drifts_is_kept() -> None:
    state = WRITTEN.drifted("variable", 1).delivered("variable", 1, MEMORY, NOON)

    assert 2 == state.drifted("variable", 1).sink("variable").drifts


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda state: state.checked("variable", 1, NOON), id="checked"),
        pytest.param(lambda state: state.check_failed("variable", 1, NOON), id="check failed"),
        pytest.param(lambda state: state.drifted("variable", 1), id="drifted"),
    ],
)
def test_an_event_about_an_older_token_is_illegal_for_a_sink(
    event: Callable[[HomeyState], HomeyState],
) -> None:
    newer = holding(state=WRITTEN).delivered("variable", 2, MEMORY, NOON)

    with pytest.raises(IllegalEvent, match="no longer has"):
        event(newer)


def test_without_failures_a_sink_is_checked_four_times_an_hour() -> None:
    simulation = Simulation(lambda _at: None, settings=SETTINGS)

    simulation.live(NOON + HOUR + SECOND)
    checked_at = simulation.state.sink("variable").checked_at
    simulation.live(NOON + DAY)

    assert checked_at is not None
    assert NOON + 59 * MINUTE < checked_at <= NOON + HOUR + SECOND
