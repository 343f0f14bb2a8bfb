"""Thousands of hostile clients, on a daemon that may take no more memory than its unit allows.

What a client does not read stays in the kernel's memory, which is counted for the daemon: only a
cgroup shows that.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from tests.end_to_end.processes.cloud import Clouds
from tests.end_to_end.processes.daemons import Daemon, Daemons
from tests.support.memory_cgroup import MemoryCgroup, NoCgroup, memory_cgroup

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user"),
]

#: MemoryMax= of the unit, and the most that hostile clients may cost.
LIMIT, MARK = 256 << 20, 128 << 20
NOBODY, ADMITTED = 65534, 4711
#: Seconds that the clients get at most, and those after all of them have sent everything.
WITHIN_S, AFTER_S = 10.0, 1.0
#: Becomes a user and connects so many clients, in a few processes; each sends this as often as it
#: can, reads nothing, and stays open when it is disconnected.
CLIENTS = r"""
import contextlib, encodings.idna, os, resource, socket, sys, time
path, user, count, data = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.stdin.buffer.read()
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
os.setgroups([]); os.setgid(user); os.setuid(user)
def send(client):
    with contextlib.suppress(OSError):
        rest = data
        while rest:
            rest = rest[client.send(rest):]
def connect():
    client = socket.socket(socket.AF_INET if path.isdigit() else socket.AF_UNIX)
    client.connect(("127.0.0.1", int(path)) if path.isdigit() else path)
    client.setblocking(False)
    send(client)
    return client
def clients(number):
    made = [connect() for _ in range(number)]
    for _ in range(3):
        for client in made:
            send(client)
    os.write(1, b"%d\n" % number)
    time.sleep(600)
each = max(1, min(count, hard - 100))
children = -(-count // each)
for _ in range(children - 1):
    if os.fork() == 0:
        clients(each)
clients(count - each * (children - 1))
"""
ASK = b"GET /token HTTP/1.1\r\nHost: localhost\r\n\r\n"
UPLOAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 999_999
#: The most of a head that is read.
HEAD = (ASK[:-2] + b"".join(b"X%d: " % number + b"x" * 8000 + b"\r\n" for number in range(6)))[
    :48_000
]


@pytest.fixture
def cgroup() -> Iterator[MemoryCgroup]:
    try:
        with memory_cgroup(LIMIT) as made:
            yield made
    except NoCgroup as error:
        pytest.skip(f"no memory cgroup can be made: {error}")


@pytest.fixture
def daemon(cgroup: MemoryCgroup, clouds: Clouds) -> Iterator[Daemon]:
    """A daemon that everybody may connect to, and that admits one user."""
    with Daemons() as daemons:
        folder = daemons.folder()
        folder.chmod(0o755)
        started = daemons.start(
            clouds.start(),
            folder=folder,
            socket={
                "path": str(folder / "d.sock"),
                "mode": "0666",
                "allow": {"users": [str(ADMITTED)]},
            },
            http={"listen": "127.0.0.1:0"},
            log={"level": "info", "format": "json"},
        )
        cgroup.add(started.process.pid)
        started.up().token()
        yield started


@contextlib.contextmanager
def hostile(at: str, user: int, count: int, data: bytes) -> Iterator[subprocess.Popen[bytes]]:
    """Run the clients; each process of them prints how many have sent all."""
    words = [sys.executable, "-I", "-S", "-c", CLIENTS, at, str(user), str(count)]
    pipe = subprocess.PIPE
    with subprocess.Popen(words, stdin=pipe, stdout=pipe, process_group=0) as clients:  # noqa: S603  our own
        try:
            assert clients.stdin is not None
            assert clients.stdout is not None
            os.set_blocking(clients.stdout.fileno(), False)
            clients.stdin.write(data)
            clients.stdin.close()
            yield clients
        finally:
            os.killpg(clients.pid, signal.SIGKILL)


def cost(
    daemon: Daemon, cgroup: MemoryCgroup, count: int, data: bytes, user: int, at: str = ""
) -> int:
    """Return the most bytes that so many clients cost the daemon, which serves others meanwhile."""
    idle = most = cgroup.usage()
    connected = 0
    with hostile(at or str(daemon.socket), user, count, data) as clients:
        assert clients.stdout is not None
        end = time.monotonic() + WITHIN_S
        while time.monotonic() < end and not cgroup.kills():
            most = max(most, cgroup.usage())
            assert clients.poll() is None, "the clients failed"
            connected += sum(map(int, (clients.stdout.read(64) or b"").split()))
            if connected >= count:
                end = min(end, time.monotonic() + AFTER_S)
            time.sleep(0.02)
        assert 0 == cgroup.kills(), f"killed, at {(most - idle) >> 20} MiB above idle"
    assert daemon.up().token()
    return most - idle


@pytest.mark.parametrize("data", [ASK * 400, UPLOAD], ids=["pipelined", "upload"])
def test_rejected_users(daemon: Daemon, cgroup: MemoryCgroup, data: bytes) -> None:
    """4,000 connections of a user that is not allowed cost no more than the mark."""
    assert MARK > cost(daemon, cgroup, 4000, data, NOBODY)


def test_a_rejected_user_that_connects_again(daemon: Daemon, cgroup: MemoryCgroup) -> None:
    """Responses that nobody reads count after their connection was closed: 60,000 do not add up."""
    assert MARK > cost(daemon, cgroup, 60_000, ASK, NOBODY)


@pytest.mark.parametrize("data", [ASK * 400, HEAD], ids=["pipelined", "half a request"])
def test_admitted_users(daemon: Daemon, cgroup: MemoryCgroup, data: bytes) -> None:
    """4,000 connections of a user that may read the token cost no more, either."""
    assert MARK > cost(daemon, cgroup, 4000, data, ADMITTED)


def test_clients_of_the_tcp_port(daemon: Daemon, cgroup: MemoryCgroup) -> None:
    """4,000 connections to the TCP port cost no more, either."""
    (opened,) = [each for each in daemon.events() if each["event"] == "http.opened"]
    asking = ASK.replace(b"/token", b"/metrics") * 400

    assert MARK > cost(daemon, cgroup, 4000, asking, NOBODY, str(opened["port"]))
