"""Write log lines on a thread, so that a full pipe delays nothing else."""

import contextlib
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import TextIO

#: The most characters that wait for a slow reader, some minutes of debug lines; further lines
#: are dropped and counted.
_MOST_WAITING = 1024 * 1024
#: The seconds to wait at a time for a full, non-blocking pipe.
_SELECT_S = 1.0


class LogWriter:
    """Write lines to a stream in the background.

    ``write`` never waits and never raises. If the stream is closed, lines are lost and the
    process continues.

    Args:
        stream: The stream; written by its file descriptor, if it has one.
        dropped: Returns the line that reports a number of dropped lines.
        most_waiting: The most characters that wait before lines are dropped.
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
        """Queue one line, without its newline; drop it if too much is waiting."""
        # The lock is only held for counting, never during a write.
        with self._lock:
            if self._closed or self._waiting >= self._most_waiting:
                self._dropped += 1
                return
            self._waiting += len(line)
        self._lines.put(line)

    def close(self, timeout: float) -> bool:
        """Accept no more lines and wait until all are written.

        Args:
            timeout: The most seconds to wait, in case the reader has stalled.

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
        # ValueError: the stream was closed. OSError: there is no reader (EPIPE), the descriptor
        # was closed (EBADF), the disk is full. None of them ends the daemon.
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
            # Another process that shares the pipe made it non-blocking.
            select.select([], [descriptor], [], _SELECT_S)
