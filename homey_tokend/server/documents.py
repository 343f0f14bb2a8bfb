"""The JSON documents of the API. Only the token document contains a token."""

from collections.abc import Sequence
from datetime import datetime

from homey_tokend.core.failure import LastError
from homey_tokend.core.status import Health, SinkView, View
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Token

#: From best to worst: the whole is as healthy as the worst of its parts.
_ORDER = (Health.OK, Health.STARTING, Health.FAILING, Health.DEGRADED, Health.DOWN)


def instant(at: datetime | None) -> str | None:
    """Return an instant as RFC 3339 in UTC, whole seconds rounded down; None for None."""
    return None if at is None else rfc3339(at)


def seconds_left(token: Token, now: datetime) -> int:
    """Return the whole seconds of life left, rounded down, never negative."""
    return max(0, int(token.left(now).total_seconds()))


def status_document(views: Sequence[View], now: datetime, version: str) -> dict[str, object]:
    """Return all Homeys, and the worst health of them."""
    homeys = {view.name: homey_document(view, now) for view in views}
    worst = max((view.health for view in views), key=_ORDER.index, default=Health.OK)
    return {"version": version, "now": instant(now), "health": str(worst), "homeys": homeys}


def homey_document(view: View, now: datetime) -> dict[str, object]:
    """Return one Homey: what is held, what comes next, and what went wrong."""
    return {
        "name": view.name,
        "now": instant(now),
        "health": str(view.health),
        "url": view.url,
        "token": None if view.token is None else _held_token(view, view.token, now),
        "refreshing": view.refreshing,
        "refreshes": view.refreshes,
        "renew_at": instant(view.renew_at),
        "next_at": instant(view.next_at),
        "next_reason": view.next_reason,
        "outage_at": instant(view.outage_at),
        "sign_in_blocked_until": instant(view.sign_in_blocked_until),
        "last_error": _failure(view.last_error),
        "sinks": [_sink(sink) for sink in view.sinks],
    }


def _held_token(view: View, token: Token, now: datetime) -> dict[str, object]:
    return {
        "fingerprint": token.value.fingerprint(),
        "generation": token.generation,
        "valid": token.valid(now),
        "expires_in": seconds_left(token, now),
        "expires_at": instant(token.expires_at),
        "expiry_reported": token.expiry_reported,
        "issued_at": instant(token.issued_at),
        "verified_at": instant(view.verified_at),
    }


def _failure(failure: LastError | None) -> dict[str, object] | None:
    if failure is None:
        return None
    return {
        "at": instant(failure.at),
        "kind": failure.kind,
        "action_needed": failure.action_needed,
        "step": failure.step,
        "message": failure.message,
        "remedy": failure.remedy,
        "status": failure.status,
        "count": failure.count,
    }


def _sink(sink: SinkView) -> dict[str, object]:
    return {
        "target": sink.target,
        "generation": sink.generation,
        "delivered_at": instant(sink.delivered_at),
        "last_error": _failure(sink.last_error),
        "retry_at": instant(sink.retry_at),
        "drifts": sink.drifts,
    }
