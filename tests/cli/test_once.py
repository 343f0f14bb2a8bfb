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
from homey_tokend.storage.instance_lock import InstanceLock
from tests.keeper.harness import HOUR, MINUTE, Harness, Json, running_home
from tests.support.sink import FakeSink
from tests.support.store import FakeStore

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


@pytest.fixture
async def harness(tmp_path: Path) -> AsyncIterator[Harness]:
    """One Homey, and no daemon."""
    async with running_home(tmp_path) as made:
        yield made


async def round_of(
    harness: Harness, document: Json | None = None, *, force: bool = False, **limits: timedelta
) -> int:
    """Do one round as the command does, and return its exit status."""
    return await run_once(harness.build(document), force=force, **limits)


def variable_requests(harness: Harness) -> list[str]:
    """Return the methods of the requests for variables."""
    return [one.method for one in harness.simulator.seen("variable")]


async def test_the_first_round_gets_a_token_and_writes_the_sinks(harness: Harness) -> None:
    """Without a state: one sign-in, the variable written, status 0."""
    status = await round_of(harness, harness.document(BY_NAME))

    assert exit_codes.OK == status
    assert harness.sign_ins() == 1
    assert harness.simulator.accepts(harness.simulator.get_variable("accesstoken"))


async def test_what_is_not_due_is_left_alone(harness: Harness) -> None:
    """An hourly round signs in every twelve hours, because the state file holds the token."""
    for _ in range(24):
        assert exit_codes.OK == await round_of(harness, harness.document(BY_NAME))
        harness.skip(HOUR)

    assert harness.sign_ins() == 2
    assert [method for method in variable_requests(harness) if method != "GET"] == [
        "PUT",
        "PUT",
    ]


async def test_a_file_that_is_gone_is_written_again(harness: Harness) -> None:
    """/run is empty after a reboot: the next round writes the current token there."""
    path = harness.folder / "home.token"
    document = harness.document({"type": "file", "path": str(path)})
    assert exit_codes.OK == await round_of(harness, document)
    path.unlink()

    assert exit_codes.OK == await round_of(harness, document)
    assert harness.simulator.accepts(path.read_text().strip())
    assert harness.sign_ins() == 1


async def test_a_sink_that_lacks_the_token_is_written_in_the_next_round(
    harness: Harness,
) -> None:
    """A failed write is repeated without a sign-in."""
    harness.simulator.add_fault(step="variable", kind="status", status=503)
    assert exit_codes.TRY_LATER == await round_of(harness, harness.document(BY_NAME))

    harness.simulator.clear_faults()
    harness.skip(HOUR)

    assert exit_codes.OK == await round_of(harness, harness.document(BY_NAME))
    assert harness.sign_ins() == 1
    assert harness.simulator.get_variable("accesstoken")


async def test_force_refreshes_what_is_not_due(harness: Harness) -> None:
    """--force gets a new token, although the old one is valid for long."""
    await round_of(harness)
    harness.skip(HOUR)
    status = await round_of(harness, force=True)

    assert exit_codes.OK == status
    assert harness.sign_ins() == 2


async def test_force_does_not_refresh_twice(harness: Harness) -> None:
    """What was due and is refreshed in this round is not forced again."""
    with capture_logs() as logs:
        status = await round_of(harness, force=True)

    assert exit_codes.OK == status
    assert harness.sign_ins() == 1
    assert "once.too_soon" not in [entry["event"] for entry in logs]


async def test_force_obeys_the_spacing(harness: Harness) -> None:
    """Within a minute of the last refresh the log says when, and nothing is sent."""
    await round_of(harness)
    harness.skip(timedelta(seconds=30))
    with capture_logs() as logs:
        status = await round_of(harness, force=True)

    assert exit_codes.OK == status
    assert harness.sign_ins() == 1
    assert "once.too_soon" in [entry["event"] for entry in logs]


async def test_force_after_a_rejection_is_allowed_twice_a_day(harness: Harness) -> None:
    """As for a manual refresh: two forced tries, then the ladder."""
    harness.set_password("not the password")
    statuses = [await round_of(harness)]
    for _ in range(3):
        harness.skip(2 * MINUTE)
        statuses.append(await round_of(harness, force=True))

    assert statuses == [exit_codes.ACTION_NEEDED] * 4
    assert harness.sign_ins() == 3


async def test_a_rejection_outlasts_a_later_failure(harness: Harness) -> None:
    """After a rejection, a later failure of the cloud does not hide that a person is needed."""
    document = harness.document(retry={"first": "1h", "max": "1h"})
    harness.set_password("not the password")
    await round_of(harness, document)
    harness.skip(2 * MINUTE)
    harness.simulator.add_fault(step="login", kind="status", status=503, times=1)
    forced = await round_of(harness, document, force=True)

    assert [exit_codes.ACTION_NEEDED] * 2 == [forced, await round_of(harness, document)]
    assert harness.sign_ins() == 2


async def test_rounds_obey_the_retry_ladder(harness: Harness) -> None:
    """In hourly rounds a wrong password is sent four times a day."""
    harness.set_password("not the password")
    for _ in range(24):
        assert exit_codes.ACTION_NEEDED == await round_of(harness)
        harness.skip(HOUR)

    assert harness.sign_ins() == 4


FAILURES: dict[str, tuple[int, dict[str, Any]]] = {
    "the login is down": (exit_codes.TRY_LATER, {"step": "login", "kind": "status", "status": 503}),
    "no answer": (exit_codes.UNREACHABLE, {"step": "login", "kind": "reset"}),
    "unplugged": (exit_codes.UNREACHABLE, {"step": "homey_login", "kind": "mesh_node_offline"}),
    "denied": (exit_codes.ACTION_NEEDED, {"step": "consent", "kind": "access_denied"}),
    "a changed protocol": (exit_codes.TRY_LATER, {"step": "login", "kind": "json", "body": {}}),
    "a missing scope": (exit_codes.ACTION_NEEDED, {"step": "variable", "kind": "missing_scopes"}),
    "a failing sink": (exit_codes.TRY_LATER, {"step": "variable", "kind": "html"}),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_each_failure_has_its_exit_status(harness: Harness, name: str) -> None:
    """The status says whether to wait or to call a person."""
    status, fault = FAILURES[name]
    harness.simulator.add_fault(**fault)

    assert status == await round_of(harness, harness.document(BY_NAME))


async def test_unreadable_credentials_are_a_configuration_fault(
    harness: Harness,
) -> None:
    """With a missing password file the status is 78, and nothing is sent."""
    document = harness.document()
    document["homeys"]["home"]["password"] = {"file": str(harness.folder / "absent")}

    assert exit_codes.CONFIGURATION == await round_of(harness, document)
    assert harness.simulator.steps() == []


async def test_a_spent_budget_exits_with_try_later(harness: Harness) -> None:
    """While the login is throttled, fewer and fewer passwords are sent; the status is 75."""
    harness.simulator.add_fault(step="login", kind="too_many_requests")
    for _ in range(14):
        assert exit_codes.TRY_LATER == await round_of(harness)
        harness.skip(10 * MINUTE)

    assert harness.sign_ins() <= 8


async def test_of_several_homeys_the_worst_counts(tmp_path: Path) -> None:
    """If the consent does not cover one Homey, the status is 77, and the other gets its token."""
    async with running_home(tmp_path, Switches(covers="chosen"), homeys=2) as harness:
        harness.simulator.add_fault(step="homey_login", kind="json", status=403, body={}, homey=2)
        status = await round_of(harness, harness.document(BY_NAME))

        assert exit_codes.ACTION_NEEDED == status
        assert harness.simulator.accepts(harness.simulator.get_variable("accesstoken"))


async def test_a_running_daemon_is_left_alone(harness: Harness) -> None:
    """While a daemon holds the lock, the hint is to use it, and nothing is sent."""
    lock = InstanceLock(harness.folder / "state.json")
    await asyncio.to_thread(lock.acquire)
    with pytest.raises(AlreadyRunning) as raised:
        await round_of(harness)
    lock.release()

    assert raised.value.remedy == "Use it instead: homey-tokend refresh"
    assert harness.simulator.steps() == []
    assert exit_codes.OK == await round_of(harness)


async def test_a_daemon_without_a_state_is_found_by_its_socket(harness: Harness) -> None:
    """With state.path null there is no lock, and the socket shows the daemon."""
    document = harness.document()
    document["state"]["path"] = None
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
        listening.bind(str(harness.folder / "s.sock"))
        listening.listen()
        with pytest.raises(AlreadyRunning):
            await round_of(harness, document)
    # The file still exists, but nothing listens on it.
    assert exit_codes.OK == await round_of(harness, document)


async def test_a_lock_that_cannot_be_created(harness: Harness) -> None:
    """A folder in place of the lock raises StateUnusable, hence status 73."""
    (harness.folder / "state.json.lock").mkdir()

    with pytest.raises(StateUnusable):
        await round_of(harness)


async def test_a_round_has_a_time_limit(harness: Harness) -> None:
    """If a sink hangs, the round ends with 75 at its limit, and the token is kept."""
    assert exit_codes.OK == await round_of(harness)
    harness.sinks["stuck"] = stuck = FakeSink("stuck")
    stuck.free.clear()
    sink = {"type": "file", "path": str(harness.folder / "stuck")}
    with capture_logs() as logs:
        status = await round_of(harness, harness.document(sink), limit=timedelta(seconds=0.3))

    assert exit_codes.TRY_LATER == status
    assert "once.timed_out" in [entry["event"] for entry in logs]
    assert b'"generation": 1' in harness.state.read_bytes()


async def test_a_bug_ends_the_round_at_once(harness: Harness) -> None:
    """A bug in a keeper is raised at once."""
    harness.store = store = FakeStore()
    store.bug = RuntimeError("a bug")

    with capture_logs(), pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(round_of(harness), 40)


async def test_a_round_leaves_no_task_behind(harness: Harness) -> None:
    """Nothing runs after the round."""
    before = len(asyncio.all_tasks())
    await round_of(harness, harness.document(BY_NAME), force=True)
    await harness.until(lambda: len(asyncio.all_tasks()) <= before)

    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("home")]
