"""A package that is upgraded in place under a running daemon: nothing is imported any more."""

import signal
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import Daemon, Daemons, ask, configuration, write
from tests.end_to_end.processes.upgraded import CONTROL

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

PROGRAM = (sys.executable, "-m", "tests.end_to_end.processes.upgraded")
#: Requests that cannot be answered, and the status of the answer.
MISTAKES = {
    b"nonsense\r\n\r\n": b"400",
    b"POST /token HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": b"405",
    b"GET /nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": b"404",
    b"GET /token HTTP/1.1\r\nHost: x\r\nOrigin: http://a\r\nConnection: close\r\n\r\n": b"403",
    b"GET /token?wait=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n": b"400",
}


def answer(at: Path, request: bytes) -> bytes:
    """Return the answer to raw bytes, up to the end of the connection."""
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(40)
        client.connect(str(at))
        client.sendall(request)
        return b"".join(iter(lambda: client.recv(65536), b""))


def start(cloud: Simulator, daemons: Daemons) -> tuple[Daemon, dict[str, Any], Path]:
    """Start a daemon whose password is there only once ``go`` exists, and upgrade its package.

    Returns:
        The daemon, its configuration, and the file of the modules that it looked for.
    """
    folder = daemons.folder()
    document = configuration(cloud, folder)
    (folder / "password").write_text(cloud.description()["password"], encoding="utf-8")
    waits = f"until [ -e {folder}/go ]; do sleep 0.05; done; cat {folder}/password"
    document["homeys"]["home"]["password"] = {"command": ["/bin/sh", "-c", waits]}
    document["homeys"]["home"]["sinks"] = [
        {"type": "logic_variable", "name": "accesstoken"},
        {"type": "file", "path": str(folder / "token")},
        {"type": "exec", "command": ["/bin/false"], "on": ["token", "error", "recovered"]},
    ]
    document["http"] = {"listen": "127.0.0.1:0"}
    config, tried = write(folder, document), folder / "tried"
    daemon = daemons.run(
        folder, "-c", str(config), program=PROGRAM, environ={"IMPORTS_TRIED": str(tried)}
    ).up()
    until(lambda: upgraded(daemon, tried), "it has loaded all that it needs")
    (folder / "go").touch()
    return daemon, document, tried


def upgraded(daemon: Daemon, tried: Path) -> bool:
    """Upgrade the package, if the daemon has loaded all; return whether it is upgraded."""
    if not tried.exists():
        daemon.send(signal.SIGUSR1)
    return tried.exists()


def requests(daemon: Daemon) -> None:
    """Send each kind of request to the socket, and to the TCP port."""
    host = f"127.0.0.1:{next(each['port'] for each in daemon.events() if 'port' in each)}"
    paths = ("/token", "/token?format=json", "/status", "/metrics")
    proxied = "/homeys/home/api/manager/devices/device"
    answers = [ask(daemon.socket, path) for path in paths]
    answers += [ask(host, path) for path in ("/", "/metrics")]
    assert {each.status for each in answers} == {200}
    assert daemon.get(proxied).status == 200
    assert daemon.post(proxied).status >= 400
    assert daemon.post("/homeys/home/refresh").status in {200, 202, 429}
    for request, status in MISTAKES.items():
        assert answer(daemon.socket, request).split()[1] == status


def reload(daemon: Daemon, document: dict[str, Any], event: str) -> None:
    """Reload another configuration."""
    seen = daemon.said().count(event)
    write(daemon.folder, document)
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.said().count(event) > seen, event)


def failures(daemon: Daemon, document: dict[str, Any], url: str) -> None:
    """Reload another address of the Homey, and wait until a refresh has failed there."""
    document["homeys"]["home"]["url"] = url
    reload(daemon, document, "reload.done")
    seen = daemon.said().count("refresh.failed")
    until(lambda: daemon.said().count("refresh.failed") > seen, url)


def test_nothing_is_imported_once_it_runs(clouds: Clouds, daemons: Daemons) -> None:
    """Sign-in, renewal, all requests, sinks, reloads, failures and the end."""
    cloud = clouds.start(session_lifetime=4)
    daemon, document, tried = start(cloud, daemons)
    daemon.token()
    requests(daemon)
    until(lambda: daemon.status()["refreshes"] > 1, "a renewal")
    assert (daemon.folder / "token").exists()

    reload(daemon, document | {"refresh": {"at": "x"}, "unknown": 1}, "reload.rejected")
    document["log"] = {"level": "debug", "format": "console"}
    reload(daemon, document, "reload.done")
    document["log"] = {"level": "debug", "format": "json"}
    document["http"] = {"listen": "localhost:0"}
    failures(daemon, document, "https://no-such-name.invalid")
    failures(daemon, document, cloud.description()["api"].replace("http:", "https:"))
    clouds.stop(cloud)
    failures(daemon, document, "https://127.0.0.1:1")
    status, _ = daemon.end()

    assert status == 0
    assert tried.read_text(encoding="utf-8").split() == [CONTROL]
