"""Writes log lines on a thread of its own: a full pipe holds up nobody."""

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import TextIO

#: How much may wait for a reader that is slow? Some minutes of debug lines; what comes
#: on top is dropped and counted.
_MOST_LINES = 4096
_MOST_CHARACTERS = 1024 * 1024

#: How long does one look at a full pipe that does not block last?
_PATIENCE_S = 1.0


class LogWriter:
    """Where lines go.

    ``write`` never waits and never raises. A stream that is closed or gone
    swallows the lines; the process lives on.

    Args:
        stream: Where the lines end up; written to by its file descriptor, if it has one.
        tell_dropped: Renders the line that tells how many lines were dropped.
        most_lines: How many lines may wait.
    """

    def __init__(
        self,
        stream: TextIO,
        tell_dropped: Callable[[int], str],
        *,
        most_lines: int = _MOST_LINES,
    ) -> None:
        self._stream = stream
        self._fd = _descriptor(stream)
        self._tell_dropped = tell_dropped
        self._most_lines = most_lines
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Hands over one line, without its newline; drops it where too many wait."""
        # Held for the counting alone, never while anybody writes.
        with self._lock:
            room = self._lines.qsize() < self._most_lines and self._waiting < _MOST_CHARACTERS
            if self._closed or not room:
                self._dropped += 1
                return
            self._waiting += len(line)
        self._lines.put(line)

    def close(self, timeout: float) -> bool:
        """Takes no more lines, and waits until all are written.

        Args:
            timeout: The seconds to wait at most; a reader that has stalled gets no more.

        Returns:
            Whether all lines were written.
        """
        with self._lock:
            already, self._closed = self._closed, True
        if not already:
            self._lines.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (line := self._lines.get()) is not None:
            self._emit(line)
            with self._lock:
                self._waiting -= len(line)
                dropped, self._dropped = self._dropped, 0
            if dropped:
                self._emit(self._tell_dropped(dropped))

    def _emit(self, line: str) -> None:
        # ValueError: the stream object was closed. OSError: nobody reads any more (EPIPE),
        # the descriptor is gone (EBADF), the disk is full. Nothing of it ends the daemon.
        with contextlib.suppress(OSError, ValueError):
            if self._fd is None:
                self._stream.write(line + "\n")
                self._stream.flush()
            else:
                _write_all(self._fd, (line + "\n").encode("utf-8", "backslashreplace"))


def _descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        try:
            rest = rest[os.write(descriptor, rest) :]
        except BlockingIOError:
            # Somebody we share the pipe with has made it non-blocking.
            select.select([], [descriptor], [], _PATIENCE_S)
