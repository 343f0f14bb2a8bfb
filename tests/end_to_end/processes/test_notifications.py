"""A daemon notifies flows and commands about refreshing: variables, and exec sinks."""

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, until
from tests.end_to_end.processes.daemons import Daemons

pytestmark = [pytest.mark.slow, pytest.mark.timeout(90)]

VARIABLE = {
    "type": "logic_variable",
    "name": "accesstoken",
    "create": True,
    "expires_variable": "accesstoken_ends",
    "state_variable": "accesstoken_state",
}


def reported(folder: Path) -> list[dict[str, Any]]:
    """Return the documents that the command received so far."""
    place = folder / "reported"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def variable(cloud: Simulator, name: str) -> Any:
    """Return a variable's value; None before it is created."""
    with suppress(KeyError):
        return cloud.get_variable(name)
    return None


def test_an_outage(clouds: Clouds, daemons: Daemons) -> None:
    """The command receives token, error and recovery in turn, and the variables agree."""
    cloud = clouds.start(session_lifetime=8)
    folder = daemons.folder()
    command = folder / "on-homey"
    command.write_text(f"#!/bin/sh\ncat >>{folder}/reported\n")
    command.chmod(0o755)
    notified = {"type": "exec", "command": [str(command)], "on": ["token", "error", "recovered"]}
    daemon = daemons.start(cloud, folder=folder, homey={"sinks": [VARIABLE, notified]}).up()
    first = daemon.token()
    until(lambda: variable(cloud, "accesstoken_state") == "ok", "the state is reported")
    ends = until(lambda: variable(cloud, "accesstoken_ends"), "the end is reported")
    cloud.add_fault(step="login", kind="status", status=503)
    words = until(
        lambda: (state := variable(cloud, "accesstoken_state")) != "ok" and state,
        "the trouble is reported",
    )
    until(
        lambda: any(line["event"] == "error" for line in reported(folder)),
        "the command hears of it",
    )
    cloud.clear_faults()
    until(lambda: variable(cloud, "accesstoken_state") == "ok", "the recovery is reported")
    until(
        lambda: {"recovered"} <= {line["event"] for line in reported(folder)},
        "the command hears it",
    )
    until(lambda: variable(cloud, "accesstoken") != first, "the next token is written")
    until(lambda: variable(cloud, "accesstoken_ends") != ends, "its end is written")
    lines = reported(folder)
    error = next(line for line in lines if line["event"] == "error")

    tokens = [line for line in lines if line["event"] == "token"]

    assert first in {line["access_token"] for line in tokens}
    assert ends in {line["expires_at"] for line in tokens}
    assert ("login", False) == (error["step"], error["action_needed"])
    assert words.startswith(error["message"])
    assert datetime.fromisoformat(str(variable(cloud, "accesstoken_ends"))) > (
        datetime.fromisoformat(str(ends))
    )
    assert not any("access_token" in line for line in lines if line["event"] != "token")
    assert first not in daemon.said()
