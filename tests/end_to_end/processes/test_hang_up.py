"""SIGHUP before the daemon can reload, and the end of its terminal."""

import fcntl
import os
import pty
import signal
import termios
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import PROGRAM, Daemon, Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def catches_sigterm(process: int) -> bool:
    """Return whether the program's first lines have run."""
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    (caught,) = (line for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def test_sighup_during_the_start_is_not_lost(clouds: Clouds, daemons: Daemons) -> None:
    """It does not end the daemon, which reloads as soon as it runs."""
    folder = daemons.folder()
    config = write(folder, configuration(clouds.start(), folder))
    daemon = daemons.run(folder, "-c", str(config), program=PROGRAM)
    until(lambda: catches_sigterm(daemon.process.pid), "the program runs")
    daemon.send(signal.SIGHUP)
    daemon.up()
    until(lambda: "reload.done" in daemon.said(), "it has reloaded")
    status, _ = daemon.end()

    assert status == 0


def on_a_terminal(cloud: Simulator, daemons: Daemons, **streams: Any) -> tuple[Daemon, int]:
    """Return a daemon that leads the session of a terminal, and the other end of that."""
    folder = daemons.folder()
    config = write(folder, configuration(cloud, folder))
    ours, theirs = pty.openpty()

    def become_leader() -> None:
        os.setsid()
        fcntl.ioctl(theirs, termios.TIOCSCTTY, 0)

    daemon = daemons.run(
        folder,
        "-c",
        str(config),
        preexec_fn=become_leader,
        pass_fds=(theirs,),
        **({"stdin": theirs, "stdout": theirs} | streams),
    )
    os.close(theirs)
    return daemon.up(), ours


def test_a_closed_terminal_ends_the_daemon(clouds: Clouds, daemons: Daemons) -> None:
    """Nobody would see it any more; SIGHUP from elsewhere reloads until then."""
    daemon, terminal = on_a_terminal(clouds.start(), daemons)
    daemon.send(signal.SIGHUP)
    until(lambda: "reload.done" in daemon.said(), "it has reloaded")
    os.close(terminal)

    assert daemon.ended() == 0
    assert not daemon.socket.exists()
    assert [each["signal"] for each in daemon.events() if each["event"] == "signal.received"] == [
        "SIGHUP"
    ]


def test_redirected_streams_outlive_the_terminal(clouds: Clouds, daemons: Daemons) -> None:
    """With its streams elsewhere, as with nohup, the end of the terminal is a reload."""
    with Path(os.devnull).open("r+b") as nothing:
        streams = {"stdin": nothing.fileno(), "stdout": nothing.fileno()}
        daemon, terminal = on_a_terminal(clouds.start(), daemons, **streams)
    os.close(terminal)
    until(lambda: "reload.done" in daemon.said(), "it has reloaded")

    assert daemon.get("/healthz").status == 200
    status, _ = daemon.end()
    assert status == 0
