"""The status document of a Homey as text, with local and relative times."""

from collections.abc import Mapping
from datetime import datetime

from homey_tokend.core.redact import printable
from homey_tokend.core.timefmt import relative

#: The most characters of one member that are shown.
_MAX_TEXT = 1000

_Document = Mapping[str, object]


def one_line(value: object) -> str:
    """Return a member of a document as printable text on one line, of bounded length.

    The document need not be from our daemon. Anything but a scalar becomes "?".
    """
    scalar = value is None or isinstance(value, str | int | float)
    return printable(str(value)[:_MAX_TEXT]) if scalar else "?"


def format_homey(homey: _Document) -> str:
    """Format the status of one Homey.

    Args:
        homey: The document of ``GET /homeys/NAME``, which contains no token.

    Returns:
        Lines, each ending with a newline.
    """
    now = _instant(homey.get("now"))
    rows = [
        ("token", _token(_object(homey, "token"), now)),
        ("refresh", _refresh(homey, now)),
        ("error", _error(_object(homey, "last_error"), now)),
        ("outage", _when(homey.get("outage_at"), now)),
        *(("sink", _sink(sink, now)) for sink in _objects(homey.get("sinks"))),
    ]
    lines = [f"  {name:<9}{text}\n" for name, text in rows if text]
    name, health, url = (one_line(homey.get(member)) for member in ("name", "health", "url"))
    return f"{name}: {health}  {url}\n" + "".join(lines)


def _token(token: _Document | None, now: datetime | None) -> str:
    if token is None:
        return "none"
    generation = one_line(token.get("generation"))
    name = f"{one_line(token.get('fingerprint'))} (generation {generation})"
    verb = "valid until" if token.get("valid") else "expired"
    assumed = "" if token.get("expiry_reported", True) else " (assumed; the Homey reports none)"
    return f"{name}, {verb} {_when(token.get('expires_at'), now)}{assumed}"


def _refresh(homey: _Document, now: datetime | None) -> str:
    if homey.get("refreshing"):
        return "in progress"
    due, attempt = _instant(homey.get("renew_at")), _instant(homey.get("next_at"))
    if attempt is None or attempt == due:
        return _when(homey.get("renew_at"), now)
    since = f"due since {_local(due)}; " if due and now and due <= now else ""
    reason = one_line(homey.get("next_reason") or "")
    next_try = f"{since}next try {_when(homey.get('next_at'), now)}"
    return f"{next_try}: {reason}" if reason else next_try


def _error(error: _Document | None, now: datetime | None) -> str:
    if error is None:
        return ""
    step = f" at {one_line(error['step'])}" if error.get("step") else ""
    count = error.get("count")
    times = f", {one_line(count)} times" if isinstance(count, int) and count > 1 else ""
    remedy = f"\n{'':11}{one_line(error['remedy'])}" if error.get("remedy") else ""
    at = _when(error.get("at"), now)
    kind, message = one_line(error.get("kind")), one_line(error.get("message"))
    return f"{kind}{step}, {at}{times}: {message}{remedy}"


def _sink(sink: _Document, now: datetime | None) -> str:
    target = one_line(sink.get("target"))
    error = _error(_object(sink, "last_error"), now)
    if error:
        retry = _when(sink.get("retry_at"), now)
        return f"{target}: {error}" + (f"\n{'':11}next try {retry}" if retry else "")
    at = _when(sink.get("delivered_at"), now)
    if not at:
        return f"{target}: not written yet"
    return f"{target}: generation {one_line(sink.get('generation'))} written {at}"


def _when(text: object, now: datetime | None) -> str:
    """Format an instant in local time and relative to ``now``; "" if it is not an instant."""
    at = _instant(text)
    if at is None:
        return ""
    return _local(at) if now is None else f"{_local(at)} ({relative(at, now)})"


def _local(at: datetime) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S %Z")


def _instant(text: object) -> datetime | None:
    """Parse an instant, in local time; None if it is malformed or out of range."""
    try:
        return datetime.fromisoformat(text).astimezone() if isinstance(text, str) else None
    except (ValueError, OverflowError, OSError):  # the last two: out of the local time's range
        return None


def _object(document: _Document, name: str) -> _Document | None:
    value = document.get(name)
    return value if isinstance(value, Mapping) else None


def _objects(value: object) -> list[_Document]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
