"""A socket that systemd passes, by LISTEN_FDS and the third descriptor."""

import socket
from pathlib import Path

import pytest

from tests.end_to_end.processes.cloud import Clouds
from tests.end_to_end.processes.daemons import PROGRAM, Daemon, Daemons, ask, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def handed(daemons: Daemons, folder: Path, held: socket.socket) -> Daemon:
    """Run a daemon with this socket."""
    # Not sh: Debian's does not support descriptors of two digits.
    shell = f'export LISTEN_PID=$$ LISTEN_FDS=1; exec "$@" 3<&{held.fileno()}'
    program = ("/bin/bash", "-c", shell, "bash", *PROGRAM)
    words = ("-c", str(folder / "config.yaml"))
    daemon = daemons.run(folder, *words, program=program, pass_fds=(held.fileno(),))
    daemon.socket = Path(held.getsockname())
    return daemon


def test_held_across_a_restart(clouds: Clouds, daemons: Daemons) -> None:
    """It serves on that socket and logs it; a client that connects between two daemons is served by the second."""
    folder = daemons.folder()
    at = folder / "unit.sock"
    write(folder, configuration(clouds.start(), folder, socket={"mode": "0600"}))
    with socket.socket(socket.AF_UNIX) as held, socket.socket(socket.AF_UNIX) as early:
        held.bind(str(at))
        at.chmod(0o660)
        held.listen()
        inode = at.stat().st_ino
        first = handed(daemons, folder, held).up()
        token = first.token()
        first.end()
        early.connect(str(at))
        early.sendall(b"GET /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        early.settimeout(60)
        second = handed(daemons, folder, held)
        answer = b"".join(iter(lambda: early.recv(4096), b""))
        served = ask(at, "/token").text
        status, _ = second.end()

    overruled = {each["key"] for each in second.events() if each["event"] == "socket.overridden"}
    assert answer.endswith(f"\r\n\r\n{token}\n".encode())
    assert (token, 0) == (served, status)
    assert {"socket.path", "socket.mode"} == overruled
    assert inode == at.stat().st_ino
    assert not (folder / "d.sock").exists()
