"""The directory of the socket disappears, is read-only or full: the daemon outlasts it."""

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import PROGRAM, Daemon, Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: The daemon looks after its socket three times in a watchdog's time.
QUICK = {"WATCHDOG_USEC": "600000"}


def events(daemon: Daemon, name: str) -> list[str]:
    """Return the reasons of these events in the log."""
    return [str(each.get("reason")) for each in daemon.events() if each["event"] == name]


def test_a_directory_that_is_made_anew(clouds: Clouds, daemons: Daemons) -> None:
    """As at a logout and a login: the socket is back, and another daemon is turned away."""
    folder = daemons.folder()
    runtime = folder / "run" / "user"
    runtime.mkdir(parents=True)
    document = configuration(clouds.start(), folder, socket={"path": str(runtime / "d.sock")})
    config = str(write(folder, document))
    daemon = daemons.run(folder, "-c", config, environ=QUICK)
    daemon.socket = runtime / "d.sock"
    token = daemon.up().token()

    shutil.rmtree(folder / "run")
    until(lambda: events(daemon, "socket.missing"), "it says so")
    runtime.mkdir(parents=True)
    until(daemon.socket.exists, "it is back")
    assert daemon.up().token() == token
    assert "cannot be created or opened" in events(daemon, "socket.missing")[0]

    daemon.socket.unlink()
    until(daemon.socket.exists, "it is back")
    second = daemons.run(folder, "-c", config)
    assert second.ended() == 73
    assert daemon.up().token() == token
    assert daemon.end()[0] == 0
    assert not daemon.socket.exists()


def test_a_removed_socket_of_systemd_is_reported(clouds: Clouds, daemons: Daemons) -> None:
    """Only systemd can create it again; the daemon says so once, and keeps the token."""
    folder = daemons.folder()
    at = folder / "unit.sock"
    config = write(folder, configuration(clouds.start(), folder))
    with socket.socket(socket.AF_UNIX) as held:
        held.bind(str(at))
        held.listen()
        shell = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&{held.fileno()}'
        daemon = daemons.run(
            folder,
            "-c",
            str(config),
            program=("/bin/bash", "-c", shell, "bash", *PROGRAM),
            environ=QUICK,
            pass_fds=(held.fileno(),),
        )
        daemon.socket = at
        daemon.up()
        at.unlink()
        until(lambda: events(daemon, "socket.missing"), "it says so")
        at.touch()  # it stays away
        status, _ = daemon.end()

    assert status == 0
    assert at.exists()
    assert events(daemon, "socket.missing") == [
        f"the socket {at} was removed, and systemd holds it"
    ]


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")


def mounted(clouds: Clouds, daemons: Daemons, options: str, then: str) -> Daemon:
    """Return a daemon whose socket's directory is a file system of its own.

    Args:
        clouds: Where it signs in.
        daemons: Starts it.
        options: Of the mount.
        then: A command that the directory is given to before the daemon starts.
    """
    folder = daemons.folder()
    runtime = folder / "run"
    runtime.mkdir()
    document = configuration(clouds.start(), folder, socket={"path": str(runtime / "d.sock")})
    document["homeys"]["home"]["sinks"] = [{"type": "file", "path": str(folder / "token")}]
    shell = f'mount -t tmpfs -o {options} none {runtime} && {then} {runtime} && exec "$@"'
    daemon = daemons.run(
        folder,
        "-c",
        str(write(folder, document)),
        program=("unshare", "--mount", "/bin/sh", "-c", shell, "sh", *PROGRAM),
        environ=QUICK,
    )
    daemon.socket = Path(f"/proc/{daemon.process.pid}/root{runtime}/d.sock")
    return daemon


def remount(daemon: Daemon, options: str) -> None:
    """Change the options of the mount."""
    target = str(daemon.folder / "run")
    command = ["nsenter", f"--mount=/proc/{daemon.process.pid}/ns/mnt"]
    subprocess.run([*command, "mount", "-o", f"remount,{options}", target], check=True)  # noqa: S603  our own daemon


@needs_root
@pytest.mark.parametrize(
    ("options", "then", "freed", "reason"),
    [
        ("mode=0755", "mount -o remount,ro", "rw", "Read-only file system"),
        ("nr_inodes=1", "test -d", "nr_inodes=100", "No space left on device"),
    ],
    ids=["read-only", "full"],
)
def test_a_directory_that_takes_no_socket_is_outlasted(
    clouds: Clouds, daemons: Daemons, options: str, then: str, freed: str, reason: str
) -> None:
    """The token is kept and written to the sinks; the socket follows once it can be created."""
    daemon = mounted(clouds, daemons, options, then)
    until((daemon.folder / "token").exists, f"the token is written; {daemon.said()[-2000:]}")
    assert not daemon.socket.exists()
    (said,) = events(daemon, "socket.missing")
    assert reason in said

    remount(daemon, freed)
    token = daemon.up().token()
    assert (daemon.folder / "token").read_text(encoding="utf-8").strip() == token
    assert daemon.end()[0] == 0
