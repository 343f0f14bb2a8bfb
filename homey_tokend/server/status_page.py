"""The status page of ``http.listen``: plain, read-only HTML.

No script, no form, no address of a Homey, no token. Its style is allowed by hash; the browser may
load nothing else (W3C Content Security Policy Level 3).
"""

import base64
import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from homey_tokend.core.failure import LastError
from homey_tokend.core.status import SinkView, View
from homey_tokend.core.timefmt import relative

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "th{text-align:left;vertical-align:top;padding-right:1em;font-weight:normal;color:#555}"
    "h2{border-bottom:1px solid #ccc}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: The header fields of the page.
HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_HASH}'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: Seconds after which an open page reloads itself.
_RELOAD_S = 30


def render(views: Sequence[View], now: datetime, version: str) -> str:
    """Return the page."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="refresh" content="{_RELOAD_S}">\n'
        f"<title>homey-tokend</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>homey-tokend</h1>\n<p>Version {escape(version)}, {escape(_at(now))}</p>\n"
        + "".join(_homey(view, now) for view in views)
        + "</body>\n</html>\n"
    )


def _homey(view: View, now: datetime) -> str:
    rows = "".join(
        f"<tr><th>{escape(name)}</th><td>{escape(text)}</td></tr>\n"
        for name, text in _rows(view, now)
    )
    title = f"{view.name}: {view.health}"
    return f"<h2>{escape(title)}</h2>\n<table>\n{rows}</table>\n"


def _rows(view: View, now: datetime) -> Iterator[tuple[str, str]]:
    token = view.token
    held = token is not None and token.valid(now)
    yield "token", f"valid until {_when(token.expires_at, now)}" if held and token else "none"
    yield "next refresh", _next(view, now)
    if view.last_error is not None:
        yield from _failure("last error", view.last_error, now)
    for sink in view.sinks:
        yield from _sink(sink, now)


def _next(view: View, now: datetime) -> str:
    if view.refreshing:
        return "in progress"
    at = view.renew_at if view.last_error is None else view.next_at
    return "unknown" if at is None else _when(at, now)


def _sink(sink: SinkView, now: datetime) -> Iterator[tuple[str, str]]:
    at = sink.delivered_at
    yield f"sink {sink.target}", "not written yet" if at is None else f"written {_when(at, now)}"
    if sink.last_error is not None:
        yield from _failure("its last error", sink.last_error, now)


def _failure(name: str, failure: LastError, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield kind and step alone: the message may name hosts and files."""
    kind = failure.kind.replace("_", " ")
    step = f" at {failure.step}" if failure.step else ""
    times = f", {failure.count} times" if failure.count > 1 else ""
    yield name, f"{kind}{step} ({_when(failure.at, now)}{times})"
    if failure.remedy:
        yield "what to do", "see: homey-tokend status"


def _when(at: datetime, now: datetime) -> str:
    return f"{_at(at)} ({relative(at, now)})"


def _at(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
