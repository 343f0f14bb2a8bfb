"""``check --online``: every step named and timed, what to do about the one that fails; no token kept."""

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
    cheap_digests,
    inhabited,
)

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}
STEPS = ["login", "authorise", "consent", "token", "user", "delegation", "homey_login", "session"]


@pytest.fixture(autouse=True)
def _cheap_digests(monkeypatch: pytest.MonkeyPatch) -> None:
    cheap_digests(monkeypatch)


@pytest.fixture
async def household(tmp_path: Path) -> AsyncIterator[Household]:
    """One Homey, and no daemon."""
    async with inhabited(tmp_path) as made:
        yield made


async def checked(household: Household, document: Json | None = None) -> tuple[int, list[str]]:
    """Rehearse as the command does: the exit status, and the lines that a person reads."""
    lines: list[str] = []
    printer = StepPrinter(lines.append)
    household.heard = printer.on_response
    parts = household.furnish(document)
    status = await OnlineCheck(parts, household.clock.now, printer).run()
    return status, lines


def account_of(household: Household) -> Any:
    """The account as the state file has it."""
    (account,) = json.loads(household.state.read_text())["accounts"].values()
    return account


async def test_each_step_is_named_and_timed(household: Household) -> None:
    """One line a step in the order of the flow, then how long the token is good, and where."""
    status, lines = await checked(household, household.document(BY_NAME))

    assert exit_codes.OK == status
    assert lines[0] == "home:"
    told = [line.split() for line in lines[1 : 1 + len(STEPS)]]
    assert STEPS == [words[0] for words in told]
    assert all(re.fullmatch(r"[0-9]{3}, [0-9]+ ms", " ".join(words[1:])) for words in told)
    assert "valid for 1 day, 0:00:00 (reported by the Homey)" in lines[9]
    assert household.simulator.base_url in lines[9]
    assert "accesstoken: is there, a text variable" in lines[10]


async def test_no_token_is_kept_or_written(household: Household) -> None:
    """Neither in the state file nor in a sink, and none is printed; the password is counted."""
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
    """A rehearsal between two runs of the daemon: the same token is served after it."""
    await household.start()
    token = household.token()
    await household.stop()
    household.skip(HOUR)
    status, _ = await checked(household)
    assert exit_codes.OK == status

    await household.start()

    assert token == household.token()


async def test_a_life_that_is_not_told_is_said_to_be_assumed(tmp_path: Path) -> None:
    """Homeys of 2023 tell no end of the session."""
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
    """FAILED at the step, what to do in the next line where that is known, and the status."""
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
    """/user/me fails: the way goes on, and a note tells why the address is the endpoint's."""
    household.simulator.add_fault(step="user", kind="status", status=503)
    status, lines = await checked(household)

    assert exit_codes.OK == status
    assert any("address not asked for: server_error" in line for line in lines)


async def test_values_that_cannot_be_read_are_named(household: Household) -> None:
    """A missing password file: 78, the path, and nothing sent."""
    document = household.document()
    document["homeys"]["home"]["password"] = {"file": str(household.folder / "absent")}
    status, lines = await checked(household, document)

    assert exit_codes.CONFIGURATION == status
    assert any("absent" in line for line in lines)
    assert household.simulator.steps() == []


async def test_a_wrong_password_is_remembered(household: Household) -> None:
    """A rehearsal that was refused counts for the daemon too: it does not try at its start."""
    household.set_password("not the password")
    status, lines = await checked(household)
    assert exit_codes.ACTION_NEEDED == status
    assert any("Correct the password." in line for line in lines)

    await household.start()

    assert household.sign_ins() == 1
    assert household.view().sign_in_blocked_until is not None


async def test_a_rejected_account_is_tried_twice_a_day(household: Household) -> None:
    """Checking again and again does not hammer the account: the third time it has to wait."""
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
    """Twelve within half a day, then it waits, and prints until when."""
    lines: list[str] = []
    statuses = []
    for _ in range(13):
        status, lines = await checked(household)
        statuses.append(status)

    assert statuses == [exit_codes.OK] * 12 + [exit_codes.TRY_LATER]
    assert household.sign_ins() == 12
    assert "the budget of sign-ins is spent" in lines[-1]


async def test_a_one_time_code_is_not_sent_twice(tmp_path: Path) -> None:
    """Rehearsed twice within one step: the second waits for the next code, and says so."""
    async with inhabited(tmp_path, totp_secret=TOTP_SECRET) as household:
        document = household.document()
        document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
        first, _ = await checked(household, document)
        second, lines = await checked(household, document)

        assert (exit_codes.OK, exit_codes.TRY_LATER) == (first, second)
        assert household.sign_ins() == 1
        assert "one-time code" in lines[-1]


async def test_several_homeys_are_rehearsed_one_after_another(tmp_path: Path) -> None:
    """Each under its name; the worst status counts."""
    async with inhabited(tmp_path, homeys=2) as household:
        household.simulator.unplug(household.simulator.cloudids[1])
        status, lines = await checked(household)

        assert exit_codes.UNREACHABLE == status
        assert [line for line in lines if not line.startswith(" ")] == ["home:", "home1:"]


async def test_sinks_that_are_no_variables_are_not_touched(household: Household) -> None:
    """A file sink's file is not made: nothing is written anywhere."""
    path = household.folder / "token"
    status, _ = await checked(household, household.document({"type": "file", "path": str(path)}))

    assert exit_codes.OK == status
    assert not path.exists()


async def test_a_variable_that_would_be_created_is_announced(household: Household) -> None:
    """create: true, and it is not there: said, not done."""
    sink = {"type": "logic_variable", "name": "fresh", "create": True}
    status, lines = await checked(household, household.document(sink))

    assert exit_codes.OK == status
    assert "is not there yet and will be created" in lines[-1]
    with pytest.raises(KeyError):
        household.simulator.get_variable("fresh")


async def test_a_running_daemon_owns_the_budget(household: Household) -> None:
    """The lock is held: AlreadyRunning, and nothing is sent."""
    lock = InstanceLock(household.folder / "state.json.lock")
    await asyncio.to_thread(lock.acquire)
    with pytest.raises(AlreadyRunning):
        await checked(household)
    lock.release()

    assert household.simulator.steps() == []


async def test_without_a_state_there_is_no_lock(household: Household) -> None:
    """state.path null: rehearsed all the same."""
    document = household.document()
    document["state"]["path"] = None

    assert (await checked(household, document))[0] == exit_codes.OK
    assert sorted(path.name for path in household.folder.iterdir()) == ["password"]


async def test_a_rotated_refresh_token_is_handed_on(tmp_path: Path) -> None:
    """With method refresh_token the rehearsal spends one, and keeps what it got for it."""
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
