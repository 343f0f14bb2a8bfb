"""The token and the events as JSON: the same on the socket, in files and for commands."""

import json
from datetime import datetime

from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    RefreshFailed,
    RefreshRecovered,
    SignInStarted,
    TokenDelivered,
    TokenRenewed,
    TokenRevoked,
)
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Token


def token_document(homey: str, token: Token) -> dict[str, object]:
    """Return the token with its metadata, in the terms of OAuth 2.0 (RFC 6749, 5.1).

    There is no ``expires_in``, because it would be wrong a second later.
    """
    return {
        "access_token": token.value.reveal(),
        "token_type": "Bearer",
        "expires_at": rfc3339(token.expires_at),
        "issued_at": rfc3339(token.issued_at),
        "generation": token.generation,
        "homey": homey,
        "url": token.url,
    }


def event_document(event: Event) -> tuple[str, dict[str, object]] | None:
    """Return the name and the members of an event; None for an event that only metrics count."""
    content = _content(event)
    if content is None:
        return None
    name, members = content
    return name, {"homey": event.homey, "at": rfc3339(event.at), **members}


def json_line(document: dict[str, object]) -> bytes:
    """Return a document as one line of ASCII JSON."""
    return json.dumps(document).encode() + b"\n"


def _content(event: Event) -> tuple[str, dict[str, object]] | None:
    match event:
        case TokenRenewed():
            return "token", {
                "generation": event.generation,
                "fingerprint": event.fingerprint,
                "issued_at": rfc3339(event.issued_at),
                "expires_at": rfc3339(event.expires_at),
            }
        case RefreshFailed():
            return "error", {
                "kind": event.kind,
                "action_needed": event.action_needed,
                "step": event.step,
                "message": event.message,
                "remedy": event.remedy,
                "failures": event.failures,
                "next_try": _instant(event.next_try),
                "outage_at": _instant(event.outage_at),
            }
        case TokenRevoked(generation=generation):
            return "error", {
                "kind": "token_revoked",
                "action_needed": False,
                "step": "session",
                "message": f"the Homey no longer accepts the token of generation {generation}",
                "remedy": "",
                "failures": 0,
                "next_try": rfc3339(event.at),
                "outage_at": rfc3339(event.at),
            }
        case RefreshRecovered(failures=failures):
            return "recovered", {"failures": failures}
        case TokenDelivered() | DeliveryFailed():
            return "sink", _delivery(event)
        case SignInStarted():  # pragma: no branch  -- mypy holds the match complete
            return None


def _delivery(event: TokenDelivered | DeliveryFailed) -> dict[str, object]:
    data: dict[str, object] = {"sink": event.sink, "generation": event.generation}
    if isinstance(event, TokenDelivered):
        return {**data, "delivered": True}
    return {
        **data,
        "delivered": False,
        "kind": event.kind,
        "action_needed": event.action_needed,
        "message": event.message,
        "remedy": event.remedy,
    }


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
