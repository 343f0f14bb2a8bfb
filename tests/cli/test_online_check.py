"""``check --online``: each step with its duration, failures with their remedy, and no token kept."""

import asyncio
import json
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli.online_check import OnlineCheck, StepPrinter
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.simulator import Switches
from homey_tokend.storage.instance_lock import InstanceLock
from tests.keeper.harness import (
    DAY,
    HOUR,
    MINUTE,
    TOTP_SECRET,
    Harness,
    Json,
    running_home,
)

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
STEPS = ["login", "authorise", "consent", "token", "user", "delegation", "homey_login", "session"]


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    """One Homey, and no daemon."""
    async with running_home(tmp_path) as made:
        yield made


async def checked(harness: Harness, document: Json | None = None) -> tuple[int, list[str]]:
    """Check as the command does; return the exit status and the printed lines."""
    lines: list[str] = []
    printer = StepPrinter(lines.append)
    harness.heard = (printer.on_response,)
    parts = harness.build(document)
    status = await OnlineCheck(parts, harness.clock.now, printer).run()
    return status, lines


def account_of(harness: Harness) -> Any:
    """Return the account in the state file."""
    (account,) = json.loads(harness.state.read_text())["accounts"].values()
    return account


async def test_each_step_is_named_and_timed(harness: Harness) -> None:
    """One line for each step in order, then the token's lifetime and address."""
    status, lines = await checked(harness, harness.document(BY_NAME))

    assert exit_codes.OK == status
    assert lines[0] == "home:"
    steps = [line.split() for line in lines[1 : 1 + len(STEPS)]]
    assert STEPS == [words[0] for words in steps]
    assert all(re.fullmatch(r"[0-9]{3}, [0-9]+ ms", " ".join(words[1:])) for words in steps)
    assert "valid for 1 d (reported by the Homey)" in lines[9]
    assert harness.simulator.base_url in lines[9]
    assert "accesstoken: is a text variable" in lines[10]


async def test_no_token_is_kept_or_written(harness: Harness) -> None:
    """Neither the state file nor a sink nor the output has it; the password is counted."""
    _, lines = await checked(harness, harness.document(BY_NAME))
    homey = harness.simulator.state.homeys[harness.simulator.cloudids[0]]
    (bearer,) = homey.sessions
    document = json.loads(harness.state.read_text())

    assert document["homeys"] == {}
    assert document["refresh_tokens"] == {}
    assert bearer not in harness.state.read_text() + "".join(lines)
    assert harness.simulator.get_variable("accesstoken") == ""
    assert len(account_of(harness)["sign_ins"]) == 1


async def test_the_held_token_is_left_alone(harness: Harness) -> None:
    """A check between two runs of the daemon does not change the token."""
    await harness.start()
    token = harness.token()
    await harness.stop()
    harness.skip(HOUR)
    status, _ = await checked(harness)
    assert exit_codes.OK == status

    await harness.start()

    assert token == harness.token()


async def test_a_lifetime_that_is_not_reported_is_assumed(tmp_path: Path) -> None:
    """Homeys of 2023 do not report the end of the session."""
    async with running_home(tmp_path, Switches(expires_at=False)) as harness:
        _, lines = await checked(harness)

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
async def test_the_step_that_fails_is_named_with_its_remedy(harness: Harness, name: str) -> None:
    """The step is marked FAILED, the remedy follows, and the status fits."""
    expected, step, fault = FAILURES[name]
    harness.simulator.add_fault(**fault)
    status, lines = await checked(harness, harness.document(BY_NAME))
    failed = next(at for at, line in enumerate(lines) if "FAILED" in line)

    assert expected == status
    assert step in lines[failed].split("FAILED")[0]
    assert f"FAILED: {step}:" not in lines[failed]
    if expected == exit_codes.ACTION_NEEDED:
        assert lines[failed + 1].strip().startswith("What to do: ")


async def test_an_undiscovered_address_is_noted(harness: Harness) -> None:
    """If /user/me fails, a note explains why the address is the endpoint's."""
    harness.simulator.add_fault(step="user", kind="status", status=503)
    status, lines = await checked(harness)

    assert exit_codes.OK == status
    assert any("the address could not be requested: server_error" in line for line in lines)


async def test_unreadable_credentials_are_named(harness: Harness) -> None:
    """With a missing password file the status is 78, the path is printed, and nothing is sent."""
    document = harness.document()
    document["homeys"]["home"]["password"] = {"file": str(harness.folder / "absent")}
    status, lines = await checked(harness, document)

    assert exit_codes.CONFIGURATION == status
    assert any("absent" in line for line in lines)
    assert harness.simulator.steps() == []


async def test_a_wrong_password_is_remembered(harness: Harness) -> None:
    """A rejected check counts for the daemon, which does not try at its start."""
    harness.set_password("not the password")
    status, lines = await checked(harness)
    assert exit_codes.ACTION_NEEDED == status
    assert any("Correct the password." in line for line in lines)

    await harness.start()

    assert harness.sign_ins() == 1
    assert harness.view().sign_in_blocked_until is not None


async def test_a_rejected_account_is_tried_twice_a_day(harness: Harness) -> None:
    """After two manual tries the next check has to wait."""
    harness.set_password("not the password")
    lines: list[str] = []
    statuses = []
    for _ in range(4):
        status, lines = await checked(harness)
        statuses.append(status)
        harness.skip(MINUTE)

    assert statuses == [exit_codes.ACTION_NEEDED] * 3 + [exit_codes.TRY_LATER]
    assert harness.sign_ins() == 3
    assert "waiting" in lines[-1]
    assert "UTC" in lines[-1]

    harness.skip(DAY)
    assert (await checked(harness))[0] == exit_codes.ACTION_NEEDED


async def test_passwords_are_counted_against_the_budget(harness: Harness) -> None:
    """After twelve within half a day it waits, and prints until when."""
    lines: list[str] = []
    statuses = []
    for _ in range(13):
        status, lines = await checked(harness)
        statuses.append(status)

    assert statuses == [exit_codes.OK] * 12 + [exit_codes.TRY_LATER]
    assert harness.sign_ins() == 12
    assert "the sign-in budget is used up" in lines[-1]


async def test_a_one_time_code_is_not_sent_twice(tmp_path: Path) -> None:
    """A second check within 30 seconds has to wait for the next code."""
    async with running_home(tmp_path, totp_secret=TOTP_SECRET) as harness:
        document = harness.document()
        document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
        first, _ = await checked(harness, document)
        second, lines = await checked(harness, document)

        assert (exit_codes.OK, exit_codes.TRY_LATER) == (first, second)
        assert harness.sign_ins() == 1
        assert "one-time code" in lines[-1]


async def test_several_homeys_are_checked_one_after_another(tmp_path: Path) -> None:
    """Each Homey is printed under its name; the worst status counts."""
    async with running_home(tmp_path, homeys=2) as harness:
        harness.simulator.unplug(harness.simulator.cloudids[1])
        status, lines = await checked(harness)

        assert exit_codes.UNREACHABLE == status
        assert [line for line in lines if not line.startswith(" ")] == ["home:", "home1:"]


async def test_only_variables_are_checked(harness: Harness) -> None:
    """The file of a file sink is not created."""
    path = harness.folder / "token"
    status, _ = await checked(harness, harness.document({"type": "file", "path": str(path)}))

    assert exit_codes.OK == status
    assert not path.exists()


async def test_a_variable_that_would_be_created_is_announced(harness: Harness) -> None:
    """With create: true a missing variable is announced, but not created."""
    sink = {"type": "logic_variable", "name": "fresh", "create": True}
    status, lines = await checked(harness, harness.document(sink))

    assert exit_codes.OK == status
    assert "does not exist yet and will be created" in lines[-1]
    with pytest.raises(KeyError):
        harness.simulator.get_variable("fresh")


async def test_a_running_daemon_owns_the_budget(harness: Harness) -> None:
    """If the lock is held, AlreadyRunning is raised and nothing sent."""
    lock = InstanceLock(harness.folder / "state.json")
    await asyncio.to_thread(lock.acquire)
    with pytest.raises(
        AlreadyRunning, match=f"is already running .process {os.getpid()}"
    ) as caught:
        await checked(harness)
    lock.release()

    assert caught.value.remedy.startswith("homey-tokend status shows its last error")

    assert harness.simulator.steps() == []


async def test_without_a_state_there_is_no_lock(harness: Harness) -> None:
    """With state.path null the check runs without a lock."""
    document = harness.document()
    document["state"]["path"] = None

    assert (await checked(harness, document))[0] == exit_codes.OK
    assert sorted(path.name for path in harness.folder.iterdir()) == ["password"]


async def test_a_rotated_refresh_token_is_kept(tmp_path: Path) -> None:
    """With method refresh_token the check uses one up, and keeps the new one."""
    async with running_home(tmp_path, Switches(rotation="replace")) as harness:
        document = harness.document(method="refresh_token")
        await harness.start(document)
        await harness.stop()
        harness.skip(DAY)
        status, lines = await checked(harness, document)
        assert exit_codes.OK == status
        assert not any("login " in line.split("homey_login")[0] for line in lines)

        await harness.start(document)

        assert harness.token().generation == 2
        assert harness.sign_ins() == 1
