"""SIGHUP to a real daemon: the new configuration is in force, and no token is lost."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.processes.cloud import Clouds, sign_ins, until
from tests.end_to_end.processes.daemons import Daemon, Daemons, ask, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def reload(daemon: Daemon, document: dict[str, Any], reported: str) -> None:
    """Write this configuration, and wait until the daemon logs the result."""
    write(daemon.folder, document)
    seen = daemon.said().count(reported)
    daemon.send(signal.SIGHUP)
    until(lambda: daemon.said().count(reported) > seen, reported)


def served(at: Path | str, path: str) -> int:
    """Return the status of a response; 0 without a connection."""
    try:
        return ask(at, path).status
    except OSError:
        return 0


def test_a_new_file(clouds: Clouds, daemons: Daemons) -> None:
    """Socket, TCP port and log follow the file; an invalid one changes nothing; the token stays."""
    cloud = clouds.start()
    daemon = daemons.start(cloud).up()
    token = daemon.token()
    document: dict[str, Any] = configuration(cloud, daemon.folder)
    reload(daemon, document | {"loq": {}}, "reload.rejected")
    kept = daemon.get("/token").text

    moved = daemon.folder / "moved.sock"
    document["socket"] = {"path": str(moved), "mode": "0600"}
    document["http"] = {"listen": "127.0.0.1:0", "hosts": ["tokend.example"]}
    document["log"] = {"level": "info", "format": "journal"}
    reload(daemon, document, "http.opened")
    (port,) = re.findall(r"^<6>http\.opened .*\bport=(\d+)", daemon.said(), re.MULTILINE)
    answers = [served(at, "/healthz") for at in (daemon.socket, moved, f"127.0.0.1:{port}")]
    token_there = ask(moved, "/token").text
    never_there = served(f"127.0.0.1:{port}", "/token")
    by_name = [
        ask(f"127.0.0.1:{port}", "/metrics", host=host).status
        for host in ("tokend.example", "evil.example")
    ]

    document["http"] = {"listen": None}
    reload(daemon, document, "<6>reload.done")
    until(lambda: served(f"127.0.0.1:{port}", "/healthz") == 0, "the TCP port is closed")
    status, _ = daemon.end()

    assert [0, 200, 200] == answers
    assert (token, token) == (kept, token_there)
    assert 404 == never_there
    assert [200, 421] == by_name
    assert "is not a known key. Did you mean log?" in daemon.said()
    assert 1 == sign_ins(cloud)
    assert 0 == status
    assert not moved.exists()
