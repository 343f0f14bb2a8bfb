"""The status page of ``http.listen``: plain HTML that shows and does nothing.

No script, no form, no address of a Homey, no token. Its own style is allowed by
hash; anything else the browser is told not to load (CSP, W3C Content Security
Policy Level 3).
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape

from homey_tokend.core.status import SinkView, Trouble, View
from homey_tokend.core.timefmt import relative

_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:50em;margin:2em auto;padding:0 1em}"
    "th{text-align:left;vertical-align:top;padding-right:1em;font-weight:normal;color:#555}"
    "h2{border-bottom:1px solid #ccc}"
)
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
#: What the page is sent with.
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
#: How often does an open page load itself again, in seconds?
_AGAIN_S = 30
#: What failed, without what a failure says of itself: that names hosts and files.
_WORDS = {
    "transient": "it failed in a way that may pass",
    "unreachable": "no answer came",
    "server_error": "the server answered that it is unwell",
    "throttled": "the server asks to wait",
    "invalid_response": "what came was not the answer that belongs there",
    "homey_offline": "the cloud cannot reach the Homey",
    "sign_in_expired": "what an earlier step gave was no longer taken",
    "bearer_discarded": "a new token was not taken by its own Homey",
    "rejected": "it was rejected",
    "account_rejected": "the account rejects e-mail, password or one-time code",
    "client_rejected": "the API client is rejected",
    "consent_rejected": "the consent was denied",
    "homey_rejected": "the consent does not cover the Homey",
    "bearer_rejected": "the Homey does not take the token",
    "sink_rejected": "the sink will not take the token",
    "protocol_changed": "an answer came that no known server gives",
    "secret_unavailable": "a secret cannot be had",
    "sink_failed": "the sink failed",
    "state_unusable": "the state cannot be kept",
    "already_running": "another daemon is running",
    "cannot_serve": "the socket cannot be made",
    "configuration_invalid": "the configuration has faults",
    "illegal_event": "a fault of the daemon, which is in its log",
}


def render_status_page(views: Sequence[View], now: datetime, version: str) -> str:
    """The whole page.

    Args:
        views: The Homeys.
        now: The time that spans are counted from.
        version: The program's version.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="refresh" content="{_AGAIN_S}">\n'
        f"<title>homey-tokend</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>homey-tokend</h1>\n<p>Version {escape(version)}, {escape(_at(now))}</p>\n"
        + "".join(_homey(view, now) for view in views)
        + "</body>\n</html>\n"
    )


def describe_kind(kind: str) -> str:
    """What a kind of failure means, in words that give nothing away."""
    return _WORDS.get(kind, "it failed")


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
    yield "token", f"good until {_when(token.expires_at, now)}" if held and token else "none held"
    yield "next refresh", _next(view, now)
    if view.trouble is not None:
        yield from _trouble("last error", view.trouble, now)
    for sink in view.sinks:
        yield from _sink(sink, now)


def _next(view: View, now: datetime) -> str:
    if view.refreshing:
        return "under way"
    at = view.renew_at if view.trouble is None else view.next_at
    return "not known" if at is None else _when(at, now)


def _sink(sink: SinkView, now: datetime) -> Iterable[tuple[str, str]]:
    at = sink.delivered_at
    yield f"sink {sink.target}", "not written yet" if at is None else f"written {_when(at, now)}"
    if sink.trouble is not None:
        yield from _trouble("its last error", sink.trouble, now)


def _trouble(name: str, trouble: Trouble, now: datetime) -> Iterator[tuple[str, str]]:
    step = f" at {trouble.step}" if trouble.step else ""
    times = f", {trouble.count} times" if trouble.count > 1 else ""
    yield name, f"{describe_kind(trouble.kind)}{step} ({_when(trouble.at, now)}{times})"
    if trouble.remedy:
        yield "what to do", "homey-tokend status tells"


def _when(at: datetime, now: datetime) -> str:
    return f"{_at(at)} ({relative(at, now)})"


def _at(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
