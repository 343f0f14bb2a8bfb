"""The event buffer: its events, resuming, and that no token is in it."""

import json
from datetime import timedelta
from typing import Any

import pytest

from homey_tokend.core import events
from homey_tokend.core.events import Event
from homey_tokend.server.event_buffer import EventBuffer
from tests.support.provider import CANARY, NOW

RENEWED = events.TokenRenewed(
    "home",
    NOW,
    generation=7,
    fingerprint="9b1c64e0",
    issued_at=NOW,
    expires_at=NOW + timedelta(days=1),
    verified=True,
)


def recovered(homey: str = "home") -> Event:
    """Return the smallest of all events."""
    return events.RefreshRecovered(homey, NOW, 3)


def events_after(buffer: EventBuffer, after: int = 0) -> list[tuple[str, str, Any]]:
    """Return id, name and data of the events after this one."""
    entries = buffer.since(after)
    assert entries is not None
    return [parse(entry.rendered) for entry in entries]


def parse(rendered: bytes) -> tuple[str, str, Any]:
    """Parse one event as the standard does."""
    lines = rendered.decode().split("\n")
    assert lines[-2:] == ["", ""]
    fields = dict(line.split(": ", 1) for line in lines[:-2])
    return fields["id"], fields["event"], json.loads(fields["data"])


def failed(**fields: object) -> events.RefreshFailed:
    """Return a failed refresh."""
    usual: dict[str, object] = {
        "kind": "unreachable",
        "step": "login",
        "message": "no answer",
        "remedy": "",
        "action_needed": False,
        "failures": 1,
        "next_try": NOW,
        "outage_at": NOW,
    }
    return events.RefreshFailed("home", NOW, **{**usual, **fields})  # type: ignore[arg-type]  # by name


def test_a_renewal() -> None:
    """A new token is an event with fingerprint, generation and expiry."""
    buffer = EventBuffer("boot")
    buffer.publish(RENEWED)

    assert [
        (
            "boot-1",
            "token",
            {
                "homey": "home",
                "at": "2026-03-01T12:00:00Z",
                "generation": 7,
                "fingerprint": "9b1c64e0",
                "issued_at": "2026-03-01T12:00:00Z",
                "expires_at": "2026-03-02T12:00:00Z",
            },
        )
    ] == events_after(buffer)


def test_every_event_without_a_secret() -> None:
    """Every event has one of four names, and none contains the token."""
    buffer = EventBuffer("boot")
    for event in (
        RENEWED,
        recovered(),
        failed(),
        failed(failures=3, next_try=None, outage_at=None),
        events.TokenRevoked("home", NOW, 7),
        events.TokenDelivered("home", NOW, "file:/run/x", 7, "written"),
        events.DeliveryFailed(
            "home", NOW, "file:/run/x", 7, "unreachable", "no answer", "", action_needed=False
        ),
    ):
        buffer.publish(event)
    published = events_after(buffer)

    assert ["token", "recovered", "error", "error", "error", "sink", "sink"] == [
        name for _, name, _ in published
    ]
    assert [1, 3, 0] == [data["failures"] for _, name, data in published if name == "error"]
    assert [True, False] == [data["delivered"] for _, name, data in published if name == "sink"]
    assert CANARY not in str(published)


def test_a_sign_in_is_not_published() -> None:
    """A sent password is counted, but is no event."""
    buffer = EventBuffer("boot")
    buffer.publish(events.SignInStarted("home", NOW))

    assert buffer.newest == 0


def test_an_event_is_one_line_of_data() -> None:
    """A line feed in a message does not end the event."""
    buffer = EventBuffer("boot")
    buffer.publish(failed(message="a\n\nid: x\r\u2028"))

    assert "a\n\nid: x\r\u2028" == events_after(buffer)[0][2]["message"]


def test_the_last_events_are_kept() -> None:
    """Of 300 events the last 256 are available, and the others are known to be gone."""
    buffer = EventBuffer("boot")
    for _ in range(300):
        buffer.publish(recovered())
    kept = buffer.since(44)

    assert kept is not None
    assert list(range(45, 301)) == [entry.sequence for entry in kept]
    assert buffer.since(43) is None
    assert [] == buffer.since(300)


@pytest.mark.parametrize(
    ("last_event_id", "expected"),
    [
        ("boot-300", 300),
        ("boot-44", 44),
        ("boot-43", None),
        ("boot-301", None),
        ("other-300", None),
        ("boot-", None),
        ("-300", None),
        ("boot--1", None),
        ("boot-٣", None),
        ("boot-" + "9" * 5000, None),
        ("300", None),
        ("boot-3e2", None),
    ],
)
def test_resuming(last_event_id: str, expected: int | None) -> None:
    """An id of this run whose successors are all available can be resumed, and nothing else."""
    buffer = EventBuffer("boot")
    for _ in range(300):
        buffer.publish(recovered())

    assert expected == buffer.resume_point(last_event_id)


def test_a_reset_continues_from_here() -> None:
    """A client that missed events gets a reset, with the id that all later events follow."""
    buffer = EventBuffer("boot")
    buffer.publish(recovered())
    event_id, name, data = parse(buffer.reset())

    assert ("boot-1", "reset") == (event_id, name)
    assert "/status" in data["reason"]
    assert 1 == buffer.resume_point(event_id)


def test_callbacks() -> None:
    """A subscriber's callback is called after each event, until it unsubscribes."""
    buffer, rung = EventBuffer("boot"), []
    deaf = buffer.subscribe(lambda: rung.append(buffer.newest))
    buffer.publish(recovered())
    buffer.publish(recovered())
    deaf()
    buffer.publish(recovered())

    assert [1, 2] == rung
