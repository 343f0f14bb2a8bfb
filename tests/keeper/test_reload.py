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
from tests.keeper.household import HOUR, MINUTE, Household, Json

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


async def reloaded(household: Household, document: Json) -> Config | None:
    """Reload as the daemon does on SIGHUP, and wait until nothing is running."""
    new = Reloader(
        household.components,
        household.supervisor,
        household.scheduler,
        lambda: household.config(document),
    )
    config = await new.run()
    await household.quiet()
    return config


async def test_nothing_changed_changes_nothing(household: Household) -> None:
    """The same keeper continues with the same token."""
    document = household.document()
    await household.start(document)
    keeper = household.keepers["home"]
    household.steps()
    await reloaded(household, document)

    assert keeper is household.keepers["home"]
    assert household.steps() == []


async def test_a_new_sink_gets_the_token_that_is_held(household: Household) -> None:
    """A sink is added: the keeper is replaced, and does not sign in."""
    await household.start()
    token = household.token()
    await reloaded(household, household.document(BY_NAME))

    assert token == household.token()
    assert token.value.reveal() == household.simulator.get_variable("accesstoken")
    assert household.sign_ins() == 1


async def test_a_new_sink_costs_no_password_while_the_homey_is_unplugged(
    household: Household,
) -> None:
    """The sign-in is done and only the exchange fails: a sink is added, and the exchange continues."""
    household.simulator.unplug()
    await household.start()
    await reloaded(household, household.document(BY_NAME))
    await household.wait(10 * MINUTE)
    assert household.sign_ins() == 1

    household.simulator.plug()
    await household.wait(10 * MINUTE)

    assert household.sign_ins() == 1
    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")


async def test_a_corrected_password_beside_a_new_sink_is_used_at_once(household: Household) -> None:
    """The credentials are read again even if only the sinks changed in the configuration."""
    household.set_password("not the password")
    await household.start()
    household.set_password(household.simulator.description()["password"])
    await reloaded(household, household.document(BY_NAME))

    assert household.token().generation == 1


async def test_a_variable_that_becomes_a_secret(begin: Begin) -> None:
    """A Homey that is added reads a variable: the commands of the others no longer inherit it."""
    household = await begin(homeys=2)
    both = household.document()
    household.environ["SHARED"] = both["homeys"]["home1"]["client_secret"]
    both["homeys"]["home1"]["client_secret"] = {"env": "SHARED"}
    seen = household.folder / "seen"
    command = ["/bin/sh", "-c", 'env >> "$0"; echo . >> "$0"', str(seen)]
    both["homeys"]["home"]["sinks"] = [{"type": "exec", "command": command}]
    one = {**both, "homeys": {"home": both["homeys"]["home"]}}
    await household.start(one)
    keeper = household.keepers["home"]
    await reloaded(household, both)
    await household.wait(13 * HOUR)
    before, after, _ = seen.read_text().split(".\n")

    assert keeper is household.keepers["home"]
    assert "SHARED=" in before
    assert "SHARED=" not in after


async def test_homeys_come_and_go(begin: Begin) -> None:
    """One is added and signs in, one is removed and forgotten, the order is the file's."""
    household = await begin(homeys=2)
    both = household.document()
    one = household.document()
    del one["homeys"]["home1"]
    await household.start(one)
    await reloaded(household, both)
    assert household.token("home1").generation == 1
    assert household.supervisor.keepers.get("home1") is household.keepers["home1"]

    both["homeys"] = dict(reversed(both["homeys"].items()))
    await reloaded(household, both)
    other = household.document()
    del other["homeys"]["home"]
    await reloaded(household, other)

    assert household.supervisor.names() == ("home1",)
    assert list(json.loads(household.state.read_text())["homeys"]) == ["home1"]
    assert household.sign_ins() == 2


async def test_a_file_with_faults_changes_nothing(household: Household) -> None:
    """The errors are logged, and the daemon continues as it was."""
    await household.start()

    def faulty() -> Config:
        raise ConfigurationInvalid(
            [ConfigFault("config.yaml", 1, 1, "homeys", "is absent", "Add it")]
        )

    with capture_logs() as logs:
        new = Reloader(household.components, household.supervisor, household.scheduler, faulty)
        assert await new.run() is None

    assert "reload.rejected" in [entry["event"] for entry in logs]
    assert household.token().generation == 1


async def test_a_corrected_client_is_used_at_once(household: Household) -> None:
    """Rejected with the old client, a person corrects the file: there is no wait."""
    document = household.document()
    document["homeys"]["home"]["client_secret"] = "0" * 40
    await household.start(document)
    assert household.view().sign_in_blocked_until is not None

    await reloaded(household, household.document())

    assert household.token().generation == 1


async def test_askers_of_the_old_keeper_are_let_go(household: Household) -> None:
    """A request for a Homey whose keeper is replaced is answered."""
    household.simulator.add_fault(step="login", kind="hang", times=1)
    await household.begin()
    asked = asyncio.create_task(household.supervisor.token_for("home", MINUTE, HOUR))
    await household.until(lambda: household.sign_ins() == 1)
    await reloaded(household, household.document(BY_NAME))
    view = await asyncio.wait_for(asked, 40)

    assert view.token is None
    assert household.token().generation == 1


async def test_who_waits_for_quiet_survives_a_reload(begin: Begin) -> None:
    """A Homey is added, and another's keeper replaced, while all are waited for: no error."""
    household = await begin(homeys=2)
    household.simulator.add_fault(step="login", kind="hang", times=1)
    one = household.document()
    del one["homeys"]["home1"]
    await household.begin(one)
    waiting = asyncio.create_task(household.supervisor.settled())
    await household.until(lambda: household.sign_ins() == 1)
    await reloaded(household, household.document(BY_NAME))
    await asyncio.wait_for(waiting, 40)

    assert household.token("home1").generation == 1
    assert household.token().generation == 1


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
async def test_a_clock_that_is_set_during_a_reload(household: Household, by: timedelta) -> None:
    """The clock is set while one keeper has ended and the next is not there: the token moves."""
    await household.start()
    end = household.token().expires_at
    parts, schedule = household.components, household.scheduler
    keeper = household.keepers["home"]

    async def make() -> Keeper:
        household.clock.set_wall(by)
        await household.supervisor.beat()
        return await parts.keeper("home", schedule)

    await household.supervisor.put("home", make)
    shown = household.token().expires_at
    await household.quiet()

    assert keeper is not household.keepers["home"]
    assert end + by == shown == household.token().expires_at


async def test_a_folder_that_hangs_holds_up_no_start(household: Household) -> None:
    """A file sink on a dead mount: the start does not wait for its check, and the token is there."""
    free = threading.Event()
    worker = WorkerPool()
    hanging = worker.submit(free.wait, 30)
    path = household.folder / "token"
    household.sinks["token"] = FileSink(path, 0o600, "raw", worker)
    document = household.document({"type": "file", "path": str(path)})
    try:
        await asyncio.wait_for(household.begin(document), 40)
        await household.until(lambda: household.view().token is not None)
    finally:
        free.set()
        await asyncio.wrap_future(hanging)
        await household.stop()
        worker.close()


async def test_reloads_leave_no_threads_behind(household: Household) -> None:
    """Each replaced keeper releases the threads of its files and secrets."""
    path = household.folder / "token"
    documents = [
        household.document({"type": "file", "path": str(path), "format": form})
        for form in ("raw", "json")
    ]
    await household.start(documents[0])
    before = threading.active_count()
    for number in range(1, 9):
        await reloaded(household, documents[number % 2])
    del documents[0]["homeys"]["home"]["sinks"]
    await reloaded(household, documents[0])
    await household.until(lambda: threading.active_count() <= before)

    assert path.exists()


async def another(begin: Begin) -> tuple[Household, Json, str]:
    """A Homey that stays, and a configuration in which its name means another one."""
    household = await begin(homeys=2)
    document = household.document()
    other = document["homeys"].pop("home1")["cloudid"]
    await household.start(document)
    document["homeys"]["home"]["cloudid"] = other
    return household, document, other


async def test_a_name_that_means_another_homey_gets_its_token(begin: Begin) -> None:
    """The cloudid changes: the other Homey's token at once, and a higher generation."""
    household, document, other = await another(begin)
    before = household.token()
    await reloaded(household, document)

    assert household.token().url.endswith(f"/{other}")
    assert household.token().generation == before.generation + 1
    assert household.token().value != before.value


async def test_so_it_does_after_a_restart(begin: Begin) -> None:
    """Changed while the daemon was stopped, and the cloud has no address: not at the old one."""
    household, document, other = await another(begin)
    household.simulator.add_fault(step="user", kind="status", status=503)
    await household.restart(document)

    assert household.token().url.endswith(f"/{other}")
    assert household.token().generation == 2


async def test_other_timeouts_need_another_transport(household: Household) -> None:
    """refresh.timeout changes: requests use the new transport, the old one is closed."""
    await household.start()
    old = household.components.transport
    await reloaded(household, household.document(timeout="7s"))
    await household.until_renewal()

    assert old is not household.components.transport
    assert household.token().generation == 2
