"""The demo's lines for events; tests/end_to_end runs the demo as a process."""

from dataclasses import replace
from datetime import timedelta

import pytest

from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    RefreshFailed,
    RefreshRecovered,
    TokenDelivered,
    TokenRenewed,
)
from homey_tokend.core.secret import Secret
from homey_tokend.demo import EventPrinter
from tests.support.provider import NOW

SOON = NOW + timedelta(seconds=20)


FAILED = RefreshFailed(
    "home",
    NOW,
    "server_error",
    "login",
    "503",
    "",
    action_needed=False,
    failures=1,
    next_try=None,
    outage_at=None,
)


@pytest.mark.parametrize(
    ("event", "line"),
    [
        (
            TokenRenewed("home", NOW, 2, "0f3c1a2b", NOW, SOON, verified=True),
            "token      no. 2: 0f3c1a2b, valid until 12:00:20 UTC, verified",
        ),
        (
            TokenDelivered("home", NOW, "logic_variable:x", 2),
            f"variable   logic_variable:x written; read back: {Secret('held').fingerprint()}",
        ),
        (FAILED, "error      503"),
        (
            replace(FAILED, next_try=SOON, outage_at=SOON),
            "error      503; the old token is served until 12:00:20 UTC; next try 12:00:20 UTC",
        ),
        (
            DeliveryFailed(
                "home", NOW, "file:/x", 2, "sink_failed", "full", "", action_needed=False
            ),
            "error      file:/x: full",
        ),
    ],
    ids=["renewed", "delivered", "failed", "outage", "undelivered"],
)
def test_events(event: Event, line: str) -> None:
    """Each event that matters is one line with the seconds since the start."""
    lines: list[str] = []
    EventPrinter(lines.append, lambda: 1.5, lambda: "held").on_event(event)

    assert [f"   1.5 s  {line}"] == lines


def test_other_events() -> None:
    """Other events are not printed."""
    lines: list[str] = []
    EventPrinter(lines.append, lambda: 1.5, lambda: "held").on_event(
        RefreshRecovered("home", NOW, 2)
    )

    assert [] == lines
