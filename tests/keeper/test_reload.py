"""SIGHUP: the changes of the configuration apply, and no token is lost."""

import asyncio
import json
import threading
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from homey_tokend.config import Config
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.reload import Reloader
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.sinks.file import FileSink
from tests.keeper.conftest import Begin
from tests.keeper.harness import HOUR, MINUTE, Harness, Json

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


async def reloaded(harness: Harness, document: Json) -> Config | None:
    """Reload as the daemon does on SIGHUP, and wait until nothing is running."""
    new = Reloader(
        harness.components,
        harness.supervisor,
        harness.scheduler,
        lambda: harness.config(document),
    )
    config = await new.run()
    await harness.quiet()
    return config


async def test_an_unchanged_configuration_changes_nothing(harness: Harness) -> None:
    """The same keeper continues with the same token."""
    document = harness.document()
    await harness.start(document)
    keeper = harness.keepers["home"]
    harness.steps()
    await reloaded(harness, document)

    assert keeper is harness.keepers["home"]
    assert harness.steps() == []


async def test_a_new_sink_gets_the_current_token(harness: Harness) -> None:
    """If a sink is added, the new keeper does not sign in."""
    await harness.start()
    token = harness.token()
    await reloaded(harness, harness.document(BY_NAME))

    assert token == harness.token()
    assert token.value.reveal() == harness.simulator.get_variable("accesstoken")
    assert harness.sign_ins() == 1


async def test_a_new_sink_costs_no_password_while_the_homey_is_offline(
    harness: Harness,
) -> None:
    """If a sink is added while only the exchange fails, the exchange continues."""
    harness.simulator.unplug()
    await harness.start()
    await reloaded(harness, harness.document(BY_NAME))
    await harness.wait(10 * MINUTE)
    assert harness.sign_ins() == 1

    harness.simulator.plug()
    await harness.wait(10 * MINUTE)

    assert harness.sign_ins() == 1
    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")


async def test_a_corrected_password_beside_a_new_sink_is_used_at_once(harness: Harness) -> None:
    """The credentials are read again even if only the sinks changed in the configuration."""
    harness.set_password("not the password")
    await harness.start()
    harness.set_password(harness.simulator.description()["password"])
    await reloaded(harness, harness.document(BY_NAME))

    assert harness.token().generation == 1


async def test_a_variable_that_becomes_a_secret(begin: Begin) -> None:
    """A Homey that is added reads a variable: the commands of the others no longer inherit it."""
    harness = await begin(homeys=2)
    both = harness.document()
    harness.environ["SHARED"] = both["homeys"]["home1"]["client_secret"]
    both["homeys"]["home1"]["client_secret"] = {"env": "SHARED"}
    seen = harness.folder / "seen"
    command = ["/bin/sh", "-c", 'env >> "$0"; echo . >> "$0"', str(seen)]
    both["homeys"]["home"]["sinks"] = [{"type": "exec", "command": command}]
    one = {**both, "homeys": {"home": both["homeys"]["home"]}}
    await harness.start(one)
    keeper = harness.keepers["home"]
    await reloaded(harness, both)
    await harness.wait(13 * HOUR)
    before, after, _ = seen.read_text().split(".\n")

    assert keeper is harness.keepers["home"]
    assert "SHARED=" in before
    assert "SHARED=" not in after


async def test_homeys_are_added_and_removed(begin: Begin) -> None:
    """One is added and signs in, one is removed and forgotten; the order is that of the file."""
    harness = await begin(homeys=2)
    both = harness.document()
    one = harness.document()
    del one["homeys"]["home1"]
    await harness.start(one)
    await reloaded(harness, both)
    assert harness.token("home1").generation == 1
    assert harness.supervisor.keepers.get("home1") is harness.keepers["home1"]

    both["homeys"] = dict(reversed(both["homeys"].items()))
    await reloaded(harness, both)
    other = harness.document()
    del other["homeys"]["home"]
    await reloaded(harness, other)

    assert harness.supervisor.names() == ("home1",)
    assert list(json.loads(harness.state.read_text())["homeys"]) == ["home1"]
    assert harness.sign_ins() == 2


async def test_a_file_with_faults_changes_nothing(harness: Harness) -> None:
    """The errors are logged, and the daemon continues as it was."""
    await harness.start()

    def faulty() -> Config:
        raise ConfigurationInvalid(
            [ConfigFault("config.yaml", 1, 1, "homeys", "is absent", "Add it")]
        )

    with capture_logs() as logs:
        new = Reloader(harness.components, harness.supervisor, harness.scheduler, faulty)
        assert await new.run() is None

    [rejected] = [entry for entry in logs if entry["event"] == "reload.rejected"]
    assert "the old configuration stays in force" in rejected["remedy"]
    assert harness.token().generation == 1


async def test_a_corrected_client_is_used_at_once(harness: Harness) -> None:
    """After a rejection of the client, a corrected file ends the wait."""
    document = harness.document()
    document["homeys"]["home"]["client_secret"] = "0" * 40
    await harness.start(document)
    assert harness.view().sign_in_blocked_until is not None

    await reloaded(harness, harness.document())

    assert harness.token().generation == 1


async def test_requests_to_a_replaced_keeper_are_answered(harness: Harness) -> None:
    """A request for a Homey whose keeper is replaced is answered."""
    harness.simulator.add_fault(step="login", kind="hang", times=1)
    await harness.begin()
    asked = asyncio.create_task(harness.supervisor.token_for("home", MINUTE, HOUR))
    await harness.until(lambda: harness.sign_ins() == 1)
    await reloaded(harness, harness.document(BY_NAME))
    view = await asyncio.wait_for(asked, 40)

    assert view.token is None
    assert harness.token().generation == 1


async def test_waiting_for_settled_keepers_survives_a_reload(begin: Begin) -> None:
    """A Homey is added, and another's keeper replaced, while a caller waits for all."""
    harness = await begin(homeys=2)
    harness.simulator.add_fault(step="login", kind="hang", times=1)
    one = harness.document()
    del one["homeys"]["home1"]
    await harness.begin(one)
    waiting = asyncio.create_task(harness.supervisor.settled())
    await harness.until(lambda: harness.sign_ins() == 1)
    await reloaded(harness, harness.document(BY_NAME))
    await asyncio.wait_for(waiting, 40)

    assert harness.token("home1").generation == 1
    assert harness.token().generation == 1


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
async def test_a_clock_set_during_a_reload(harness: Harness, by: timedelta) -> None:
    """It is set after the old keeper has ended and before the new one starts: the expiry is right."""
    await harness.start()
    end = harness.token().expires_at
    parts, schedule = harness.components, harness.scheduler
    keeper = harness.keepers["home"]

    async def make() -> Keeper:
        harness.clock.set_wall(by)
        await harness.supervisor.on_heartbeat()
        return await parts.keeper("home", schedule)

    await harness.supervisor.put("home", make)
    shown = harness.token().expires_at
    await harness.quiet()

    assert keeper is not harness.keepers["home"]
    assert end + by == shown == harness.token().expires_at


async def test_a_hanging_directory_does_not_delay_the_start(harness: Harness) -> None:
    """With a file sink on a dead mount, the start does not wait for its check, and there is a token."""
    free = threading.Event()
    worker = WorkerPool()
    hanging = worker.submit(free.wait, 30)
    path = harness.folder / "token"
    harness.sinks["token"] = FileSink(path, 0o600, "raw", worker)
    document = harness.document({"type": "file", "path": str(path)})
    try:
        await asyncio.wait_for(harness.begin(document), 40)
        await harness.until(lambda: harness.view().token is not None)
    finally:
        free.set()
        await asyncio.wrap_future(hanging)
        await harness.stop()
        worker.close()


async def test_reloads_leave_no_threads(harness: Harness) -> None:
    """Each replaced keeper releases the threads of its files and secrets."""
    path = harness.folder / "token"
    documents = [
        harness.document({"type": "file", "path": str(path), "format": form})
        for form in ("raw", "json")
    ]
    await harness.start(documents[0])
    before = threading.active_count()
    for number in range(1, 9):
        await reloaded(harness, documents[number % 2])
    del documents[0]["homeys"]["home"]["sinks"]
    await reloaded(harness, documents[0])
    await harness.until(lambda: threading.active_count() <= before)

    assert path.exists()


async def another(begin: Begin) -> tuple[Harness, Json, str]:
    """Start with one Homey; return a configuration in which its name stands for another one."""
    harness = await begin(homeys=2)
    document = harness.document()
    other = document["homeys"].pop("home1")["cloudid"]
    await harness.start(document)
    document["homeys"]["home"]["cloudid"] = other
    return harness, document, other


async def test_a_name_that_means_another_homey_gets_its_token(begin: Begin) -> None:
    """With another cloudid there is the other Homey's token at once, with a higher generation."""
    harness, document, other = await another(begin)
    before = harness.token()
    await reloaded(harness, document)

    assert harness.token().url.endswith(f"/{other}")
    assert harness.token().generation == before.generation + 1
    assert harness.token().value != before.value


async def test_another_homey_of_the_name_gets_its_token_after_a_restart(begin: Begin) -> None:
    """This also applies to a change while the daemon was stopped: the old address is not called."""
    harness, document, other = await another(begin)
    harness.simulator.add_fault(step="user", kind="status", status=503)
    await harness.restart(document)

    assert harness.token().url.endswith(f"/{other}")
    assert harness.token().generation == 2


async def test_a_changed_timeout_replaces_the_transport(harness: Harness) -> None:
    """After a change of refresh.timeout, requests use a new transport, and the old one is closed."""
    await harness.start()
    old = harness.components.transport
    await reloaded(harness, harness.document(timeout="7s"))
    await harness.until_renewal()

    assert old is not harness.components.transport
    assert harness.token().generation == 2
