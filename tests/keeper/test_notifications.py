"""Notifications about refreshing, in a variable and for commands, never delay the token."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from homey_tokend.core.status import Health
from tests.keeper.harness import HOUR, MINUTE, Harness

VARIABLE = {
    "type": "logic_variable",
    "name": "accesstoken",
    "create": True,
    "expires_variable": "ends",
    "state_variable": "is",
}


def script(folder: Path, *lines: str) -> Path:
    """Return a command that appends its input to ``output``, after these lines."""
    place = folder / "on-homey"
    place.write_text("\n".join(["#!/bin/sh", *lines, f"cat >>{folder}/output", ""]))
    place.chmod(0o755)
    return place


def notifications(folder: Path) -> list[dict[str, Any]]:
    """Return the documents that the command received so far."""
    place = folder / "output"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def on(command: Path, *occasions: str) -> dict[str, object]:
    return {"type": "exec", "command": [str(command)], "on": list(occasions)}


async def fail(harness: Harness, status: int = 503) -> None:
    """Let the next refresh, and later ones, fail."""
    harness.simulator.add_fault(step="login", kind="status", status=status)
    await harness.until_renewal()


async def recover(harness: Harness) -> None:
    """Let refreshing succeed again."""
    harness.simulator.clear_faults()
    await harness.wait(10 * MINUTE)


async def test_the_variables_beside_the_token(harness: Harness) -> None:
    """The token's expiry and the state are written in addition."""
    await harness.start(harness.document(VARIABLE))
    for _ in range(2):
        token = harness.token()

        assert token.value.reveal() == harness.simulator.get_variable("accesstoken")
        assert f"{token.expires_at:%Y-%m-%dT%H:%M:%SZ}" == harness.simulator.get_variable("ends")
        assert "ok" == harness.simulator.get_variable("is")
        await harness.until_renewal()


async def test_the_state_while_refreshing_fails(harness: Harness) -> None:
    """While there is a valid token the variable has the error message, then ok again."""
    await harness.start(harness.document(VARIABLE))
    await fail(harness)
    during = harness.simulator.get_variable("is")
    trouble = harness.view().last_error
    await recover(harness)

    assert trouble is not None
    assert isinstance(during, str)
    assert during.startswith(trouble.message.removesuffix("."))
    assert "ok" == harness.simulator.get_variable("is")
    assert harness.view().health is Health.OK


async def test_an_unchanged_state_is_not_written_again(harness: Harness) -> None:
    """An unchanged state is not written again, however often refreshing fails."""
    await harness.start(harness.document(VARIABLE))
    await fail(harness)
    harness.steps()
    await harness.wait(HOUR)

    assert harness.simulator.steps().count("login") > 2
    assert harness.simulator.steps().count("variable") <= 4 * 2  # the checks of what was written


async def test_a_restart_writes_the_state_again(harness: Harness) -> None:
    """A restart corrects a changed variable, without any failure."""
    await harness.start(harness.document(VARIABLE))
    harness.simulator.set_variable("is", "?")
    await harness.restart(harness.document(VARIABLE))

    assert "ok" == harness.simulator.get_variable("is")


async def test_a_state_variable_that_cannot_be_written(harness: Harness) -> None:
    """The token is delivered nevertheless, and the next change is tried."""
    harness.simulator.add_variable("is", "number", 0)
    await harness.start(harness.document(VARIABLE))
    sink = harness.view().sinks[0]

    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")
    assert sink.last_error is None
    assert 0 == harness.simulator.get_variable("is")


async def test_a_command_on_everything(harness: Harness) -> None:
    """Token, error and recovery are sent in order, each once."""
    command = script(harness.folder)
    await harness.start(harness.document(on(command, "token", "error", "recovered")))
    await fail(harness)
    await harness.wait(10 * MINUTE)
    await recover(harness)
    await harness.until_renewal()
    lines = notifications(harness.folder)
    error, recovered = lines[1], next(line for line in lines if line["event"] == "recovered")
    kinds = [line["event"] for line in lines]

    assert ["token", "error"] == kinds[:2]
    assert ["recovered", "token", "token"] == sorted(kinds[2:])
    assert ("login", "home", False) == (error["step"], error["homey"], error["action_needed"])
    assert error["outage_at"] > error["at"]
    assert recovered["failures"] > 1
    assert {"event", "homey", "at", "failures"} == set(recovered)
    assert not any("access_token" in line for line in lines if line["event"] != "token")


async def test_a_command_on_trouble_only(harness: Harness) -> None:
    """If its list lacks "token", it gets none and is not in the status; a second outage is sent, too."""
    command = script(harness.folder)
    await harness.start(harness.document(on(command, "error")))
    for _ in range(2):
        await fail(harness)
        await recover(harness)

    assert ["error", "error"] == [line["event"] for line in notifications(harness.folder)]
    assert () == harness.view().sinks


async def test_a_command_that_fails_is_repeated(harness: Harness) -> None:
    """A failed notification is repeated with the next failure."""
    command = script(harness.folder, f"[ -e {harness.folder}/open ] || exit 3")
    await harness.start(harness.document(on(command, "error")))
    await fail(harness)
    shut = notifications(harness.folder)
    (harness.folder / "open").touch()
    await harness.wait(10 * MINUTE)

    assert [] == shut
    assert 1 == len(notifications(harness.folder))


async def test_a_command_that_hangs(harness: Harness) -> None:
    """It is stopped at the deadline; meanwhile the token is renewed and delivered."""
    harness.deadline_s = 0.2
    command = script(harness.folder, "sleep 30")
    document = harness.document(VARIABLE, on(command, "error", "recovered"))
    await harness.begin(document)
    await harness.quiet()
    await fail(harness)
    harness.simulator.clear_faults()
    await harness.wait(timedelta(hours=1))

    assert 2 == harness.token().generation
    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")
    assert [] == notifications(harness.folder)
