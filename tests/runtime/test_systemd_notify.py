"""Notifications to systemd, over a real datagram socket."""

import contextlib
import os
import socket
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend.runtime.systemd_notify import SystemdNotifier

BEAT = timedelta(seconds=30)


@pytest.fixture
def manager() -> Iterator[socket.socket]:
    """The socket of the service manager."""
    with (
        tempfile.TemporaryDirectory(prefix="ht") as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock,
    ):
        sock.bind(str(Path(folder) / "n"))
        sock.settimeout(2)
        yield sock


def test_each_state_is_one_datagram(manager: socket.socket) -> None:
    """READY, STATUS, WATCHDOG and STOPPING are sent in the format of sd_notify(3)."""
    notifier = SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.ready()
    notifier.status("home: token held\nuntil noon")
    notifier.status("home: token held\nuntil noon")
    notifier.alive()
    notifier.stopping()

    assert [
        "READY=1",
        "STATUS=home: token held until noon",
        "WATCHDOG=1",
        "STOPPING=1",
    ] == [manager.recv(4096).decode() for _ in range(4)]


def test_a_busy_manager_gets_it_later(manager: socket.socket) -> None:
    """READY is not lost while the queue is full: the start would count as failed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.setblocking(False)
        queued = 0
        with contextlib.suppress(BlockingIOError):
            while True:
                other.sendto(b"X", manager.getsockname())
                queued += 1
    notifier = SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()})
    notifier.status("one")
    notifier.ready()
    notifier.status("two")
    before = [manager.recv(4096) for _ in range(queued)]
    notifier.alive()

    assert [b"X"] * queued == before
    assert [b"READY=1", b"STATUS=two", b"WATCHDOG=1"] == [manager.recv(4096) for _ in range(3)]


def test_a_reload_reports_its_start(manager: socket.socket) -> None:
    """MONOTONIC_USEC is CLOCK_MONOTONIC in microseconds, as Type=notify-reload requires."""
    before = time.monotonic_ns() // 1000
    SystemdNotifier({"NOTIFY_SOCKET": manager.getsockname()}).reloading()
    first, second = manager.recv(4096).decode().splitlines()

    assert first == "RELOADING=1"
    assert before <= int(second.removeprefix("MONOTONIC_USEC=")) <= time.monotonic_ns() // 1000


def test_an_abstract_socket_is_reached() -> None:
    """A leading @ stands for a zero byte."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(f"\0ht-{os.getpid()}")
        sock.settimeout(2)
        SystemdNotifier({"NOTIFY_SOCKET": f"@ht-{os.getpid()}"}).ready()

        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("environ", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}])
def test_without_a_manager_nothing_happens(environ: dict[str, str]) -> None:
    """A missing or stale socket is no failure."""
    SystemdNotifier(environ).ready()


@pytest.mark.parametrize(
    ("environ", "often"),
    [
        ({}, BEAT),
        ({"WATCHDOG_USEC": "180000000"}, BEAT),
        ({"WATCHDOG_USEC": "6000000"}, timedelta(seconds=2)),
        ({"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": str(os.getpid())}, timedelta(seconds=2)),
        ({"WATCHDOG_USEC": "6000000", "WATCHDOG_PID": "1"}, BEAT),
        ({"WATCHDOG_USEC": "0"}, BEAT),
        ({"WATCHDOG_USEC": "soon"}, BEAT),
        ({"WATCHDOG_USEC": "1"}, timedelta(milliseconds=100)),
        ({"WATCHDOG_USEC": "9" * 21}, BEAT),
        ({"WATCHDOG_USEC": "9" * 5000}, BEAT),
    ],
    ids=[
        "none",
        "patient",
        "impatient",
        "ours",
        "another's",
        "zero",
        "no number",
        "too short",
        "no time",
        "no integer of Python",
    ],
)
def test_the_watchdog_is_notified_three_times_within_its_timeout(
    environ: dict[str, str], often: timedelta
) -> None:
    """The watchdog shortens the heartbeat if necessary, and only for this process."""
    assert often == SystemdNotifier(environ).interval(BEAT)
