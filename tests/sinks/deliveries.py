"""Deliveries for tests, with a token that must only appear where it belongs."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Delivery, Token

CANARY = "0a1b2c3d-canary:4e5f6a7b-token:" + "c0ffee" * 12
ISSUED = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
URL = "https://hub.example/base"


def delivery(
    value: str = CANARY,
    *,
    generation: int = 7,
    url: str = URL,
    memory: Mapping[str, str] | None = None,
) -> Delivery:
    """Return a new token of 24 hours for the Homey ``home``."""
    token = Token(Secret(value), generation, url, ISSUED, ISSUED + timedelta(hours=24))
    return Delivery("home", token, memory or {})
