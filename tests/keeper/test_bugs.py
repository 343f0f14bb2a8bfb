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
from tests.keeper.harness import HOUR, MINUTE, Harness
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


async def test_a_bug_in_a_sink_is_a_failure_of_that_sink(harness: Harness) -> None:
    """RuntimeError in a sink: reported in log and view, retried, and nothing else is affected."""
    harness.sinks["fake"] = fake = FakeSink("fake")
    fake.failures = [RuntimeError("a bug")]
    document = harness.document(BY_NAME, {"type": "file", "path": str(harness.folder / "fake")})
    with capture_logs() as logs:
        await harness.start(document)
    (variable, broken) = harness.view().sinks

    assert "internal.error" in events(logs)
    assert variable.generation == 1
    assert broken.last_error is not None
    assert "internal error" in broken.last_error.message
    assert harness.token().generation == 1

    await harness.wait(MINUTE)

    assert fake.taken == [1]


async def test_a_bug_in_the_sign_in_is_a_failed_attempt(harness: Harness) -> None:
    """RuntimeError before the flow: retried like any failure, until the bug is gone."""
    sources: list[BrokenSource] = []

    def broken(source: CredentialSource) -> BrokenSource:
        sources.append(BrokenSource(source))
        sources[0].failure = RuntimeError("a bug")
        return sources[0]

    harness.wrap_source = broken
    with capture_logs() as logs:
        await harness.start()

    assert "internal.error" in events(logs)
    assert harness.last_error() == "failed"
    assert harness.view().next_at is not None

    sources[0].failure = None
    await harness.wait(MINUTE)

    assert harness.token().generation == 1
    assert harness.last_error() == ""


async def test_a_bug_while_credentials_are_read_again(harness: Harness) -> None:
    """RuntimeError between two attempts of a rejected account: reported, and read again at the next heartbeat."""
    sources: list[BrokenSource] = []

    def wrapped(source: CredentialSource) -> BrokenSource:
        sources.append(BrokenSource(source))
        return sources[0]

    harness.wrap_source = wrapped
    harness.set_password("not the password")
    await harness.start()
    for failure in (RuntimeError("a bug"), SecretUnavailable("the disk is away")):
        sources[0].failure = failure
        with capture_logs() as logs:
            await harness.heartbeat()
        assert ("internal.error" in events(logs)) is isinstance(failure, RuntimeError)

    sources[0].failure = None
    harness.set_password(harness.simulator.description()["password"])
    await harness.heartbeat()

    assert harness.token().generation == 1


async def test_a_bug_in_a_verification_keeps_the_token(harness: Harness) -> None:
    """RuntimeError during a verification: the token is served, and the verification repeated."""
    transports: list[BrokenTransport] = []

    def wrapped(transport: Transport) -> BrokenTransport:
        transports.append(BrokenTransport(transport))
        return transports[0]

    harness.wrap_transport = wrapped
    document = harness.document(verify_every="15m")
    await harness.start(document)
    transports[0].broken = True
    with capture_logs() as logs:
        await harness.wait(16 * MINUTE)
    assert "internal.error" in events(logs)
    assert harness.token().generation == 1

    transports[0].broken = False
    verified_at = harness.view().verified_at
    await harness.wait(HOUR)
    now_proved_at = harness.view().verified_at

    assert verified_at is not None
    assert now_proved_at is not None
    assert now_proved_at > verified_at


async def test_a_bug_in_a_keeper_itself_ends_the_supervisor(harness: Harness) -> None:
    """A bug that no task catches ends the daemon, for systemd to restart."""
    harness.store = store = FakeStore()
    await harness.start()
    store.bug = RuntimeError("a bug")
    harness.skip(12 * HOUR)
    harness.scheduler.run_due()
    run = harness.run
    assert run is not None
    with capture_logs(), pytest.raises(RuntimeError, match="a bug"):
        await asyncio.wait_for(run, 40)


async def test_a_failing_log_does_not_stop_the_keeper(harness: Harness) -> None:
    """If the bug cannot be logged, since the log has one too, the keeper continues."""

    def broken(_logger: object, _method: str, event: EventDict) -> EventDict:
        if event["event"] == "internal.error":
            raise OSError("the log is gone")
        raise structlog.DropEvent

    structlog.configure(processors=[broken])
    asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: None)
    harness.sinks["fake"] = fake = FakeSink("fake")
    fake.failures = [RuntimeError("a bug")]
    await harness.start(harness.document({"type": "file", "path": str(harness.folder / "fake")}))
    await harness.wait(MINUTE)

    assert fake.taken == [1]


# --- stopping ---


def running_tasks() -> list[str]:
    """Return the running tasks of the daemon."""
    here = str(Path(__file__).parents[2] / "homey_tokend")
    found = []
    for task in asyncio.all_tasks():
        code = getattr(task.get_coro(), "cr_code", None)
        file = code.co_filename if code else ""
        if file.startswith(here) and "/simulator/" not in file:
            found.append(f"{task.get_name()} {code}")
    return found


PHASES: dict[str, tuple[dict[str, Any], Callable[[Harness], object]]] = {
    step: (
        {"step": step, "kind": "hang"},
        lambda harness, step=step: step in harness.simulator.steps(),  # type: ignore[misc]  # bound early
    )
    for step in ("login", "authorise", "token", "user", "homey_login", "session", "variable")
}
PHASES["at once"] = ({"step": "login", "kind": "hang"}, lambda _: True)
PHASES["values"] = ({"step": "login", "kind": "hang"}, lambda harness: harness.view())


@pytest.mark.parametrize("phase", PHASES)
async def test_stopping_in_any_phase_leaves_no_task(harness: Harness, phase: str) -> None:
    """The daemon can be stopped while a step hangs, and the next start works."""
    fault, reached = PHASES[phase]
    harness.simulator.add_fault(**fault)
    document = harness.document(BY_NAME, verify_every="15m")
    await harness.begin(document)
    await harness.until(lambda: reached(harness))
    assert running_tasks() or phase == "at once"

    async with asyncio.timeout(8):
        await harness.stop()

    assert running_tasks() == []
    assert harness.scheduler.appointments == {}

    harness.simulator.clear_faults()
    await harness.start(document)
    await harness.wait(MINUTE)

    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")


@pytest.mark.parametrize("what", ["sink", "disk", "proof"])
async def test_stopping_while_a_job_hangs_leaves_no_task(harness: Harness, what: str) -> None:
    """Stopping does not wait for a hanging sink, disk or verification."""
    harness.sinks["fake"] = fake = FakeSink("fake")
    harness.store = store = FakeStore()
    document = harness.document(
        {"type": "file", "path": str(harness.folder / "fake")}, verify_every="15m"
    )
    await harness.start(document)
    harness.skip(HOUR)
    fake.free.clear()
    store.hangs = what == "disk"
    before = store.saves
    if what == "proof":
        harness.simulator.add_fault(step="session", kind="hang")
        harness.steps()
        harness.scheduler.run_due()
        await harness.until(lambda: "session" in harness.simulator.steps())
    else:
        asked = asyncio.create_task(harness.supervisor.refresh("home", MINUTE))
        await harness.until(
            lambda: store.saves > before if what == "disk" else len(fake.begun) == 2
        )
        asked.cancel()
    async with asyncio.timeout(8):
        await harness.stop()

    assert running_tasks() == []


async def test_waiting_requests_are_answered_when_the_daemon_stops(harness: Harness) -> None:
    """A request that waits for a token when the daemon stops is answered."""
    harness.simulator.add_fault(step="login", kind="hang")
    await harness.begin()
    asked = asyncio.create_task(harness.supervisor.token_for("home", MINUTE, HOUR))
    await harness.until(lambda: harness.sign_ins() == 1)
    await harness.stop()
    view: View = await asyncio.wait_for(asked, 40)

    assert view.token is None
