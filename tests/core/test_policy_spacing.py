"""The waits between attempts after failures, and what a server may ask for."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from homey_tokend.core.decision import RefreshSettings, Wait
from homey_tokend.core.errors import ServerError, TokendError
from homey_tokend.core.failure import Failure, backoff
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Step
from tests.core.samples import DAY, HOUR, MINUTE, SECOND, UNKNOWN_LOGIN, decided, failing, holding
from tests.support.clock import NOON

EMPTY = HomeyState("home")
HELD = holding()
#: Without verifications, so that only refreshes are due.
NO_VERIFICATION = RefreshSettings(verify_every=None)


def throttled(after: timedelta) -> TokendError:
    return ServerError("wait", step=Step.TOKEN, status=503, retry_after=after)


@pytest.mark.parametrize(
    ("state", "now", "until", "why"),
    [
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=9),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=256),
            "waiting after a failure",
            id="a refresh fails, and the old token is valid: the wait doubles",
        ),
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=10),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + 5 * MINUTE,
            "waiting after a failure",
            id="the wait grows to its maximum",
        ),
        pytest.param(
            failing(HELD, at=NOON + 12 * HOUR, times=10, random=0.25),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=75),
            "waiting after a failure",
            id="the wait is the stored random share of it",
        ),
        pytest.param(
            failing(HELD, at=NOON + 23 * HOUR, times=10),
            NOON + 23 * HOUR,
            NOON + 23 * HOUR + MINUTE,
            "waiting after a failure",
            id="in the last hour attempts are at most a minute apart",
        ),
        pytest.param(
            failing(EMPTY, times=10),
            NOON,
            NOON + MINUTE,
            "waiting after a failure",
            id="without a token attempts are at most a minute apart",
        ),
        pytest.param(
            failing(HELD.was_revoked(1, NOON), times=10),
            NOON,
            NOON + MINUTE,
            "the Homey rejects the current token",
            id="a token that is revoked just after its issue is replaced a minute later",
        ),
        pytest.param(
            failing(EMPTY, UNKNOWN_LOGIN),
            NOON,
            NOON + 15 * MINUTE,
            "the response to the password was unknown",
            id="an unknown response to a password: a quarter of an hour, even without a token",
        ),
        pytest.param(
            failing(EMPTY.requested(NOON, forced=True, at=NOON - MINUTE), times=3),
            NOON,
            NOON + timedelta(seconds=4),
            "waiting after a failure",
            id="an expired request of a person changes nothing",
        ),
        pytest.param(
            failing(HELD.requested(NOON + MINUTE, forced=True, at=NOON).attempted(NOON), times=3),
            NOON,
            NOON + timedelta(seconds=4),
            "waiting after a failure",
            id="a person's request avoids the wait once",
        ),
        pytest.param(
            failing(HELD, throttled(20 * MINUTE), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + 20 * MINUTE,
            "the server asked to wait",
            id="Retry-After is a lower bound",
        ),
        pytest.param(
            failing(HELD, throttled(HOUR), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 13 * HOUR,
            "the server asked to wait",
            id="Retry-After may be an instant",
        ),
        pytest.param(
            failing(HELD, throttled(3 * DAY), at=NOON + 12 * HOUR),
            NOON + 12 * HOUR,
            NOON + 13 * HOUR,
            "the server asked to wait",
            id="Retry-After counts for an hour at most",
        ),
        pytest.param(
            failing(HELD, throttled(3 * DAY), at=NOON + 23 * HOUR),
            NOON + 23 * HOUR,
            NOON + 23 * HOUR + 10 * MINUTE,
            "the server asked to wait",
            id="Retry-After counts for ten minutes at most in the last hour",
        ),
        pytest.param(
            failing(EMPTY, throttled(3 * DAY)),
            NOON,
            NOON + 10 * MINUTE,
            "the server asked to wait",
            id="Retry-After counts for ten minutes at most without a token",
        ),
        pytest.param(
            failing(HELD, throttled(timedelta(0)), at=NOON + 12 * HOUR, times=3),
            NOON + 12 * HOUR,
            NOON + 12 * HOUR + timedelta(seconds=4),
            "waiting after a failure",
            id="a Retry-After in the past has no effect",
        ),
    ],
)
def test_the_next_attempt_waits(
    state: HomeyState, now: datetime, until: datetime, why: str
) -> None:
    decision = decided(state, now, settings=NO_VERIFICATION)

    assert isinstance(decision, Wait)
    assert (until, why) == (decision.until, decision.why)


def test_any_number_of_failures_gives_a_wait() -> None:
    failure = failing(EMPTY).failure

    assert failure is not None
    many = Failure(replace(failure.last_error, count=10**15), 1.0)
    assert 5 * MINUTE == backoff(many, SECOND, 5 * MINUTE)
