"""The daemon's standard streams, and notifications to systemd."""

import os
import signal
import socket
import subprocess

import pytest

from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import PROGRAM, Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_full_pipe(clouds: Clouds, daemons: Daemons) -> None:
    """With a full stderr that nobody reads it serves and refreshes as usual."""
    folder, cloud = daemons.folder(), clouds.start(session_lifetime=1)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    while True:
        try:
            os.write(writing, b"x" * 4096)
        except BlockingIOError:
            break
    os.set_blocking(writing, True)
    at = str(write(folder, configuration(cloud, folder)))
    daemon = daemons.run(folder, "-c", at, stderr=writing).up()
    os.close(writing)
    until(lambda: daemon.status()["refreshes"] >= 3, "refreshes go on")
    status, took = daemon.end()
    os.close(reading)

    assert status == 0
    assert took < 5


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed(clouds: Clouds, daemons: Daemons, closed: str) -> None:
    """It serves without one of the standard streams, or without any."""
    folder, cloud = daemons.folder(), clouds.start()
    at = str(write(folder, configuration(cloud, folder)))
    shell = ("/bin/sh", "-c", f'exec "$@" {closed}', "sh")
    daemon = daemons.run(folder, "-c", at, program=(*shell, *PROGRAM)).up()
    token = daemon.token()
    status, took = daemon.end()

    assert token
    assert status == 0
    assert took < 5
    assert token.encode() not in daemon.state.with_name("state.json.lock").read_bytes()


def test_closed_reader(clouds: Clouds, daemons: Daemons) -> None:
    """It continues when the reader of its stderr closes it."""
    folder, cloud = daemons.folder(), clouds.start(session_lifetime=1)
    at = str(write(folder, configuration(cloud, folder)))
    daemon = daemons.run(folder, "-c", at, stderr=subprocess.PIPE).up()
    assert daemon.process.stderr is not None
    daemon.process.stderr.close()
    seen = daemon.status()["refreshes"]
    until(lambda: daemon.status()["refreshes"] >= seen + 2, "refreshes go on")

    assert daemon.end()[0] == 0


@pytest.mark.parametrize("abstract", [False, True])
def test_notifications(clouds: Clouds, daemons: Daemons, abstract: bool) -> None:
    """systemd receives READY when the socket answers, a status, start and end of a reload, and STOPPING."""
    folder = daemons.folder()
    name = f"@{folder.name}" if abstract else str(folder / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.bind(f"\0{name[1:]}" if abstract else name)
        notifications.settimeout(30)
        environ = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "2000000"}
        daemon = daemons.start(clouds.start(), folder=folder, environ=environ)
        first = notifications.recv(4096)
        served = daemon.get("/healthz").status
        token = daemon.token()
        heard = [first, *_until(notifications, b"WATCHDOG=1", b"token held")]
        daemon.send(signal.SIGHUP)
        heard += _until(notifications, b"RELOADING=1\nMONOTONIC_USEC=")
        heard += _until(notifications, b"READY=1")
        daemon.end()
        heard += _until(notifications, b"STOPPING=1")

    assert heard[0].split(b"\n")[0] == b"READY=1"
    assert served == 200
    assert any(line.startswith(b"STATUS=home: token held until ") for line in heard)
    assert token.encode() not in b"".join(heard)


def _until(notifications: socket.socket, *wanted: bytes) -> list[bytes]:
    """Return the notifications until each of these has been received."""
    heard: list[bytes] = []
    while not all(any(each in line for line in heard) for each in wanted):
        heard.append(notifications.recv(4096))
    return heard


def test_dev_mode(clouds: Clouds, daemons: Daemons) -> None:
    """In Python's development mode nothing causes a warning or stays open from start to end."""
    folder, cloud = daemons.folder(), clouds.start(session_lifetime=2)
    sink = {"sinks": [{"type": "exec", "command": ["/bin/cat"]}]}
    at = str(write(folder, configuration(cloud, folder, homey=sink)))
    environ = {"PYTHONDEVMODE": "1", "PYTHONWARNINGS": "always"}
    daemon = daemons.run(folder, "-c", at, environ=environ).up()
    until(lambda: daemon.status()["refreshes"] >= 2, "a refresh")
    status, _ = daemon.end()
    warned = [each for each in daemon.events() if each["event"] == "library.warned"]

    assert status == 0
    assert "Warning" not in daemon.said()
    # This mode also reports what took long on a busy machine.
    assert [] == [each for each in warned if "Executing" not in each["message"]]
