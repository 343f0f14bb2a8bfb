"""Turns log events and answers into lines that a person can follow."""

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

import structlog

from homey_tokend.core.http_types import Request, Response

#: How wide is the first word of a line?
_NAME = 10


@dataclass(slots=True)
class EventPrinter:
    """Says what happens, each line with the seconds since the start.

    Args:
        say: Takes one line.
        seconds: The time since the start.
        read_back: The fingerprint of what the simulator's variable holds.
    """

    say: Callable[[str], None]
    seconds: Callable[[], float]
    read_back: Callable[[], str]

    def line(self, name: str, words: str) -> None:
        """One line."""
        self.say(f"{self.seconds():6.1f} s  {name:<{_NAME}} {words}")

    def heard(self, _homey: str, request: Request, response: Response) -> None:
        """An answer: one step of the flow with its time."""
        took = (response.received_at - response.sent_at).total_seconds() * 1000
        self.line("step", f"{request.step:<12} {response.status}  {took:4.0f} ms")

    def __call__(
        self, _logger: object, _method: str, event: MutableMapping[str, Any]
    ) -> Mapping[str, Any]:
        """A structlog processor: tells the events that matter, and drops all.

        Raises:
            structlog.DropEvent: always; nothing else is to print it.
        """
        told = _TELLERS.get(str(event.get("event")))
        if told is not None:
            told(self, event)
        raise structlog.DropEvent


def _renewed(narrator: EventPrinter, event: Mapping[str, Any]) -> None:
    until = str(event["expires_at"])[11:19]
    proof = "the Homey takes it" if event["proved"] else "not proved yet"
    narrator.line(
        "token", f"no. {event['generation']}: {event['fingerprint']}, until {until} UTC; {proof}"
    )


def _delivered(narrator: EventPrinter, event: Mapping[str, Any]) -> None:
    narrator.line("variable", f"{event['sink']} written; read back: {narrator.read_back()}")


def _failed(narrator: EventPrinter, event: Mapping[str, Any]) -> None:
    held = event.get("outage_at")
    rest = f"; the old token is served until {str(held)[11:19]} UTC" if held else ""
    narrator.line("trouble", f"{event['reason']}{rest}; next try {str(event['next_try'])[11:19]}")


def _sink_failed(narrator: EventPrinter, event: Mapping[str, Any]) -> None:
    narrator.line("trouble", f"{event['sink']}: {event['reason']}")


_TELLERS: Mapping[str, Callable[[EventPrinter, Mapping[str, Any]], None]] = {
    "token.renewed": _renewed,
    "refresh.failed": _failed,
    "sink.delivered": _delivered,
    "sink.failed": _sink_failed,
}
