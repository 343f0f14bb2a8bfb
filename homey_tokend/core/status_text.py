"""A Homey's status document told to people: local times, and how long that is from now."""

from collections.abc import Mapping
from datetime import datetime

from homey_tokend.core.timefmt import relative

_Document = Mapping[str, object]


def format_homey(homey: _Document) -> str:
    """Tell one Homey's status.

    Args:
        homey: The document of ``GET /homeys/NAME``, which holds no token.

    Returns:
        Lines, each with a newline.
    """
    now = _instant(homey.get("now"))
    rows = [
        ("token", _token(_part(homey, "token"), now)),
        ("refresh", _next(homey, now)),
        ("error", _trouble(_part(homey, "last_error"), now)),
        ("ends", _when(homey.get("outage_at"), now) if homey.get("outage_at") else ""),
        *(("sink", _sink(sink, now)) for sink in _list(homey.get("sinks"))),
    ]
    lines = [f"  {name:<9}{text}\n" for name, text in rows if text]
    return f"{homey.get('name')}: {homey.get('health')}  {homey.get('url')}\n" + "".join(lines)


def _token(token: _Document | None, now: datetime | None) -> str:
    if token is None:
        return "none held"
    name = f"{token.get('fingerprint')} (generation {token.get('generation')})"
    verb = "good until" if token.get("valid") else "ended"
    assumed = "" if token.get("expiry_reported", True) else " (assumed: Homey did not tell)"
    return f"{name}, {verb} {_when(token.get('expires_at'), now)}{assumed}"


def _next(homey: _Document, now: datetime | None) -> str:
    if homey.get("refreshing"):
        return "under way"
    renew = _when(homey.get("renew_at"), now)
    step, why = _when(homey.get("next_at"), now), homey.get("next_reason")
    next_step = f"next step {step}" + (f": {why}" if why else "") if step else ""
    return "; ".join(filter(None, (renew, next_step)))


def _trouble(trouble: _Document | None, now: datetime | None) -> str:
    if trouble is None:
        return ""
    step = f" at {trouble['step']}" if trouble.get("step") else ""
    count = trouble.get("count")
    times = f", {count} times" if isinstance(count, int) and count > 1 else ""
    remedy = f"\n{'':11}{trouble['remedy']}" if trouble.get("remedy") else ""
    at = _when(trouble.get("at"), now)
    return f"{trouble.get('kind')}{step}, {at}{times}: {trouble.get('message')}{remedy}"


def _sink(sink: _Document, now: datetime | None) -> str:
    target = sink.get("target")
    trouble = _trouble(_part(sink, "last_error"), now)
    if trouble:
        retry = _when(sink.get("retry_at"), now)
        return f"{target}: {trouble}" + (f"\n{'':11}tried again {retry}" if retry else "")
    at = _when(sink.get("delivered_at"), now)
    return (
        f"{target}: generation {sink.get('generation')} written {at}"
        if at
        else f"{target}: not yet"
    )


def _when(text: object, now: datetime | None) -> str:
    """An instant in local time, and how far away it is."""
    at = _instant(text)
    if at is None:
        return ""
    local = at.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if now is None:
        return local
    return f"{local} ({relative(at, now)})"


def _instant(text: object) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _part(document: _Document, name: str) -> _Document | None:
    part = document.get(name)
    return part if isinstance(part, Mapping) else None


def _list(value: object) -> list[_Document]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
