"""Helpers for tests with files."""

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def failing(point: str, number: int) -> Callable[[str], None]:
    """Return a hook that simulates a disk which fails at one point."""

    def at(reached: str) -> None:
        if reached == point:
            raise OSError(number, os.strerror(number))

    return at


def started(script: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Start a Python process, and wait for its first line."""
    process = subprocess.Popen(  # noqa: S603  our own script
        [sys.executable, "-c", script, *map(str, arguments)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline()
    return process


def ended(process: subprocess.Popen[bytes], number: signal.Signals = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait()
    assert process.stdout is not None
    process.stdout.close()
