"""JSON log lines, written by a thread of their own so that a full pipe stalls nobody."""

import json
import queue
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from homey_tokend.simulator.household import timestamp

#: Lines that wait for a reader; beyond that they are dropped.
_WAITING = 10_000


class LogLines:
    """Writes one JSON object per line.

    Args:
        path: A file that is appended to, or None for stderr.

    Raises:
        OSError: Where the file cannot be opened.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._out: TextIO = sys.stderr if path is None else path.open("a", encoding="utf-8")
        self._lines: queue.Queue[str | None] = queue.Queue(_WAITING)
        self._writer = threading.Thread(target=self._write, daemon=True)

    def put(self, event: str, facts: Mapping[str, object]) -> None:
        """Log an event; it never blocks."""
        line = json.dumps({"at": timestamp(time.time()), "event": event, **facts})
        if not self._lines.full():
            self._lines.put_nowait(line)

    def __enter__(self) -> Self:
        self._writer.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lines.put(None)
        self._writer.join(1)
        if self._path is not None:
            self._out.close()

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            self._out.write(line + "\n")
            self._out.flush()
