"""Write log lines on a thread: a full pipe delays nobody."""

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import TextIO

#: So many characters may wait for a slow reader, some minutes of debug lines; what comes on
#: top is dropped and counted.
_MOST_WAITING = 1024 * 1024
#: Seconds that one look at a full, non-blocking pipe lasts.
_SELECT_S = 1.0


class LogWriter:
    """Write lines to a stream in the background.

    ``write`` never waits and never raises. A stream that is closed or gone swallows the
    lines; the process lives on.

    Args:
        stream: Where the lines end up; written to by its file descriptor, if it has one.
        dropped: Renders the line that says how many lines were dropped.
        most_waiting: The number of characters from which on lines are dropped.
    """

    def __init__(
        self,
        stream: TextIO,
        dropped: Callable[[int], str],
        *,
        most_waiting: int = _MOST_WAITING,
    ) -> None:
        self._stream = stream
        self._fd = _descriptor(stream)
        self._dropped_line = dropped
        self._most_waiting = most_waiting
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._waiting = 0
        self._dropped = 0
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="log", daemon=True)
        self._thread.start()

    def write(self, line: str) -> None:
        """Queue one line, given without its newline; drop it where too much waits."""
        # Held for the counting alone, never while anybody writes.
        with self._lock:
            if self._closed or self._waiting >= self._most_waiting:
                self._dropped += 1
                return
            self._waiting += len(line)
        self._lines.put(line)

    def close(self, timeout: float) -> bool:
        """Take no more lines and wait until all are written.

        Args:
            timeout: The most seconds to wait; a reader that has stalled gets no more.

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
                self._emit(self._dropped_line(dropped))

    def _emit(self, line: str) -> None:
        # ValueError: the stream object was closed. OSError: nobody reads any more (EPIPE),
        # the descriptor is gone (EBADF), the disk is full. None of them ends the daemon.
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
            # Another process that shares the pipe has made it non-blocking.
            select.select([], [descriptor], [], _SELECT_S)
