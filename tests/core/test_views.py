"""The status of one Homey."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.status import Health, SinkView, View, view_of
from homey_tokend.core.tokens import DeliveryResult
from tests.core.samples import (
    DAY,
    HOUR,
    IDLE,
    MINUTE,
    NEW_ACCOUNT,
    SECOND,
    WRONG_PASSWORD,
    failing,
    holding,
    rejected_account,
    signed_in,
)
from tests.support.clock import NOON

EMPTY = HomeyState("home")
HELD = holding()
SINKS = RefreshSettings(sinks=("file",))
FULL = SinkFailed("the disk is full")
UNWRITTEN = HELD.delivery_failed("file", 1, FULL, at=NOON, random=1.0)
LATE = NOON + 23 * HOUR


def seen(
    state: HomeyState,
    now: datetime = NOON,
    *,
    account: AccountState = NEW_ACCOUNT,
    activity: Activity = IDLE,
) -> View:
    return view_of(state, account, activity, now, SINKS, "https://configured.example")


@pytest.mark.parametrize(
    ("state", "now", "health"),
    [
        pytest.param(EMPTY, NOON, Health.STARTING, id="before the first attempt: starting"),
        pytest.param(failing(EMPTY), NOON, Health.DOWN, id="no token, and a failure: down"),
        pytest.param(HELD, NOON, Health.OK, id="a token and no failure: ok"),
        pytest.param(HELD, LATE, Health.OK, id="a token that expires soon and no failure: ok"),
        pytest.param(failing(HELD), NOON, Health.FAILING, id="a refresh failed: failing"),
        pytest.param(UNWRITTEN, NOON, Health.FAILING, id="a sink failed: failing"),
        pytest.param(
            UNWRITTEN.delivered("file", 1, DeliveryResult(), NOON),
            NOON,
            Health.OK,
            id="it works: ok",
        ),
        pytest.param(
            HELD.delivery_failed("gone", 1, FULL, at=NOON, random=0.5),
            NOON,
            Health.OK,
            id="a sink that is no longer configured failed once: ok",
        ),
        pytest.param(
            failing(HELD), LATE, Health.DEGRADED, id="a refresh failed and the token expires soon"
        ),
        pytest.param(HELD, NOON + DAY, Health.DOWN, id="the token has expired: down"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, Health.DOWN, id="the token is revoked: down"),
        pytest.param(HELD, NOON - HOUR, Health.DOWN, id="the token is from the future: down"),
    ],
)
def test_health_is(state: HomeyState, now: datetime, health: Health) -> None:
    assert health == seen(state, now).health


def test_a_valid_token_is_shown_with_its_address() -> None:
    view = seen(HELD.verified(1, NOON + MINUTE, None), NOON + HOUR)

    assert (HELD.token, "https://hub.example") == (view.token, view.url)
    assert (NOON + MINUTE, NOON + 12 * HOUR, 1) == (view.verified_at, view.renew_at, view.refreshes)
    assert (NOON + 12 * HOUR, "the token is due for renewal") == (view.next_at, view.next_reason)
    assert (None, None, None) == (view.last_error, view.outage_at, view.sign_in_blocked_until)
    assert not view.refreshing


@pytest.mark.parametrize(
    ("state", "now"),
    [
        pytest.param(HELD, NOON + DAY, id="has expired"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, id="is revoked"),
        pytest.param(HELD, NOON - HOUR, id="is from the future"),
        pytest.param(EMPTY, NOON, id="is missing"),
    ],
)
def test_an_unusable_token_is_not_shown(state: HomeyState, now: datetime) -> None:
    view = seen(failing(state), now)

    assert (None, None, None) == (view.token, view.renew_at, view.outage_at)
    assert "https://configured.example" == view.url


def test_no_next_attempt_is_shown_while_a_refresh_is_running() -> None:
    view = seen(HELD, activity=replace(IDLE, refreshing=True))

    assert view.refreshing
    assert (None, "a refresh is running") == (view.next_at, view.next_reason)


def test_the_outage_is_forecast_while_refreshing_fails() -> None:
    view = seen(failing(HELD, at=LATE, times=3), LATE)

    assert HELD.token is not None
    assert HELD.token.expires_at == view.outage_at
    assert (LATE + 4 * SECOND, "waiting after a failure") == (view.next_at, view.next_reason)
    assert view.last_error is not None
    assert ("server_error", 3) == (view.last_error.kind, view.last_error.count)


@pytest.mark.parametrize(
    ("account", "until"),
    [
        pytest.param(rejected_account(), NOON + 15 * MINUTE, id="by a rejection"),
        pytest.param(signed_in(*[NOON] * 12), NOON + 12 * HOUR, id="by the budget"),
        pytest.param(NEW_ACCOUNT, None, id="by nothing"),
    ],
)
def test_the_status_shows_until_when_sign_ins_are_blocked(
    account: AccountState, until: datetime | None
) -> None:
    assert until == seen(failing(EMPTY, WRONG_PASSWORD), account=account).sign_in_blocked_until


@pytest.mark.parametrize(
    ("state", "now", "retry_at"),
    [
        pytest.param(UNWRITTEN, NOON, NOON + SECOND, id="after its own wait"),
        pytest.param(
            HELD.delivery_failed("file", 1, SinkRejected("403"), at=NOON, random=0.5),
            NOON,
            NOON + MINUTE,
            id="slowly, if a person has to act",
        ),
        pytest.param(holding(state=UNWRITTEN), NOON, NOON, id="at once with a newer token"),
        pytest.param(UNWRITTEN, NOON + DAY, None, id="not without a valid token"),
    ],
)
def test_a_failed_sink_is_tried_again(
    state: HomeyState, now: datetime, retry_at: datetime | None
) -> None:
    (sink,) = seen(state, now).sinks

    assert retry_at == sink.retry_at
    assert sink.last_error is not None


def test_a_sink_shows_what_it_has() -> None:
    (sink,) = seen(HELD.delivered("file", 1, DeliveryResult(), NOON)).sinks

    assert SinkView("file", 1, NOON, None, None) == sink


def test_a_sink_that_was_never_written_to_is_shown_too() -> None:
    (sink,) = seen(EMPTY, NOON + timedelta(days=3)).sinks

    assert SinkView("file", None, None, None, None) == sink
