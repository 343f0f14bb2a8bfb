"""Doubtful settings are logged at the start, and do not prevent it."""

import signal
from pathlib import Path

import pytest

from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_warnings_at_the_start(clouds: Clouds, daemons: Daemons) -> None:
    """Files readable by everybody, an ignored variable, a sink that cannot write: each with its remedy."""
    cloud, folder = clouds.start(), daemons.folder()
    secret = folder / "password"
    secret.write_text(cloud.description()["password"], encoding="utf-8")
    secret.chmod(0o644)
    good, bad = folder / "token", folder / "missing" / "token"
    homey = {
        "password": {"file": str(secret)},
        "sinks": [{"type": "file", "path": str(path)} for path in (good, bad)],
    }
    path = write(folder, configuration(cloud, folder, homey=homey))
    path.chmod(0o644)
    daemon = daemons.run(folder, "-c", str(path), environ={"HOMEY_EMAIL": "ignored@example.com"})
    token = daemon.up().token()
    until(lambda: good.exists() and "sink.failed" in daemon.said(), "both sinks were tried")
    status, _ = daemon.end()
    reported = {each["event"]: each for each in daemon.events()}
    doubts = [e["fault"] for e in daemon.events() if e["event"] == "configuration.warning"]

    assert token == Path(good).read_text(encoding="utf-8").strip()
    assert 0 == status
    assert any("HOMEY_EMAIL: is set in the environment and ignored" in each for each in doubts)
    assert any("chmod o-r" in each and "client_secret" in each for each in doubts)
    assert str(secret) == reported["secret.world_readable"]["path"]
    assert "homeys.home.password" == reported["secret.world_readable"]["key"]
    assert f"file:{bad}" == reported["sink.unusable"]["sink"]
    assert "Create the directory" in reported["sink.unusable"]["remedy"]


def test_files_that_others_may_change(clouds: Clouds, daemons: Daemons) -> None:
    """They are reported at the start, and at a reload."""
    cloud, folder = clouds.start(), daemons.folder()
    script = folder / "on-token"
    script.write_text("#!/bin/sh\n", encoding="utf-8")
    script.chmod(0o757)
    homey = {"sinks": [{"type": "exec", "command": [str(script)]}]}
    path = write(folder, configuration(cloud, folder, homey=homey))
    daemon = daemons.run(folder, "-c", str(path)).up()
    script.chmod(0o755)
    path.chmod(0o646)
    daemon.send(signal.SIGHUP)
    until(lambda: "reload.done" in daemon.said(), "the configuration was reloaded")
    daemon.end()
    faults = [e["fault"] for e in daemon.events() if e["event"] == "configuration.warning"]

    assert [f"chmod o-w {script}", f"chmod o-w {path}"] == [
        fault.partition("Run: ")[2]
        for fault in faults
        if "everybody on this machine can change" in fault
    ]
