"""What a Retry-After asks for (RFC 9110, 10.2.3)."""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

#: How long to wait where a Homey says "Too many requests" and not for how long?
UNTOLD = timedelta(seconds=1)
#: What cannot be understood, or lies far ahead, is left to the caller.
_FAR = timedelta(days=1)


def retry_after_delay(text: str | None, now: datetime) -> timedelta:
    """The wait that a header asks for, at least nothing and at most a day.

    Args:
        text: Seconds or an HTTP date; None where there is no header.
        now: The instant that a date is measured from.
    """
    if text is None:
        return UNTOLD
    text = text.strip()
    if text.isascii() and text.isdigit():
        return min(timedelta(seconds=int(text[:9])), _FAR)
    try:
        at = parsedate_to_datetime(text)
    except (TypeError, ValueError, OverflowError):  # what the parser meets in a broken date
        return _FAR
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return max(timedelta(0), min(at - now, _FAR))
