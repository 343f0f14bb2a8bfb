"""The event log of a simulated year: printed in the year's own time, or only counted."""

import logging
from collections import Counter
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog

from bench.simyear.loop import YearClock


class EventLog:
    """Receive the log events of the daemon, its machine and its hosts.

    Args:
        clock: The simulated clock.
        echo: Called with each event as a line; None: events are only counted.
    """

    def __init__(self, clock: YearClock, echo: Callable[[str], None] | None = None) -> None:
        self._clock = clock
        self._echo = echo
        self.count: Counter[str] = Counter()

    def install(self) -> None:
        """Receive all events from now on; without ``echo`` those below info are left out."""
        structlog.configure(
            processors=[self._process],
            wrapper_class=structlog.make_filtering_bound_logger(
                logging.INFO if self._echo is None else logging.DEBUG
            ),
            cache_logger_on_first_use=False,
        )

    def _process(self, _logger: object, method: str, event: MutableMapping[str, Any]) -> Any:
        self.count[event["event"]] += 1
        if self._echo is not None:
            fields = {key: value for key, value in event.items() if key not in {"event", "homey"}}
            words = " ".join(f"{key}={value}" for key, value in fields.items())
            now = self._clock.truth()
            self._echo(f"{now:%m-%d %H:%M:%S.%f} {method:9} {event['event']:24} {words}".rstrip())
        raise structlog.DropEvent
