"""Write events to the log, and pass them to subscribers."""

from collections.abc import Iterable
from datetime import datetime

import structlog

from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    Level,
    LogEntry,
    RefreshFailed,
    RefreshRecovered,
    SignInStarted,
    Subscriber,
    TokenDelivered,
    TokenRenewed,
    TokenRevoked,
)
from homey_tokend.core.timefmt import rfc3339

log = structlog.get_logger()


class Reporter:
    """Log each event, and call all subscribers with it; log entries are only logged."""

    def __init__(self, subscribers: Iterable[Subscriber] = ()) -> None:
        self._subscribers = tuple(subscribers)

    def emit(self, event: Event | LogEntry) -> None:
        """Report an event."""
        _log_event(event)
        if isinstance(event, LogEntry):
            return
        for subscriber in self._subscribers:
            subscriber(event)


def _log_event(event: Event | LogEntry) -> None:
    entry = _entry(event)
    if entry is not None:
        level, name, fields = entry
        shown = {key: _shown(value) for key, value in fields.items()}
        log.log(level, name, homey=event.homey, **shown)


def _entry(  # noqa: PLR0911  one for each kind of event
    event: Event | LogEntry,
) -> tuple[Level, str, dict[str, object]] | None:
    match event:
        case TokenRenewed():
            return Level.INFO, "token.renewed", {
                "generation": event.generation,
                "fingerprint": event.fingerprint,
                "expires_at": event.expires_at,
                "verified": event.verified,
                "note": event.note,
            }  # fmt: skip
        case RefreshFailed() | DeliveryFailed():
            return _failure(event)
        case RefreshRecovered(failures=failures):
            return Level.INFO, "refresh.recovered", {"failures": failures}
        case TokenRevoked(generation=generation):
            return Level.WARNING, "token.revoked", {"generation": generation}
        case TokenDelivered(sink=sink, generation=generation, detail=detail):
            delivery = {"sink": sink, "generation": generation, "detail": detail}
            return Level.INFO, "sink.delivered", delivery
        case LogEntry(level=level, name=name, fields=own):
            return level, name, dict(own)
        case SignInStarted():
            return None  # a metric counts it


def _failure(event: RefreshFailed | DeliveryFailed) -> tuple[Level, str, dict[str, object]]:
    why: dict[str, object] = {"kind": event.kind, "reason": event.message, "remedy": event.remedy}
    if isinstance(event, DeliveryFailed):
        fields = {"sink": event.sink, "generation": event.generation, **why}
        return Level.ERROR if event.action_needed else Level.WARNING, "sink.failed", fields
    # An error only if a person has to act, or the token must be renewed.
    severe = event.action_needed or event.urgent
    return Level.ERROR if severe else Level.WARNING, "refresh.failed", {
        "step": event.step,
        **why,
        "failures": event.failures,
        "next_try": event.next_try,
        "outage_at": event.outage_at,
    }  # fmt: skip


def _shown(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value
