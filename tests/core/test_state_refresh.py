"""A Homey's state, event by event: requests, attempts, new tokens, failures and rejections."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.account import Rejection
from homey_tokend.core.errors import (
    IllegalEvent,
    ProtocolChanged,
    SecretUnavailable,
    ServerError,
    SignInExpired,
    TokendError,
    Unreachable,
)
from homey_tokend.core.failure import LastError, retry_after_until
from homey_tokend.core.homey import HomeyState, RefreshRequest
from homey_tokend.core.secret import Secret
from homey_tokend.core.sink import SinkState
from homey_tokend.core.tokens import DeliveryResult, Token
from tests.core.samples import (
    DAY,
    DOWN,
    HOUR,
    MINUTE,
    OTHER,
    SITE,
    WRONG_CLIENT,
    bearer,
    failing,
    holding,
)
from tests.support.clock import NOON

EMPTY = HomeyState("home")
HELD = holding()
LATER = NOON + HOUR


def stale(step: str = "consent") -> SignInExpired:
    return SignInExpired("not taken", step=step, status=403)


# --- illegal events --------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(
            lambda state: state.renewed(bearer(), since=0, at=LATER, fraction=0.5),
            id="a bearer of an attempt that started before the current token",
        ),
        pytest.param(
            lambda state: state.verified(0, LATER, None), id="a verification of an older token"
        ),
        pytest.param(
            lambda state: state.verification_failed(2, LATER),
            id="a failed verification of another token",
        ),
        pytest.param(lambda state: state.was_revoked(0, LATER), id="a rejection of an older token"),
        pytest.param(
            lambda state: state.unverified(0), id="an older token that becomes unverified"
        ),
        pytest.param(
            lambda state: state.delivered("file", 0, DeliveryResult(), LATER),
            id="an older token in a sink than the one it has",
        ),
    ],
)
def test_an_illegal_event_changes_nothing(event: Callable[[HomeyState], HomeyState]) -> None:
    state = HELD.delivered("file", 1, DeliveryResult(memory={"id": "7"}), NOON)
    before = replace(state)

    with pytest.raises(IllegalEvent):
        event(state)

    assert before == state


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda state: state.verified(0, NOON, None), id="verified"),
        pytest.param(lambda state: state.verification_failed(0, NOON), id="verification failed"),
        pytest.param(lambda state: state.was_revoked(0, NOON), id="revoked"),
        pytest.param(lambda state: state.unverified(0), id="unverified"),
    ],
)
def test_events_about_a_token_are_illegal_without_one(
    event: Callable[[HomeyState], HomeyState],
) -> None:
    with pytest.raises(IllegalEvent, match="no longer current"):
        event(EMPTY)


# --- requests and attempts --------------------------------------------------------------


def test_two_open_requests_are_combined() -> None:
    once = EMPTY.requested(LATER, forced=True, at=NOON)
    twice = once.requested(NOON + MINUTE, forced=False, at=NOON)

    assert RefreshRequest(LATER, forced=True) == twice.request
    assert (
        RefreshRequest(NOON + DAY, forced=True)
        == once.requested(NOON + DAY, forced=False, at=NOON).request
    )


def test_an_expired_request_does_not_affect_the_next() -> None:
    lapsed = EMPTY.requested(NOON, forced=True, at=NOON - MINUTE)

    assert RefreshRequest(LATER) == lapsed.requested(LATER, forced=False, at=NOON).request


def test_an_attempt_uses_up_the_force_of_a_request_but_not_the_request() -> None:
    asked = EMPTY.requested(LATER, forced=True, at=NOON)

    assert replace(EMPTY, attempted_at=NOON) == EMPTY.attempted(NOON)
    assert replace(EMPTY, attempted_at=NOON, request=RefreshRequest(LATER)) == asked.attempted(NOON)


# --- a new token ------------------------------------------------------------------------


def test_a_new_bearer_gets_the_next_generation_and_ends_failures() -> None:
    troubled = HELD.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5).was_revoked(1, NOON)
    wanted = troubled.requested(NOON + DAY, forced=True, at=NOON).verification_failed(1, NOON)

    state = wanted.renewed(bearer(text="new", at=NOON), since=1, at=LATER, fraction=0.4)

    token = Token(Secret("new"), 2, "https://hub.example", NOON, NOON + DAY)
    assert state == HomeyState(
        "home",
        generation=2,
        token=token,
        fraction=0.4,
        verified_at=LATER,
        last_verification_at=LATER,
        refreshes=2,
    )


def test_an_unverified_bearer_stays_unverified() -> None:
    state = EMPTY.renewed(bearer(verified=False), since=0, at=LATER, fraction=0.5)

    assert (None, LATER) == (state.verified_at, state.last_verification_at)


def test_a_discovered_address_stays_until_another_is_discovered() -> None:
    found = replace(bearer(), discovered_url="https://there.example")

    first = EMPTY.renewed(found, since=0, at=NOON, fraction=0.5)
    second = first.renewed(bearer(), since=1, at=NOON, fraction=0.5)

    assert "https://there.example" == first.url == second.url


@pytest.mark.parametrize(
    ("state", "now", "usable"),
    [
        pytest.param(HELD, NOON, True, id="from its issue on"),
        pytest.param(HELD, NOON + DAY - timedelta(microseconds=1), True, id="to its last moment"),
        pytest.param(HELD, NOON + DAY, False, id="not at its expiry"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, False, id="not once revoked"),
        pytest.param(HELD, NOON - 5 * MINUTE, True, id="with a clock five minutes behind"),
        pytest.param(HELD, NOON - 6 * MINUTE, False, id="not with a clock further behind"),
        pytest.param(EMPTY, NOON, False, id="not without one"),
        pytest.param(failing(HELD, times=99), LATER, True, id="however often refreshing fails"),
    ],
)
def test_whether_the_current_token_may_be_served(
    state: HomeyState, now: datetime, usable: bool
) -> None:
    assert (state.token if usable else None) == state.usable(now)


# --- failures and rejections ----------------------------------------------------------------


def test_a_failure_keeps_the_token_and_is_counted() -> None:
    state = failing(HELD, DOWN, times=2).failed(
        Unreachable("no answer", step="token", remedy="Check the network.", sent=True),
        at=LATER,
        random=0.25,
    )

    assert HELD.token == state.token
    assert state.failure is not None
    assert 0.25 == state.failure.random
    assert state.failure.last_error == LastError(
        LATER, "unreachable", "token", "no answer", "Check the network.", None, 3
    )


@pytest.mark.parametrize(
    ("errors", "kind"),
    [
        pytest.param([stale()], "sign_in_expired", id="once: expired by chance"),
        pytest.param([stale(), stale()], "protocol_changed", id="twice at one step: a change"),
        pytest.param([stale()] * 3, "protocol_changed", id="three times: still a change"),
        pytest.param(
            [stale("token"), stale()], "sign_in_expired", id="at two steps: expired by chance"
        ),
        pytest.param(
            [ServerError("unwell", step="consent"), stale()],
            "sign_in_expired",
            id="after another failure of that step: expired by chance",
        ),
        pytest.param(
            [stale(), SecretUnavailable("no file"), stale()],
            "sign_in_expired",
            id="not in a row: expired by chance",
        ),
        pytest.param(
            [ProtocolChanged("what", step="consent"), stale()],
            "protocol_changed",
            id="after an unknown response of that step: a change",
        ),
    ],
)
def test_an_expired_sign_in(errors: list[TokendError], kind: str) -> None:
    state = EMPTY
    for error in errors:
        state = state.failed(error, at=NOON, random=0.5)

    assert state.failure is not None
    assert (kind, len(errors)) == (state.failure.last_error.kind, state.failure.last_error.count)
    assert 403 == state.failure.last_error.status


def test_rejections_of_the_same_credentials_are_counted_across_other_failures() -> None:
    once = EMPTY.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5)
    state = failing(once, DOWN).rejected(WRONG_CLIENT, digest=SITE, at=LATER, random=0.5)

    trouble = LastError(LATER, "client_rejected", "token", WRONG_CLIENT.message, "", 400, 2)
    assert Rejection(SITE, trouble) == state.rejection
    assert state.failure is not None
    assert 3 == state.failure.last_error.count


def test_a_rejection_of_other_credentials_starts_a_new_count() -> None:
    once = EMPTY.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5)
    state = once.rejected(WRONG_CLIENT, digest=OTHER, at=LATER, random=0.5)

    assert state.rejection is not None
    assert (OTHER, 1) == (state.rejection.digest, state.rejection.last_error.count)


def test_the_account_of_the_credentials_is_stored() -> None:
    assert "key" == EMPTY.with_account("key").account


@pytest.mark.parametrize(
    ("wanted", "until"),
    [
        pytest.param(None, None, id="nothing if there is none"),
        pytest.param(MINUTE, NOON + MINUTE, id="a number counts from the failure"),
        pytest.param(99999 * DAY, NOON + 366 * DAY, id="a large number is limited to a year"),
        pytest.param(-DAY, NOON, id="a negative one is now"),
    ],
)
def test_retry_after(wanted: timedelta | None, until: datetime | None) -> None:
    error = ServerError("wait", retry_after=wanted)

    assert until == retry_after_until(error, NOON)


def test_only_transient_failures_have_a_retry_after() -> None:
    assert retry_after_until(SecretUnavailable("no file"), NOON) is None


def test_a_new_sink_has_an_empty_state() -> None:
    assert SinkState() == EMPTY.sink("file")


def test_the_state_of_another_homey_is_dropped_except_its_generation() -> None:
    state = HELD.with_cloudid("this")

    assert replace(HELD, cloudid="this") == state == state.with_cloudid("this")
    other = state.with_cloudid("other")
    assert ("other", HELD.generation, None) == (other.cloudid, other.generation, other.token)


def test_another_address_of_the_same_homey_keeps_its_token() -> None:
    state = HELD.with_url("https://hub.local")

    assert HELD.token is not None
    assert replace(HELD.token, url="https://hub.local") == state.token
    assert EMPTY == EMPTY.with_url("https://hub.local")
