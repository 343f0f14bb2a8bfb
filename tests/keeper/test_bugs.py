"""A bug in one task is a reported failure and does not stop the keeper; stopping leaves nothing behind."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import structlog
from structlog.testing import capture_logs
from structlog.types import EventDict

from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.ports import CredentialSource, Transport
from homey_tokend.core.secret import Credentials
from homey_tokend.core.status import View
from tests.keeper.household import HOUR, MINUTE, Household
from tests.support.sink import FakeSink
from tests.support.store import FakeStore

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


class BrokenTransport:
    """A transport with a bug, as long as it is broken."""

    def __init__(self, sound: Transport) -> None:
        self._sound = sound
        self.broken = False

    async def send(self, request: Request) -> Response:
        if self.broken:
            raise RuntimeError("a bug")
        return await self._sound.send(request)


class BrokenSource:
    """A reader of secrets with a bug, as long as it is broken."""

    def __init__(self, sound: CredentialSource) -> None:
        self._sound = sound
        self.failure: Exception | None = None

    async def read(self) -> Credentials:
        if self.failure is not None:
            raise self.failure
        return await self._sound.read()


def events(logs: list[Any]) -> list[str]:
    """Return the names of captured events."""
    return [entry["event"] for entry in logs]


async def test_a_bug_in_a_sink_is_a_failure_of_that_sink(household: Household) -> None:
    """RuntimeError in a sink: reported in log and view, retried, and nothing else is affected."""
    household.sinks["fake"] = fake = FakeSink("fake")
    fake.failures = [RuntimeError("a bug")]
    document = household.document(BY_NAME, {"type": "file", "path": str(household.folder / "fake")})
    with capture_logs() as logs:
        await household.start(document)
    (variable, broken) = household.view().sinks

    assert "internal.error" in events(logs)
    assert variable.generation == 1
    assert broken.trouble is not None
    assert "internal error" in broken.trouble.message
    assert household.token().generation == 1

    await household.wait(MINUTE)

    assert fake.taken == [1]


async def test_a_bug_in_the_sign_in_is_a_failed_attempt(household: Household) -> None:
    """RuntimeError before the flow: retried like any failure, and over with the bug."""
    sources: list[BrokenSource] = []

    def broken(source: CredentialSource) -> BrokenSource:
        sources.append(BrokenSource(source))
        sources[0].failure = RuntimeError("a bug")
        return sources[0]

    household.wrap_source = broken
    with capture_logs() as logs:
        await household.start()

    assert "internal.error" in events(logs)
    assert household.trouble() == "failed"
    assert household.view().next_at is not None

    sources[0].failure = None
    await household.wait(MINUTE)

    assert household.token().generation == 1
    assert household.trouble() == ""


async def test_a_bug_while_values_are_read_anew(household: Household) -> None:
    """RuntimeError between two attempts of a rejected account: reported, and read again at the next heartbeat."""
    sources: list[BrokenSource] = []

    def wrapped(source: CredentialSource) -> BrokenSource:
        sources.append(BrokenSource(source))
        return sources[0]

    household.wrap_source = wrapped
    household.set_password("not the password")
    await household.start()
    for failure in (RuntimeError("a bug"), SecretUnavailable("the disk is away")):
        sources[0].failure = failure
        with capture_logs() as logs:
            await household.beat()
        assert ("internal.error" in events(logs)) is isinstance(failure, RuntimeError)

    sources[0].failure = None
    household.set_password(household.simulator.description()["password"])
    await household.beat()

    assert household.token().generation == 1


async def test_a_bug_in_a_proof_says_nothing_of_the_token(household: Household) -> None:
    """RuntimeError during a verification: the token is served, and the verification repeated."""
    transports: list[BrokenTransport] = []

    def wrapped(transport: Transport) -> BrokenTransport:
        transports.append(BrokenTransport(transport))
        return transports[0]

    household.wrap_transport = wrapped
    document = household.document(verify_every="15m")
    await household.start(document)
    transports[0].broken = True
    with capture_logs() as logs:
        await household.wait(16 * MINUTE)
    assert "internal.error" in events(logs)
    assert household.token().generation == 1

    transports[0].broken = False
    verified_at = household.view().verified_at
    await household.wait(HOUR)
    now_proved_at = household.view().verified_at

    assert verified_at is not None
    assert now_proved_at is not None
    assert now_proved_at > verified_at


async def test_a_bug_in_a_keeper_itself_ends_the_supervisor(household: Household) -> None:
    """A bug that no task catches ends the daemon, for systemd to restart."""
    household.store = store = FakeStore()
    await household.start()
    store.bug = RuntimeError("a bug")
    household.skip(12 * HOUR)
    household.scheduler.ring_due()
    run = household.run
    assert run is not None
    with capture_logs(), pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(run, 40)


async def test_a_log_that_fails_as_well_stops_nothing(household: Household) -> None:
    """If the bug cannot be logged, since the log has one too, the keeper continues."""

    def broken(_logger: object, _method: str, event: EventDict) -> EventDict:
        if event["event"] == "internal.error":
            raise OSError("the log is gone")
        raise structlog.DropEvent

    structlog.configure(processors=[broken])
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    household.sinks["fake"] = fake = FakeSink("fake")
    fake.failures = [RuntimeError("a bug")]
    await household.start(
        household.document({"type": "file", "path": str(household.folder / "fake")})
    )
    await household.wait(MINUTE)

    assert fake.taken == [1]


# --- ends ---


def ours() -> list[str]:
    """Return the running tasks of the daemon."""
    here = str(Path(__file__).parents[2] / "homey_tokend")
    found = []
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        file = code.co_filename if code else ""
        if file.startswith(here) and "/simulator/" not in file:
            found.append(f"{task.get_name()} {code}")
    return found


PHASES: dict[str, tuple[dict[str, Any], Callable[[Household], object]]] = {
    step: (
        {"step": step, "kind": "hang"},
        lambda household, step=step: step in household.simulator.steps(),  # type: ignore[misc]  # bound early
    )
    for step in ("login", "authorise", "token", "user", "homey_login", "session", "variable")
}
PHASES["at once"] = ({"step": "login", "kind": "hang"}, lambda _: True)
PHASES["values"] = ({"step": "login", "kind": "hang"}, lambda household: household.view())


@pytest.mark.parametrize("phase", PHASES)
async def test_an_end_in_any_phase_leaves_no_task_behind(household: Household, phase: str) -> None:
    """Stopping while a step hangs takes a moment, and the next start works."""
    fault, reached = PHASES[phase]
    household.simulator.add_fault(**fault)
    document = household.document(BY_NAME, verify_every="15m")
    await household.begin(document)
    await household.until(lambda: reached(household))
    assert ours() or phase == "at once"

    async with asyncio.timeout(8):
        await household.stop()

    assert ours() == []
    assert household.scheduler.appointments == {}

    household.simulator.clear_faults()
    await household.start(document)
    await household.wait(MINUTE)

    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")


@pytest.mark.parametrize("what", ["sink", "disk", "proof"])
async def test_an_end_while_a_job_hangs_leaves_no_task_behind(
    household: Household, what: str
) -> None:
    """Stopping does not wait for a hanging sink, disk or verification."""
    household.sinks["fake"] = fake = FakeSink("fake")
    household.store = store = FakeStore()
    document = household.document(
        {"type": "file", "path": str(household.folder / "fake")}, verify_every="15m"
    )
    await household.start(document)
    household.skip(HOUR)
    fake.free.clear()
    store.hangs = what == "disk"
    before = store.saves
    if what == "proof":
        household.simulator.add_fault(step="session", kind="hang")
        household.steps()
        household.scheduler.ring_due()
        await household.until(lambda: "session" in household.simulator.steps())
    else:
        asked = asyncio.create_task(household.supervisor.refresh("home", MINUTE))
        await household.until(
            lambda: store.saves > before if what == "disk" else len(fake.begun) == 2
        )
        asked.cancel()
    async with asyncio.timeout(8):
        await household.stop()

    assert ours() == []


async def test_askers_are_let_go_at_the_end(household: Household) -> None:
    """A request that waits for a token when the daemon stops is answered."""
    household.simulator.add_fault(step="login", kind="hang")
    await household.begin()
    asked = asyncio.create_task(household.supervisor.token_for("home", MINUTE, HOUR))
    await household.until(lambda: household.sign_ins() == 1)
    await household.stop()
    view: View = await asyncio.wait_for(asked, 40)

    assert view.token is None
