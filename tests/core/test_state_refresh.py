"""A Homey's state, event by event: wishes, attempts, new tokens, failures and refusals."""

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


# --- what cannot have happened -------------------------------------------------------


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(
            lambda state: state.renewed(bearer(), since=0, at=LATER, fraction=0.5),
            id="a bearer of an attempt that began before the held token",
        ),
        pytest.param(lambda state: state.verified(0, LATER, None), id="a proof of an older token"),
        pytest.param(
            lambda state: state.verification_failed(2, LATER), id="silence about another token"
        ),
        pytest.param(lambda state: state.was_revoked(0, LATER), id="a refusal of an older token"),
        pytest.param(lambda state: state.unverified(0), id="a doubt of an older token"),
        pytest.param(
            lambda state: state.delivered("file", 0, DeliveryResult(), LATER),
            id="an older token in a sink than the one it has",
        ),
    ],
)
def test_is_illegal_and_changes_nothing(event: Callable[[HomeyState], HomeyState]) -> None:
    state = HELD.delivered("file", 1, DeliveryResult(memory={"id": "7"}), NOON)
    before = replace(state)

    with pytest.raises(IllegalEvent):
        event(state)

    assert before == state


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(lambda state: state.verified(0, NOON, None), id="proved"),
        pytest.param(lambda state: state.verification_failed(0, NOON), id="not answered for"),
        pytest.param(lambda state: state.was_revoked(0, NOON), id="revoked"),
        pytest.param(lambda state: state.unverified(0), id="unverified"),
    ],
)
def test_without_a_token_none_can_be(event: Callable[[HomeyState], HomeyState]) -> None:
    with pytest.raises(IllegalEvent, match="no longer current"):
        event(EMPTY)


# --- wishes and attempts --------------------------------------------------------------


def test_of_two_wishes_that_stand_the_longer_and_stronger_counts() -> None:
    once = EMPTY.requested(LATER, forced=True, at=NOON)
    twice = once.requested(NOON + MINUTE, forced=False, at=NOON)

    assert RefreshRequest(LATER, forced=True) == twice.request
    assert (
        RefreshRequest(NOON + DAY, forced=True)
        == once.requested(NOON + DAY, forced=False, at=NOON).request
    )


def test_a_wish_that_has_lapsed_lends_nothing_to_the_next() -> None:
    lapsed = EMPTY.requested(NOON, forced=True, at=NOON - MINUTE)

    assert RefreshRequest(LATER) == lapsed.requested(LATER, forced=False, at=NOON).request


def test_an_attempt_spends_the_force_of_a_wish_and_not_the_wish() -> None:
    asked = EMPTY.requested(LATER, forced=True, at=NOON)

    assert replace(EMPTY, attempted_at=NOON) == EMPTY.attempted(NOON)
    assert replace(EMPTY, attempted_at=NOON, request=RefreshRequest(LATER)) == asked.attempted(NOON)


# --- a new token ------------------------------------------------------------------------


def test_a_new_bearer_gets_the_next_generation_and_ends_all_trouble() -> None:
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


def test_an_unproved_bearer_is_held_unproved() -> None:
    state = EMPTY.renewed(bearer(verified=False), since=0, at=LATER, fraction=0.5)

    assert (None, LATER) == (state.verified_at, state.last_verification_at)


def test_a_discovered_address_is_kept_until_another_is_discovered() -> None:
    found = replace(bearer(), discovered_url="https://there.example")

    first = EMPTY.renewed(found, since=0, at=NOON, fraction=0.5)
    second = first.renewed(bearer(), since=1, at=NOON, fraction=0.5)

    assert "https://there.example" == first.url == second.url


@pytest.mark.parametrize(
    ("state", "now", "usable"),
    [
        pytest.param(HELD, NOON, True, id="from its issue on"),
        pytest.param(HELD, NOON + DAY - timedelta(microseconds=1), True, id="to its last moment"),
        pytest.param(HELD, NOON + DAY, False, id="not at its end"),
        pytest.param(HELD.was_revoked(1, NOON), NOON, False, id="not once revoked"),
        pytest.param(HELD, NOON - 5 * MINUTE, True, id="by a clock five minutes behind"),
        pytest.param(HELD, NOON - 6 * MINUTE, False, id="not by a clock further behind"),
        pytest.param(EMPTY, NOON, False, id="not without one"),
        pytest.param(failing(HELD, times=99), LATER, True, id="however often refreshing fails"),
    ],
)
def test_the_held_token_may_be_served(state: HomeyState, now: datetime, usable: bool) -> None:
    assert (state.token if usable else None) == state.usable(now)


# --- failures and refusals ----------------------------------------------------------------


def test_a_failure_keeps_the_token_and_is_counted_with_those_before_it() -> None:
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
        pytest.param([stale()], "sign_in_expired", id="once: an accident of time"),
        pytest.param([stale(), stale()], "protocol_changed", id="twice at one step: a change"),
        pytest.param([stale()] * 3, "protocol_changed", id="three times: still a change"),
        pytest.param(
            [stale("token"), stale()], "sign_in_expired", id="at two steps: two accidents"
        ),
        pytest.param(
            [ServerError("unwell", step="consent"), stale()],
            "sign_in_expired",
            id="after another failure of that step: the first accident",
        ),
        pytest.param(
            [stale(), SecretUnavailable("no file"), stale()],
            "sign_in_expired",
            id="not in a row: two accidents",
        ),
        pytest.param(
            [ProtocolChanged("what", step="consent"), stale()],
            "protocol_changed",
            id="after an unknown answer of that step: a change",
        ),
    ],
)
def test_a_sign_in_that_is_not_taken(errors: list[TokendError], kind: str) -> None:
    state = EMPTY
    for error in errors:
        state = state.failed(error, at=NOON, random=0.5)

    assert state.failure is not None
    assert (kind, len(errors)) == (state.failure.last_error.kind, state.failure.last_error.count)
    assert 403 == state.failure.last_error.status


def test_refusals_of_the_same_values_are_counted_whatever_came_between() -> None:
    once = EMPTY.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5)
    state = failing(once, DOWN).rejected(WRONG_CLIENT, digest=SITE, at=LATER, random=0.5)

    trouble = LastError(LATER, "client_rejected", "token", WRONG_CLIENT.message, "", 400, 2)
    assert Rejection(SITE, trouble) == state.rejection
    assert state.failure is not None
    assert 3 == state.failure.last_error.count


def test_refusals_of_other_values_begin_anew() -> None:
    once = EMPTY.rejected(WRONG_CLIENT, digest=SITE, at=NOON, random=0.5)
    state = once.rejected(WRONG_CLIENT, digest=OTHER, at=LATER, random=0.5)

    assert state.rejection is not None
    assert (OTHER, 1) == (state.rejection.digest, state.rejection.last_error.count)


def test_the_account_of_the_sign_in_values_is_remembered() -> None:
    assert "key" == EMPTY.with_account("key").account


@pytest.mark.parametrize(
    ("wanted", "until"),
    [
        pytest.param(None, None, id="nothing where none came"),
        pytest.param(MINUTE, NOON + MINUTE, id="a span counts from the failure"),
        pytest.param(99999 * DAY, NOON + 366 * DAY, id="a span of ages is cut to a year"),
        pytest.param(-DAY, NOON, id="a negative one is now"),
    ],
)
def test_retry_after(wanted: timedelta | None, until: datetime | None) -> None:
    error = ServerError("wait", retry_after=wanted)

    assert until == retry_after_until(error, NOON)


def test_only_transient_failures_ask_to_wait() -> None:
    assert retry_after_until(SecretUnavailable("no file"), NOON) is None


def test_a_sink_that_is_new_knows_nothing() -> None:
    assert SinkState() == EMPTY.sink("file")


def test_of_another_homey_only_the_generation_is_kept() -> None:
    state = HELD.with_cloudid("this")

    assert replace(HELD, cloudid="this") == state == state.with_cloudid("this")
    other = state.with_cloudid("other")
    assert ("other", HELD.generation, None) == (other.cloudid, other.generation, other.token)


def test_another_address_of_the_same_homey_leaves_its_token() -> None:
    state = HELD.with_url("https://hub.local")

    assert HELD.token is not None
    assert replace(HELD.token, url="https://hub.local") == state.token
    assert EMPTY == EMPTY.with_url("https://hub.local")
