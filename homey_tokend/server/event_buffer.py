"""The last 256 events as Server-Sent Events ready to send, each rendered once.

The format is that of the WHATWG HTML standard, 9.2 (Server-sent events): ``id``,
``event``, one line of ``data`` (JSON), an empty line. No event contains a token.
"""

import json
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from homey_tokend.core.documents import event_document
from homey_tokend.core.events import Event

#: Events that are kept for clients that resume.
CAPACITY = 256


class BufferedEvent(NamedTuple):
    """One event: its number, the Homey, and its bytes, shared by all subscribers."""

    sequence: int
    homey: str
    rendered: bytes


class EventBuffer:
    """A ring of events, read by the subscribers of ``/events``.

    Args:
        boot: Identifies this run of the daemon; a part of every id.
        capacity: How many events are kept for clients that resume.
    """

    def __init__(self, boot: str, capacity: int = CAPACITY) -> None:
        self._boot = boot
        self._ring: deque[BufferedEvent] = deque(maxlen=capacity)
        self._callbacks: list[Callable[[], None]] = []
        #: The number of the newest event; 0 before the first one.
        self.newest = 0

    @property
    def subscribed(self) -> int:
        """How many callbacks are registered."""
        return len(self._callbacks)

    def publish(self, event: Event) -> None:
        """Add an event, unless it is only counted, and call the subscribers' callbacks."""
        document = event_document(event)
        if document is None:
            return
        name, data = document
        self.newest += 1
        self._ring.append(BufferedEvent(self.newest, event.homey, self._render(name, data)))
        for callback in self._callbacks:
            callback()

    def since(self, sequence: int) -> list[BufferedEvent] | None:
        """Return the events after this number, oldest first; None if some of them are gone."""
        if sequence < self.newest - len(self._ring):
            return None
        count = self.newest - sequence
        return [self._ring[index] for index in range(len(self._ring) - count, len(self._ring))]

    def resume_point(self, last_event_id: str) -> int | None:
        """Return the number of an id, if all events after it are still here.

        Args:
            last_event_id: ``<boot>-<sequence>``, or anything else that a client sends.
        """
        boot, _, number = last_event_id.rpartition("-")
        if boot != self._boot or not (number.isascii() and number.isdigit() and len(number) < 16):
            return None
        sequence = int(number)
        if sequence > self.newest or self.since(sequence) is None:
            return None
        return sequence

    def reset(self) -> bytes:
        """Return the event for clients that missed some."""
        return self._render("reset", {"reason": "events were missed; read /status"})

    def opening(self) -> bytes:
        """Return what every stream begins with: the pause before reconnecting, and an id.

        An id without data is remembered and nothing is dispatched (WHATWG HTML, 9.2.6).
        """
        return f"retry: 2000\nid: {self._boot}-{self.newest}\n\n".encode()

    def subscribe(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call ``callback`` after each event, until the returned function is called."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback)

    def _render(self, name: str, data: dict[str, object]) -> bytes:
        text = json.dumps(data)  # ASCII on one line, whatever is in it
        return f"id: {self._boot}-{self.newest}\nevent: {name}\ndata: {text}\n\n".encode()
