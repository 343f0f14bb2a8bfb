"""What happened, as Server-Sent Events ready to send: the last 256 of them, each rendered once.

The form is that of the WHATWG HTML standard, 9.2 (Server-sent events): ``id``,
``event``, one line of ``data`` (JSON), an empty line. No event holds a token.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

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
from homey_tokend.server.documents import instant

#: How many events can be resumed?
CAPACITY = 256


@dataclass(frozen=True, slots=True)
class BufferedEvent:
    """One event: its number, whom it is about, and its bytes, shared by all listeners."""

    sequence: int
    homey: str
    rendered: bytes


class EventBuffer:
    """The board that keepers post on and listeners read.

    Args:
        boot: Tells this run of the daemon from others; a part of every id.
        kept: How many events are kept for those who resume.
    """

    def __init__(self, boot: str, kept: int = CAPACITY) -> None:
        self._boot = boot
        self._ring: deque[BufferedEvent] = deque(maxlen=kept)
        self._ringers: list[Callable[[], None]] = []
        #: The number of the newest event; 0 before the first one.
        self.newest = 0

    def publish(self, happened: Event) -> None:
        """Post what happened, if it is news, and ring those who listen; waits for nobody."""
        news = _news(happened)
        if news is None:
            return
        name, data = news
        self.newest += 1
        data = {"homey": happened.homey, "at": instant(happened.at), **data}
        self._ring.append(BufferedEvent(self.newest, happened.homey, self._render(name, data)))
        for ring in self._ringers:
            ring()

    def since(self, sequence: int) -> list[BufferedEvent] | None:
        """The events after this one, oldest first; None where some of them are gone."""
        if sequence < self.newest - len(self._ring):
            return None
        count = self.newest - sequence
        return [self._ring[index] for index in range(len(self._ring) - count, len(self._ring))]

    def resumed(self, last_event_id: str) -> int | None:
        """The number that an id means, if all events after it are still here.

        Args:
            last_event_id: ``<boot>-<sequence>``, as a client sends it; or anything else.
        """
        boot, _, number = last_event_id.rpartition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit() and len(number) < 16):
            return None
        sequence = int(number)
        if sequence > self.newest or self.since(sequence) is None:
            return None
        return sequence

    def reset(self) -> bytes:
        """The event for those who missed some: look at /status, what follows is whole."""
        return self._render("reset", {"reason": "events were missed; read /status"})

    def opening(self) -> bytes:
        """What every listener gets first: when to come back, and the id to come back with.

        An id without data is remembered and nothing is dispatched (WHATWG HTML, 9.2.6).
        """
        return f"retry: 2000\nid: {self._boot}-{self.newest}\n\n".encode()

    def listen(self, ring: Callable[[], None]) -> Callable[[], None]:
        """Have ``ring`` called after each event, until what is returned is called."""
        self._ringers.append(ring)
        return lambda: self._ringers.remove(ring)

    def _render(self, name: str, data: dict[str, object]) -> bytes:
        text = json.dumps(data)  # ASCII on one line, whatever is in it
        return f"id: {self._boot}-{self.newest}\nevent: {name}\ndata: {text}\n\n".encode()


def _news(happened: Event) -> tuple[str, dict[str, object]] | None:
    """Name and own members of an event; None for what is counted only."""
    match happened:
        case TokenRenewed():
            return "token", _renewed(happened)
        case RefreshFailed() | TokenRevoked():
            return "error", _failed(happened)
        case RefreshRecovered(failures=failures):
            return "recovered", {"failures": failures}
        case TokenDelivered() | DeliveryFailed():
            return "sink", _written(happened)
        case SignInStarted():
            return None


def _renewed(happened: TokenRenewed) -> dict[str, object]:
    return {
        "generation": happened.generation,
        "fingerprint": happened.fingerprint,
        "issued_at": instant(happened.issued_at),
        "expires_at": instant(happened.expires_at),
    }


def _failed(happened: RefreshFailed | TokenRevoked) -> dict[str, object]:
    if isinstance(happened, TokenRevoked):
        return {
            "kind": "token_revoked",
            "step": "session",
            "message": f"the Homey takes the token of generation {happened.generation} no longer",
            "remedy": "",
            "failures": 0,
            "next_try": instant(happened.at),
            "outage_at": instant(happened.at),
        }
    return {
        "kind": happened.kind,
        "step": happened.step,
        "message": happened.message,
        "remedy": happened.remedy,
        "failures": happened.failures,
        "next_try": instant(happened.next_try),
        "outage_at": instant(happened.outage_at),
    }


def _written(happened: TokenDelivered | DeliveryFailed) -> dict[str, object]:
    told: dict[str, object] = {"sink": happened.sink, "generation": happened.generation}
    if isinstance(happened, TokenDelivered):
        return {**told, "delivered": True}
    return {
        **told,
        "delivered": False,
        "kind": happened.kind,
        "message": happened.message,
        "remedy": happened.remedy,
    }
