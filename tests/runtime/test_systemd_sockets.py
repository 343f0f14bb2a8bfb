"""Sockets from systemd are used, checked, and not inherited by children."""

import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from homey_tokend.config import SocketConfig
from homey_tokend.core.errors import CannotServe
from homey_tokend.runtime.systemd_sockets import inherited_sockets, overridden_keys

PLACE = Path("/run/homey-tokend/homey-tokend.sock")


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ht") as name:
        yield Path(name)


@pytest.fixture
def listening(folder: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind(str(folder / "a.sock"))
        sock.listen()
        yield sock


def passed(**changes: str) -> dict[str, str]:
    """Return an environment with one descriptor for this process."""
    return {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1", "HOME": "/"} | changes


def test_a_listening_socket_is_taken_over(listening: socket.socket, folder: Path) -> None:
    """It is the same socket, closed on exec, and the variables are removed."""
    first = os.dup(listening.fileno())
    os.set_inheritable(first, True)
    environ = passed(LISTEN_FDNAMES="api")
    (sock,) = inherited_sockets(environ, first)
    with sock:
        assert str(folder / "a.sock") == sock.getsockname()
        assert os.get_inheritable(sock.fileno()) is False
    assert {"HOME": "/"} == environ


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"LISTEN_PID": "1", "LISTEN_FDS": "1"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "many"},
        {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "9" * 5000},
        {"LISTEN_PID": str(os.getpid())},
    ],
    ids=["nothing", "for another process", "no number", "no integer of Python", "no count"],
)
def test_sockets_for_other_processes_are_ignored(environ: dict[str, str]) -> None:
    """Variables for another process, or malformed ones, mean no socket, and are removed."""
    assert () == inherited_sockets(environ)
    assert {} == environ


def test_unusable_descriptors_are_reported(folder: Path) -> None:
    """A closed descriptor, a file, and any other kind of socket are errors."""
    seen = {}
    silent = socket.socket(socket.AF_UNIX)
    datagram = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    tcp = socket.socket(socket.AF_INET)
    abstract = socket.socket(socket.AF_UNIX)
    abstract.bind(f"\0{folder}")
    abstract.listen()
    file = os.open(folder / "f", os.O_CREAT | os.O_RDWR)
    closed = os.dup(file)
    os.close(closed)
    cases = {"closed": closed, "file": file}
    cases |= {"silent": silent.detach(), "datagram": datagram.detach(), "tcp": tcp.detach()}
    cases |= {"abstract": abstract.detach()}
    for name, descriptor in cases.items():
        with pytest.raises(CannotServe) as caught:
            inherited_sockets(passed(LISTEN_FDNAMES="api"), descriptor)
        seen[name] = caught.value.message
        with suppress(OSError):
            os.close(descriptor)

    assert {
        "closed": f"LISTEN_FDS includes the file descriptor {closed}, which is not open",
        "file": "the descriptor api is not a socket",
        "silent": "the socket api does not listen",
        "datagram": "the socket api is not a unix stream socket",
        "tcp": "the socket api is not a unix stream socket",
        "abstract": "the socket api has no path",
    } == seen


def test_the_unit_overrides_the_configuration(folder: Path, listening: socket.socket) -> None:
    """Path, mode and group that differ from the configuration are reported with the value in force."""
    path = folder / "a.sock"
    path.chmod(0o600)
    wanted = SocketConfig.model_construct(
        _fields_set={"path", "mode", "group"}, path=PLACE, mode=0o660, group="nobody-at-all"
    )

    assert {
        "socket.path": str(path),
        "socket.mode": "0600",
        "socket.group": path.group(),
    } == dict(overridden_keys(wanted, [listening]))


def test_keys_that_are_not_configured_are_not_compared(
    folder: Path, listening: socket.socket
) -> None:
    """Defaults, and a socket whose file is gone, are not compared."""
    (folder / "a.sock").chmod(0o600)

    assert [] == list(overridden_keys(SocketConfig(), [listening]))
    (folder / "a.sock").unlink()
    wanted = SocketConfig.model_construct(
        _fields_set={"path", "mode"}, path=folder / "a.sock", mode=0o660
    )
    assert [] == list(overridden_keys(wanted, [listening]))


@pytest.mark.slow
def test_a_child_inherits_nothing(listening: socket.socket) -> None:
    """Neither descriptor nor variables reach a child process."""
    program = (
        "import os, subprocess, sys; os.dup2(int(sys.argv[1]), 3);"
        "os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS='1', LISTEN_FDNAMES='d');"
        "from homey_tokend.runtime.systemd_sockets import inherited_sockets; inherited_sockets(os.environ);"
        'look = \'import os; print(os.environ.get("LISTEN_FDS"), os.path.exists("/proc/self/fd/3"))\';'
        "subprocess.run([sys.executable, '-c', look], close_fds=False)"
    )
    descriptor = str(listening.fileno())
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", program, descriptor],
        pass_fds=[listening.fileno()],
        capture_output=True,
        text=True,
        check=True,
    )

    assert ended.stdout == "None False\n"
