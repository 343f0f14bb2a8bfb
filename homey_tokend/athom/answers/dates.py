"""What the instants in an answer's headers say: when to ask again, and what its clock is worth."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from homey_tokend.core.http_types import Response


def retry_after(response: Response) -> timedelta | datetime | None:
    """Retry-After as a span or an instant; None where it is absent or garbage (RFC 9110)."""
    text = (response.header("retry-after") or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    return _http_date(text)


def clock_skew(response: Response) -> timedelta | None:
    """The server's clock minus ours, as far as a trusted answer tells; else None.

    The Date header has whole seconds and was written some time between sending
    and receiving, so it tells an interval. Outside of zero its larger end is taken,
    which lets a token expire too early rather than too late. Zero inside it means
    that our clock may be right: then as much is taken as keeps a slow answer from
    letting a token expire more than a second too late; mostly that is zero.
    """
    date = _http_date(response.header("date") or "")
    if not response.trusted or date is None or not 200 <= response.status < 400:
        return None
    lowest, since_sent = date - response.received_at, date - response.sent_at
    highest = since_sent + timedelta(seconds=1)
    return max(timedelta(0), since_sent) if lowest <= timedelta(0) <= highest else highest


def _http_date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None
