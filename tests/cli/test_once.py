"""``homey-tokend once``: one round without a daemon, and its exit status."""

import asyncio
import socket
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from homey_tokend import exit_codes
from homey_tokend.cli.once import run_once
from homey_tokend.core.errors import AlreadyRunning, StateUnusable
from homey_tokend.simulator import Switches
from homey_tokend.storage.state_file import InstanceLock
from tests.keeper.household import HOUR, MINUTE, Household, Json, inhabited
from tests.support.sink import FakeSink
from tests.support.store import FakeStore

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


@pytest.fixture
async def household(tmp_path: Path) -> AsyncIterator[Household]:
    """One Homey, and no daemon."""
    async with inhabited(tmp_path) as made:
        yield made


async def round_of(
    household: Household, document: Json | None = None, *, force: bool = False, **limits: timedelta
) -> int:
    """Do one round as the command does, and return its exit status."""
    return await run_once(household.furnish(document), force=force, **limits)


def variable_requests(household: Household) -> list[str]:
    """Return the methods of the requests for variables."""
    return [one.method for one in household.simulator.seen("variable")]


async def test_the_first_round_gets_a_token_and_writes_the_sinks(household: Household) -> None:
    """Without a state: one sign-in, the variable written, status 0."""
    status = await round_of(household, household.document(BY_NAME))

    assert exit_codes.OK == status
    assert household.sign_ins() == 1
    assert household.simulator.accepts(household.simulator.get_variable("accesstoken"))


async def test_what_is_not_due_is_left_alone(household: Household) -> None:
    """An hourly round signs in every twelve hours, because the state file holds the token."""
    for _ in range(24):
        assert exit_codes.OK == await round_of(household, household.document(BY_NAME))
        household.skip(HOUR)

    assert household.sign_ins() == 2
    assert [method for method in variable_requests(household) if method != "GET"] == [
        "PUT",
        "PUT",
    ]


async def test_a_file_that_is_gone_is_written_again(household: Household) -> None:
    """/run is empty after a reboot: the next round writes the current token there."""
    path = household.folder / "home.token"
    document = household.document({"type": "file", "path": str(path)})
    assert exit_codes.OK == await round_of(household, document)
    path.unlink()

    assert exit_codes.OK == await round_of(household, document)
    assert household.simulator.accepts(path.read_text().strip())
    assert household.sign_ins() == 1


async def test_a_sink_that_lacks_the_token_is_written_in_the_next_round(
    household: Household,
) -> None:
    """A failed write is repeated without a sign-in."""
    household.simulator.add_fault(step="variable", kind="status", status=503)
    assert exit_codes.TRY_LATER == await round_of(household, household.document(BY_NAME))

    household.simulator.clear_faults()
    household.skip(HOUR)

    assert exit_codes.OK == await round_of(household, household.document(BY_NAME))
    assert household.sign_ins() == 1
    assert household.simulator.get_variable("accesstoken")


async def test_force_refreshes_what_is_not_due(household: Household) -> None:
    """--force gets a new token, although the old one is valid for long."""
    await round_of(household)
    household.skip(HOUR)
    status = await round_of(household, force=True)

    assert exit_codes.OK == status
    assert household.sign_ins() == 2


async def test_force_does_not_refresh_twice(household: Household) -> None:
    """What was due and is refreshed in this round is not forced again."""
    with capture_logs() as logs:
        status = await round_of(household, force=True)

    assert exit_codes.OK == status
    assert household.sign_ins() == 1
    assert "once.too_soon" not in [entry["event"] for entry in logs]


async def test_force_obeys_the_spacing(household: Household) -> None:
    """Within a minute of the last refresh the log says when, and nothing is sent."""
    await round_of(household)
    household.skip(timedelta(seconds=30))
    with capture_logs() as logs:
        status = await round_of(household, force=True)

    assert exit_codes.OK == status
    assert household.sign_ins() == 1
    assert "once.too_soon" in [entry["event"] for entry in logs]


async def test_force_after_a_refusal_is_allowed_twice_a_day(household: Household) -> None:
    """As for a manual refresh: two forced tries, then the ladder."""
    household.set_password("not the password")
    statuses = [await round_of(household)]
    for _ in range(3):
        household.skip(2 * MINUTE)
        statuses.append(await round_of(household, force=True))

    assert statuses == [exit_codes.ACTION_NEEDED] * 4
    assert household.sign_ins() == 3


async def test_a_rejection_outlasts_a_later_failure(household: Household) -> None:
    """After a rejection, a later failure of the cloud does not hide that a person is needed."""
    document = household.document(retry={"first": "1h", "max": "1h"})
    household.set_password("not the password")
    await round_of(household, document)
    household.skip(2 * MINUTE)
    household.simulator.add_fault(step="login", kind="status", status=503, times=1)
    forced = await round_of(household, document, force=True)

    assert [exit_codes.ACTION_NEEDED] * 2 == [forced, await round_of(household, document)]
    assert household.sign_ins() == 2


async def test_rounds_obey_the_ladder_of_a_refusal(household: Household) -> None:
    """In hourly rounds a wrong password is sent four times a day."""
    household.set_password("not the password")
    for _ in range(24):
        assert exit_codes.ACTION_NEEDED == await round_of(household)
        household.skip(HOUR)

    assert household.sign_ins() == 4


FAILURES: dict[str, tuple[int, dict[str, Any]]] = {
    "the login is down": (exit_codes.TRY_LATER, {"step": "login", "kind": "status", "status": 503}),
    "no answer": (exit_codes.UNREACHABLE, {"step": "login", "kind": "reset"}),
    "unplugged": (exit_codes.UNREACHABLE, {"step": "homey_login", "kind": "mesh_node_offline"}),
    "denied": (exit_codes.ACTION_NEEDED, {"step": "consent", "kind": "access_denied"}),
    "a changed protocol": (exit_codes.TRY_LATER, {"step": "login", "kind": "json", "body": {}}),
    "a missing scope": (exit_codes.ACTION_NEEDED, {"step": "variable", "kind": "missing_scopes"}),
    "a sink in trouble": (exit_codes.TRY_LATER, {"step": "variable", "kind": "html"}),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_each_failure_has_its_exit_status(household: Household, name: str) -> None:
    """The status says whether to wait or to call a person."""
    status, fault = FAILURES[name]
    household.simulator.add_fault(**fault)

    assert status == await round_of(household, household.document(BY_NAME))


async def test_values_that_cannot_be_read_are_a_fault_of_the_configuration(
    household: Household,
) -> None:
    """With a missing password file the status is 78, and nothing is sent."""
    document = household.document()
    document["homeys"]["home"]["password"] = {"file": str(household.folder / "absent")}

    assert exit_codes.CONFIGURATION == await round_of(household, document)
    assert household.simulator.steps() == []


async def test_a_spent_budget_is_for_later(household: Household) -> None:
    """While the login is throttled, fewer and fewer passwords are sent; the status is 75."""
    household.simulator.add_fault(step="login", kind="too_many_requests")
    for _ in range(14):
        assert exit_codes.TRY_LATER == await round_of(household)
        household.skip(10 * MINUTE)

    assert household.sign_ins() <= 8


async def test_of_several_homeys_the_worst_counts(tmp_path: Path) -> None:
    """If the consent does not cover one Homey, the status is 77, and the other gets its token."""
    async with inhabited(tmp_path, Switches(covers="chosen"), homeys=2) as household:
        household.simulator.add_fault(step="homey_login", kind="json", status=403, body={}, homey=2)
        status = await round_of(household, household.document(BY_NAME))

        assert exit_codes.ACTION_NEEDED == status
        assert household.simulator.accepts(household.simulator.get_variable("accesstoken"))


async def test_a_daemon_that_runs_is_left_alone(household: Household) -> None:
    """While a daemon holds the lock, the hint is to use it, and nothing is sent."""
    lock = InstanceLock(household.folder / "state.json.lock")
    await asyncio.to_thread(lock.acquire)
    with pytest.raises(AlreadyRunning) as raised:
        await round_of(household)
    lock.release()

    assert raised.value.remedy == "Use it instead: homey-tokend refresh"
    assert household.simulator.steps() == []
    assert exit_codes.OK == await round_of(household)


async def test_a_daemon_without_a_state_is_known_by_its_socket(household: Household) -> None:
    """With state.path null there is no lock, and the socket shows the daemon."""
    document = household.document()
    document["state"]["path"] = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(household.folder / "s.sock"))
        listening.listen()
        with pytest.raises(AlreadyRunning):
            await round_of(household, document)
    # The file is still there, and nobody behind it.
    assert exit_codes.OK == await round_of(household, document)


async def test_a_lock_that_cannot_be_created(household: Household) -> None:
    """A folder in place of the lock raises StateUnusable, hence status 73."""
    (household.folder / "state.json.lock").mkdir()

    with pytest.raises(StateUnusable):
        await round_of(household)


async def test_a_round_has_an_end(household: Household) -> None:
    """If a sink hangs, the round ends with 75 at its limit, and the token is kept."""
    assert exit_codes.OK == await round_of(household)
    household.sinks["stuck"] = stuck = FakeSink("stuck")
    stuck.free.clear()
    sink = {"type": "file", "path": str(household.folder / "stuck")}
    with capture_logs() as logs:
        status = await round_of(household, household.document(sink), limit=timedelta(seconds=0.3))

    assert exit_codes.TRY_LATER == status
    assert "once.timed_out" in [entry["event"] for entry in logs]
    assert b'"generation": 1' in household.state.read_bytes()


async def test_a_bug_ends_the_round_at_once(household: Household) -> None:
    """A bug in a keeper is raised at once."""
    household.store = store = FakeStore()
    store.bug = RuntimeError("a bug")

    with capture_logs(), pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(round_of(household), 40)


async def test_a_round_leaves_no_task_behind(household: Household) -> None:
    """Nothing runs after the round."""
    before = len(asyncio.all_tasks())
    await round_of(household, household.document(BY_NAME), force=True)
    await household.until(lambda: len(asyncio.all_tasks()) <= before)

    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("home")]
