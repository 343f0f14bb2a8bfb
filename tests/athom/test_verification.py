"""The expiry of a bearer by our clock, from the Homey's report and the Date header."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend import athom
from homey_tokend.core.http_types import Response
from tests.athom.scenes import (
    DELEGATED,
    GRANT,
    HOMEY_ACCEPTS,
    NOON,
    SITE,
    TOOK,
    answer,
    as_json,
    dated,
    play,
)

DAY = timedelta(hours=24)


def session(created: datetime | None, expires: object) -> Response:
    reported = expires.isoformat() if isinstance(expires, datetime) else expires
    reported_created = created.isoformat() if created else None
    return as_json(200, {"createdAt": reported_created, "expiresAt": reported})


HOUR = timedelta(hours=1)
NEAR = NOON + timedelta(seconds=1)
EXPIRIES = {
    "with a trusted Date our clock is corrected": (
        dated(session(NOON + HOUR, NOON + HOUR + DAY), NOON + HOUR),
        NOON + DAY - timedelta(seconds=1),
    ),
    "a Homey whose clock is ahead of the Date ends its session by its own": (
        dated(session(NOON + HOUR, NOON + HOUR + DAY), NOON),
        NOON + DAY,
    ),
    "a right clock is left alone": (dated(session(NOON, NOON + DAY), NOON), NOON + DAY),
    "without a Date the stated length counts from our own issue": (
        session(NOON + HOUR, NOON + HOUR + DAY),
        NOON + DAY,
    ),
    "an instant in plain text is read against the Date that came with it": (
        dated(session(None, NOON + HOUR + DAY), NOON + HOUR, trusted=False),
        NOON + DAY - timedelta(seconds=1),
    ),
    "without createdAt the instant stands as it is": (session(None, NOON + HOUR), NOON + HOUR),
    "another zone is the same instant": (
        session(None, "2026-03-01T14:00:00+01:00"),
        NOON + HOUR,
    ),
    "Z is UTC": (session(None, "2026-03-01T13:00:00.000Z"), NOON + HOUR),
    "in the past it is not believed": (session(None, NOON - HOUR), None),
    "at this very moment it is not believed": (session(None, NOON + TOOK), None),
    "within ten years it is believed": (
        session(None, NOON + timedelta(days=3660)),
        NOON + timedelta(days=3660),
    ),
    "beyond ten years it is not believed": (session(None, NOON + timedelta(days=3661)), None),
    "an unstated length is assumed": (session(NOON, None), None),
    "without a zone it is no instant": (session(None, "2026-03-01T13:00:00"), None),
    "a number is no instant": (session(None, 1772370000), None),
    "words are no instant": (session(None, "tomorrow"), None),
    "an endless text is no instant": (session(None, "2026-03-01T13:00:00Z" + " " * 99), None),
    "the end of time is not believed": (
        dated(session(None, "9999-12-31T23:59:59+00:00"), NOON - HOUR),
        None,
    ),
    "the beginning of time is not believed": (
        dated(session(None, "0001-01-01T00:00:00+00:00"), NOON + HOUR),
        None,
    ),
    "beyond the beginning of time there is nothing": (
        session(None, "0001-01-01T00:00:00+14:00"),
        None,
    ),
    "from the beginning to the end of time is no life": (
        as_json(
            200,
            {
                "createdAt": "0001-01-01T00:00:00+00:00",
                "expiresAt": "9999-12-31T00:00:00+00:00",
            },
        ),
        None,
    ),
    "a session that ends before it began is not believed": (session(NOON, NOON - DAY), None),
}


@pytest.mark.parametrize("what", EXPIRIES)
def test_the_reported_expiry_is_converted_to_our_clock(what: str) -> None:
    """A plausible report counts; otherwise the configured lifetime is assumed."""
    reply, expected = EXPIRIES[what]
    bearer = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, reply).value

    assert (expected or NOON + DAY) == bearer.expires_at
    assert (expected is not None, True) == (bearer.expiry_reported, bearer.verified)


def test_the_skew_of_the_grant_is_used_without_one_of_the_session() -> None:
    """A Homey over plain http gives no trusted Date, but the cloud does."""
    grant = replace(GRANT, skew=HOUR)
    reply = session(None, NOON + HOUR + DAY)
    bearer = play(athom.exchange(grant, SITE), DELEGATED, HOMEY_ACCEPTS, reply).value

    assert NOON + DAY == bearer.expires_at


@settings(deadline=None)
@given(
    skew=st.timedeltas(timedelta(days=-300), timedelta(days=300)),
    there=st.timedeltas(timedelta(0), timedelta(seconds=15)),
    back=st.timedeltas(timedelta(0), timedelta(seconds=15)),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1)),  # noqa: DTZ001  aware below
)
def test_a_bearer_never_outlives_its_session_by_a_second(
    skew: timedelta, there: timedelta, back: timedelta, start: datetime
) -> None:
    """This holds for any skew of our clock and any round trip, with a trusted Date.

    It expires too early by no more than the round trip and the second that Date rounds off.
    """
    sent_at = start.replace(tzinfo=NOON.tzinfo)
    at_server = sent_at + skew + there
    body = session(None, at_server + DAY).body
    reply = dated(answer(200, body, sent_at=sent_at, took=there + back), at_server)
    bearer = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, reply).value
    truth = sent_at + there + DAY

    assert bearer.expiry_reported
    assert bearer.expires_at - truth < timedelta(seconds=1)
    assert truth - bearer.expires_at <= timedelta(seconds=1) + there + back
