"""Whether a Homey accepts a bearer, and until when by our clock (``docs/wire.md`` C)."""

from datetime import datetime, timedelta

from homey_tokend.athom.answers.common import clock_skew
from homey_tokend.athom.answers.homey import parse_session
from homey_tokend.core.http_types import Flow, Request, Response, Step
from homey_tokend.core.secret import Secret

#: When is a new bearer asked about again after a 401? (``docs/wire.md``, classification of responses)
_PAUSES = (timedelta(0), timedelta(seconds=1), timedelta(seconds=3))
#: What is believed of a session's length: seconds to ten years.
_LONGEST_LIFE = timedelta(days=3660)


def verify_bearer(
    url: str, bearer: Secret, *, issued_at: datetime, skew: timedelta | None = None
) -> Flow[tuple[bool, datetime | None]]:
    """Ask the Homey whether it accepts a bearer; a 401 is retried after 1 s and 3 s.

    Args:
        url: The Homey's base URL.
        bearer: The bearer in question.
        issued_at: When it was issued, by our clock.
        skew: The server's clock minus ours by an earlier answer; this
            answer's own Date header counts first.

    Returns:
        Whether it does, and until when by our clock where the Homey reports that.

    Raises:
        ProtocolChanged, Transient: the question got no answer.
    """
    for pause in _PAUSES:
        response = yield Request(
            Step.SESSION,
            "GET",
            f"{url}/api/manager/sessions/session/me",
            bearer=bearer,
            after=pause,
        )
        session = parse_session(response)
        if session is not None:
            own = clock_skew(response)
            return True, _expiry(response, *session, issued_at, skew if own is None else own)
    return False, None


def _expiry(
    response: Response,
    created_at: datetime | None,
    expires_at: datetime | None,
    issued_at: datetime,
    skew: timedelta | None,
) -> datetime | None:
    """Return the expiry by our clock, or None if the Homey reports no plausible one.

    The reported length counts from our own instant of issue, which needs no clock but
    ours; the reported instant is moved by a known skew. Where both can be had the
    earlier counts: the Homey's clock need not be the one that wrote the Date header.
    """
    if expires_at is None:
        return None
    try:
        ways = [expires_at - skew] if skew is not None else []
        ways += [issued_at + (expires_at - created_at)] if created_at is not None else []
        ours = min(ways, default=expires_at)
    except OverflowError:
        return None
    return ours if timedelta(0) < ours - response.received_at <= _LONGEST_LIFE else None
