"""``check --online``: each step with its duration, failures with their remedy, and no token kept."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli.online_check import OnlineCheck, StepPrinter
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.simulator import Switches
from homey_tokend.storage.state_file import InstanceLock
from tests.keeper.household import (
    DAY,
    HOUR,
    MINUTE,
    TOTP_SECRET,
    Household,
    Json,
    inhabited,
)

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
STEPS = ["login", "authorise", "consent", "token", "user", "delegation", "homey_login", "session"]


@pytest.fixture
async def household(tmp_path: Path) -> AsyncIterator[Household]:
    """One Homey, and no daemon."""
    async with inhabited(tmp_path) as made:
        yield made


async def checked(household: Household, document: Json | None = None) -> tuple[int, list[str]]:
    """Check as the command does; return the exit status and the printed lines."""
    lines: list[str] = []
    printer = StepPrinter(lines.append)
    household.heard = printer.on_response
    parts = household.furnish(document)
    status = await OnlineCheck(parts, household.clock.now, printer).run()
    return status, lines


def account_of(household: Household) -> Any:
    """Return the account in the state file."""
    (account,) = json.loads(household.state.read_text())["accounts"].values()
    return account


async def test_each_step_is_named_and_timed(household: Household) -> None:
    """One line for each step in order, then the token's lifetime and address."""
    status, lines = await checked(household, household.document(BY_NAME))

    assert exit_codes.OK == status
    assert lines[0] == "home:"
    steps = [line.split() for line in lines[1 : 1 + len(STEPS)]]
    assert STEPS == [words[0] for words in steps]
    assert all(re.fullmatch(r"[0-9]{3}, [0-9]+ ms", " ".join(words[1:])) for words in steps)
    assert "valid for 1 day, 0:00:00 (reported by the Homey)" in lines[9]
    assert household.simulator.base_url in lines[9]
    assert "accesstoken: is there, a text variable" in lines[10]


async def test_no_token_is_kept_or_written(household: Household) -> None:
    """Neither the state file nor a sink nor the output has it; the password is counted."""
    _, lines = await checked(household, household.document(BY_NAME))
    homey = household.simulator.state.homeys[household.simulator.cloudids[0]]
    (bearer,) = homey.sessions
    document = json.loads(household.state.read_text())

    assert document["homeys"] == {}
    assert document["refresh_tokens"] == {}
    assert bearer not in household.state.read_text() + "".join(lines)
    assert household.simulator.get_variable("accesstoken") == ""
    assert len(account_of(household)["sign_ins"]) == 1


async def test_the_held_token_is_left_alone(household: Household) -> None:
    """A check between two runs of the daemon does not change the token."""
    await household.start()
    token = household.token()
    await household.stop()
    household.skip(HOUR)
    status, _ = await checked(household)
    assert exit_codes.OK == status

    await household.start()

    assert token == household.token()


async def test_a_lifetime_that_is_not_reported_is_assumed(tmp_path: Path) -> None:
    """Homeys of 2023 do not report the end of the session."""
    async with inhabited(tmp_path, Switches(expires_at=False)) as household:
        _, lines = await checked(household)

    assert any("assumed; not reported" in line for line in lines)


FAILURES: dict[str, tuple[int, str, dict[str, Any]]] = {
    "login down": (
        exit_codes.TRY_LATER,
        "login",
        {"step": "login", "kind": "status", "status": 503},
    ),
    "no answer": (exit_codes.UNREACHABLE, "login", {"step": "login", "kind": "reset"}),
    "portal": (exit_codes.TRY_LATER, "token", {"step": "token", "kind": "html"}),
    "denied": (exit_codes.ACTION_NEEDED, "consent", {"step": "consent", "kind": "access_denied"}),
    "no form": (
        exit_codes.TRY_LATER,
        "authorise",
        {"step": "authorise", "kind": "html", "after": 1},
    ),
    "offline": (
        exit_codes.UNREACHABLE,
        "homey_login",
        {"step": "homey_login", "kind": "mesh_node_offline"},
    ),
    "not covered": (
        exit_codes.ACTION_NEEDED,
        "homey_login",
        {"step": "homey_login", "kind": "json", "status": 403, "body": {}},
    ),
    "wrong type": (
        exit_codes.ACTION_NEEDED,
        "accesstoken",
        {"step": "variable", "kind": "missing_scopes"},
    ),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_the_step_that_fails_is_named_with_its_remedy(
    household: Household, name: str
) -> None:
    """The step is marked FAILED, the remedy follows, and the status fits."""
    expected, step, fault = FAILURES[name]
    household.simulator.add_fault(**fault)
    status, lines = await checked(household, household.document(BY_NAME))
    failed = next(at for at, line in enumerate(lines) if "FAILED" in line)

    assert expected == status
    assert step in lines[failed].split("FAILED")[0]
    assert f"FAILED: {step}:" not in lines[failed]
    if expected == exit_codes.ACTION_NEEDED:
        assert lines[failed + 1].strip().startswith("What to do: ")


async def test_an_address_that_is_not_found_out_is_noted(household: Household) -> None:
    """If /user/me fails, a note explains why the address is the endpoint's."""
    household.simulator.add_fault(step="user", kind="status", status=503)
    status, lines = await checked(household)

    assert exit_codes.OK == status
    assert any("address not asked for: server_error" in line for line in lines)


async def test_values_that_cannot_be_read_are_named(household: Household) -> None:
    """With a missing password file the status is 78, the path is printed, and nothing is sent."""
    document = household.document()
    document["homeys"]["home"]["password"] = {"file": str(household.folder / "absent")}
    status, lines = await checked(household, document)

    assert exit_codes.CONFIGURATION == status
    assert any("absent" in line for line in lines)
    assert household.simulator.steps() == []


async def test_a_wrong_password_is_remembered(household: Household) -> None:
    """A rejected check counts for the daemon, which does not try at its start."""
    household.set_password("not the password")
    status, lines = await checked(household)
    assert exit_codes.ACTION_NEEDED == status
    assert any("Correct the password." in line for line in lines)

    await household.start()

    assert household.sign_ins() == 1
    assert household.view().sign_in_blocked_until is not None


async def test_a_rejected_account_is_tried_twice_a_day(household: Household) -> None:
    """After two manual tries the next check has to wait."""
    household.set_password("not the password")
    lines: list[str] = []
    statuses = []
    for _ in range(4):
        status, lines = await checked(household)
        statuses.append(status)
        household.skip(MINUTE)

    assert statuses == [exit_codes.ACTION_NEEDED] * 3 + [exit_codes.TRY_LATER]
    assert household.sign_ins() == 3
    assert "waiting" in lines[-1]
    assert "UTC" in lines[-1]

    household.skip(DAY)
    assert (await checked(household))[0] == exit_codes.ACTION_NEEDED


async def test_passwords_are_counted_against_the_budget(household: Household) -> None:
    """After twelve within half a day it waits, and prints until when."""
    lines: list[str] = []
    statuses = []
    for _ in range(13):
        status, lines = await checked(household)
        statuses.append(status)

    assert statuses == [exit_codes.OK] * 12 + [exit_codes.TRY_LATER]
    assert household.sign_ins() == 12
    assert "the budget of sign-ins is spent" in lines[-1]


async def test_a_one_time_code_is_not_sent_twice(tmp_path: Path) -> None:
    """A second check within 30 seconds has to wait for the next code."""
    async with inhabited(tmp_path, totp_secret=TOTP_SECRET) as household:
        document = household.document()
        document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
        first, _ = await checked(household, document)
        second, lines = await checked(household, document)

        assert (exit_codes.OK, exit_codes.TRY_LATER) == (first, second)
        assert household.sign_ins() == 1
        assert "one-time code" in lines[-1]


async def test_several_homeys_are_checked_one_after_another(tmp_path: Path) -> None:
    """Each Homey is printed under its name; the worst status counts."""
    async with inhabited(tmp_path, homeys=2) as household:
        household.simulator.unplug(household.simulator.cloudids[1])
        status, lines = await checked(household)

        assert exit_codes.UNREACHABLE == status
        assert [line for line in lines if not line.startswith(" ")] == ["home:", "home1:"]


async def test_sinks_that_are_no_variables_are_not_touched(household: Household) -> None:
    """The file of a file sink is not created."""
    path = household.folder / "token"
    status, _ = await checked(household, household.document({"type": "file", "path": str(path)}))

    assert exit_codes.OK == status
    assert not path.exists()


async def test_a_variable_that_would_be_created_is_announced(household: Household) -> None:
    """With create: true a missing variable is announced, but not created."""
    sink = {"type": "logic_variable", "name": "fresh", "create": True}
    status, lines = await checked(household, household.document(sink))

    assert exit_codes.OK == status
    assert "is not there yet and will be created" in lines[-1]
    with pytest.raises(KeyError):
        household.simulator.get_variable("fresh")


async def test_a_running_daemon_owns_the_budget(household: Household) -> None:
    """If the lock is held, AlreadyRunning is raised and nothing sent."""
    lock = InstanceLock(household.folder / "state.json.lock")
    await asyncio.to_thread(lock.acquire)
    with pytest.raises(AlreadyRunning):
        await checked(household)
    lock.release()

    assert household.simulator.steps() == []


async def test_without_a_state_there_is_no_lock(household: Household) -> None:
    """With state.path null the check runs without a lock."""
    document = household.document()
    document["state"]["path"] = None

    assert (await checked(household, document))[0] == exit_codes.OK
    assert sorted(path.name for path in household.folder.iterdir()) == ["password"]


async def test_a_rotated_refresh_token_is_handed_on(tmp_path: Path) -> None:
    """With method refresh_token the check uses one up, and keeps the new one."""
    async with inhabited(tmp_path, Switches(rotation="replace")) as household:
        document = household.document(method="refresh_token")
        await household.start(document)
        await household.stop()
        household.skip(DAY)
        status, lines = await checked(household, document)
        assert exit_codes.OK == status
        assert not any("login " in line.split("homey_login")[0] for line in lines)

        await household.start(document)

        assert household.token().generation == 2
        assert household.sign_ins() == 1
