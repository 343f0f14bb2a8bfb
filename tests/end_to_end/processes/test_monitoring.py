"""Events, metrics, status page and access over real sockets."""

import contextlib
import os
import resource
import signal
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes.cloud import Clouds, canaries, until
from tests.end_to_end.processes.daemons import PROGRAM, Daemons, ask, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

SINK = {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}
SUBSCRIBERS = 1000


def subscribe(path: Path) -> socket.socket:
    """Return a client of /events that has read the opening."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(30)
    client.connect(str(path))
    client.sendall(b"GET /events HTTP/1.1\r\nHost: x\r\n\r\n")
    read_until(client, b"retry:")
    return client


def read_until(client: socket.socket, *words: bytes) -> bytes:
    """Return everything read until all of these words have come."""
    reported = b""
    while not all(word in reported for word in words):
        more = client.recv(65536)
        assert more, reported
        reported += more
    return reported


@pytest.fixture
def _many_files() -> Iterator[None]:
    """Raise the limit of open files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < SUBSCRIBERS + 200:
        pytest.skip("fewer files may be open than there are listeners")
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.usefixtures("_many_files")
def test_a_thousand_subscribers(clouds: Clouds, daemons: Daemons) -> None:
    """A renewal reaches 1,000 subscribers, without the token."""
    daemon = daemons.start(clouds.start(session_lifetime=20)).up()
    daemon.token()
    with contextlib.ExitStack() as stack:
        ears = [stack.enter_context(subscribe(daemon.socket)) for _ in range(SUBSCRIBERS)]
        reported = [read_until(ears[0], b"event: token")]
        reported += [read_until(client, b"event: token") for client in ears[1:]]
        token = daemon.token()

    assert token.encode() not in b"".join(reported)


def test_no_secret_is_published(clouds: Clouds, daemons: Daemons) -> None:
    """Events, metrics and page report a renewal, a delivery and an outage, but no secret."""
    cloud = clouds.start(session_lifetime=6)
    daemon = daemons.start(cloud, homey=SINK, http={"listen": "127.0.0.1:0"}).up()
    until(lambda: daemon.status()["sinks"][0]["delivered_at"], "the sink has the token")
    opened = next(line for line in daemon.events() if line["event"] == "http.opened")
    tcp = f"127.0.0.1:{opened['port']}"
    cloud.add_fault(step="token", kind="status", status=503, times=3)
    with subscribe(daemon.socket) as client:
        reported = read_until(client, b"event: recovered", b'"delivered": true').decode()
    page, metrics = ask(tcp, "/").text, ask(tcp, "/metrics").text
    others = [daemon.get(path).text for path in ("/metrics", "/status")]
    shown = "".join([reported, page, metrics, *others])

    assert "event: error" in reported
    assert "event: token" in reported
    assert 'homey_tokend_refreshes_total{homey="home",outcome="failed",step="token"}' in metrics
    assert 'homey_tokend_step_duration_seconds_bucket{le="+Inf",step="login"}' in metrics
    assert 'homey_tokend_sink_deliveries_total{homey="home",outcome="delivered"' in metrics
    assert "home: " in page
    assert [] == [secret for secret in canaries(cloud) if secret in shown]


def test_reload_changes_access(clouds: Clouds, daemons: Daemons) -> None:
    """socket.allow is in force after a SIGHUP, an unknown name is reported, and subscribers stay."""
    cloud = clouds.start()
    daemon = daemons.start(cloud).up()
    daemon.token()
    document: dict[str, Any] = configuration(cloud, daemon.folder)
    document["socket"]["allow"] = {"users": ["no-such-user"]}
    write(daemon.folder, document)
    with subscribe(daemon.socket) as client:
        daemon.send(signal.SIGHUP)
        until(lambda: "allow.unknown" in daemon.said(), "the unknown name is reported")
        own = daemon.get("/status")
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.recv(1)

    assert 200 == own.status
    assert 2 <= own.json["requests_by_user"][str(os.geteuid())]


def test_the_process_is_hardened(clouds: Clouds, daemons: Daemons) -> None:
    """After its start the daemon writes no core, and its /proc belongs to root."""
    daemon = daemons.start(clouds.start()).up()
    proc = Path(f"/proc/{daemon.process.pid}")
    until(lambda: "daemon.started" in daemon.said(), "it has started")
    limits = (proc / "limits").read_text(encoding="ascii")
    core = next(line for line in limits.splitlines() if line.startswith("Max core"))

    assert ["0", "0"] == core.split()[4:6]
    assert 0 == (proc / "environ").stat().st_uid


def test_a_low_limit_of_open_files(clouds: Clouds, daemons: Daemons) -> None:
    """With 128 files and 300 idle connections a new client is served, each time."""
    folder = daemons.folder()
    write(folder, configuration(clouds.start(), folder))
    limited = ("sh", "-c", 'ulimit -n 128; exec "$0" "$@"', *PROGRAM)
    daemon = daemons.run(folder, "--config", f"{folder}/config.yaml", program=limited).up()
    daemon.token()
    waits = []
    with contextlib.ExitStack() as stack:
        for _ in range(300):
            idle = stack.enter_context(socket.socket(socket.AF_UNIX))
            idle.settimeout(10)
            idle.connect(str(daemon.socket))
        for _ in range(10):
            begun = time.monotonic()
            assert 200 == daemon.get("/token").status
            waits.append(time.monotonic() - begun)

    assert max(waits) < 10
    assert "socket.full" in {line["event"] for line in daemon.events()}
