"""The event log of a simulated year: printed in the year's own time, or only counted."""

import logging
from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from bench.simyear.loop import YearClock


class EventLog:
    """Take every event that the daemon logs, and what happens to the machine and its hosts.

    Args:
        clock: The year's.
        echo: Told each event as a line; None: they are counted only.
    """

    def __init__(self, clock: YearClock, echo: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._echoed = echo
        self.count: Counter[str] = Counter()

    def begin(self) -> None:
        """From now on events come here. What is below information is left out where none reads."""
        structlog.configure(
            processors=[self._take],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.INFO if self._echoed is None else logging.DEBUG
            ),
            cache_logger_on_first_use=False,
        )

    def _take(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        self.count[event["event"]] += 1
        if self._echoed is not None:
            fields = {key: value for key, value in event.items() if key not in {"event", "homey"}}
            words = " ".join(f"{key}={value}" for key, value in fields.items())
            now = self._clock.truth()
            self._echoed(f"{now:%m-%d %H:%M:%S.%f} {method:9} {event['event']:24} {words}".rstrip())
        raise structlog.DropEvent
