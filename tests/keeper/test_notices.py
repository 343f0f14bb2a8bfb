"""Notifications about refreshing, in a variable and for commands, never delay the token."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

from homey_tokend.core.status import Health
from tests.keeper.household import HOUR, MINUTE, Household

VARIABLE = {
    "type": "logic_variable",
    "name": "accesstoken",
    "create": True,
    "expires_variable": "ends",
    "state_variable": "is",
}


def script(folder: Path, *lines: str) -> Path:
    """Return a command that appends its input to ``told``, after these lines."""
    place = folder / "on-homey"
    place.write_text("\n".join(["#!/bin/sh", *lines, f"cat >>{folder}/told", ""]))
    place.chmod(0o755)
    return place


def told(folder: Path) -> list[dict[str, Any]]:
    """Return the documents that the command received so far."""
    place = folder / "told"
    return [json.loads(line) for line in place.read_text().splitlines()] if place.exists() else []


def on(command: Path, *occasions: str) -> dict[str, object]:
    return {"type": "exec", "command": [str(command)], "on": list(occasions)}


async def fail(household: Household, status: int = 503) -> None:
    """Let the next refresh, and later ones, fail."""
    household.simulator.add_fault(step="login", kind="status", status=status)
    await household.until_renewal()


async def mend(household: Household) -> None:
    """Let refreshing succeed again."""
    household.simulator.clear_faults()
    await household.wait(10 * MINUTE)


async def test_the_variables_beside_the_token(household: Household) -> None:
    """The expiry of each token is written with it, and the state besides."""
    await household.start(household.document(VARIABLE))
    for _ in range(2):
        token = household.token()

        assert token.value.reveal() == household.simulator.get_variable("accesstoken")
        assert f"{token.expires_at:%Y-%m-%dT%H:%M:%SZ}" == household.simulator.get_variable("ends")
        assert "ok" == household.simulator.get_variable("is")
        await household.until_renewal()


async def test_the_state_while_refreshing_fails(household: Household) -> None:
    """While there is a valid token the variable has the error message, then ok again."""
    await household.start(household.document(VARIABLE))
    await fail(household)
    during = household.simulator.get_variable("is")
    trouble = household.view().trouble
    await mend(household)

    assert trouble is not None
    assert isinstance(during, str)
    assert during.startswith(trouble.message.removesuffix("."))
    assert "ok" == household.simulator.get_variable("is")
    assert household.view().health is Health.OK


async def test_one_request_as_long_as_nothing_changes(household: Household) -> None:
    """An unchanged state is not written again, however often refreshing fails."""
    await household.start(household.document(VARIABLE))
    await fail(household)
    household.steps()
    await household.wait(HOUR)

    assert household.simulator.steps().count("login") > 2
    assert household.simulator.steps().count("variable") <= 4 * 2  # the looks at what was written


async def test_a_restart_tells_the_state_anew(household: Household) -> None:
    """A restart corrects a changed variable, without any failure."""
    await household.start(household.document(VARIABLE))
    household.simulator.set_variable("is", "?")
    await household.restart(household.document(VARIABLE))

    assert "ok" == household.simulator.get_variable("is")


async def test_a_state_variable_that_cannot_be_had(household: Household) -> None:
    """If it cannot be written the token is delivered all the same, and the next change is tried."""
    household.simulator.add_variable("is", "number", 0)
    await household.start(household.document(VARIABLE))
    sink = household.view().sinks[0]

    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")
    assert sink.trouble is None
    assert 0 == household.simulator.get_variable("is")


async def test_a_command_on_everything(household: Household) -> None:
    """Token, error and recovery are sent in order, each once."""
    command = script(household.folder)
    await household.start(household.document(on(command, "token", "error", "recovered")))
    await fail(household)
    await household.wait(10 * MINUTE)
    await mend(household)
    await household.until_renewal()
    lines = told(household.folder)
    error, recovered = lines[1], next(line for line in lines if line["event"] == "recovered")
    kinds = [line["event"] for line in lines]

    assert ["token", "error"] == kinds[:2]
    assert ["recovered", "token", "token"] == sorted(kinds[2:])
    assert ("login", "home", False) == (error["step"], error["homey"], error["action_needed"])
    assert error["outage_at"] > error["at"]
    assert recovered["failures"] > 1
    assert {"event", "homey", "at", "failures"} == set(recovered)
    assert not any("access_token" in line for line in lines if line["event"] != "token")


async def test_a_command_on_trouble_only(household: Household) -> None:
    """Without token in its list it gets none and is not shown; a second outage is sent, too."""
    command = script(household.folder)
    await household.start(household.document(on(command, "error")))
    for _ in range(2):
        await fail(household)
        await mend(household)

    assert ["error", "error"] == [line["event"] for line in told(household.folder)]
    assert () == household.view().sinks


async def test_a_command_that_fails_is_repeated(household: Household) -> None:
    """A failed notification is repeated with the next failure."""
    command = script(household.folder, f"[ -e {household.folder}/open ] || exit 3")
    await household.start(household.document(on(command, "error")))
    await fail(household)
    shut = told(household.folder)
    (household.folder / "open").touch()
    await household.wait(10 * MINUTE)

    assert [] == shut
    assert 1 == len(told(household.folder))


async def test_a_command_that_hangs(household: Household) -> None:
    """A hanging one is given up at the deadline; meanwhile the token is renewed and delivered."""
    household.deadline_s = 0.2
    command = script(household.folder, "sleep 30")
    document = household.document(VARIABLE, on(command, "error", "recovered"))
    await household.begin(document)
    await household.quiet()
    await fail(household)
    household.simulator.clear_faults()
    await household.wait(timedelta(hours=1))

    assert 2 == household.token().generation
    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")
    assert [] == told(household.folder)
