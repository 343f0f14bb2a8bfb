"""Each new token reaches its sinks; a sink that fails or hangs affects nothing else."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from homey_tokend.core.errors import BearerRejected, SinkFailed, SinkRejected
from homey_tokend.core.status import Health, SinkView
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.household import HOUR, MINUTE, Household
from tests.support.sink import FakeSink

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


def put(household: Household, *names: str) -> tuple[list[dict[str, Any]], list[FakeSink]]:
    """Return fake sinks of these names: their configuration, and themselves."""
    fakes = [FakeSink(name) for name in names]
    household.sinks |= {fake.target: fake for fake in fakes}
    return [{"type": "file", "path": str(household.folder / name)} for name in names], fakes


def sink(household: Household, at: int = 0) -> SinkView:
    """Return the status of a sink."""
    return household.view().sinks[at]


async def test_a_variable_is_written_at_each_renewal(household: Household) -> None:
    """By name: the variable has the served token, also after the next renewal."""
    await household.start(household.document(BY_NAME))
    for generation in (1, 2):
        variable = household.simulator.get_variable("accesstoken")
        assert household.token().value.reveal() == variable
        assert household.token().generation == generation
        assert sink(household).generation == generation
        assert sink(household).trouble is None
        await household.until_renewal()


async def test_a_variable_is_found_by_id_and_created_by_name(household: Household) -> None:
    """By id: the variable is found; a missing name is created if create says so."""
    told = household.simulator.description()["homeys"][0]["variables"]
    sinks = (
        {"type": "logic_variable", "id": told[0]["id"]},
        {"type": "logic_variable", "name": "fresh", "create": True},
    )
    await household.start(household.document(*sinks))

    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")
    assert household.token().value.reveal() == household.simulator.get_variable("fresh")


async def test_what_a_sink_remembers_outlives_a_restart(household: Household) -> None:
    """The id is remembered: the next token is one PUT, without reading the list."""
    document = household.document(BY_NAME)
    await household.start(document)
    await household.restart(document)
    household.steps()
    await household.until_renewal()

    assert household.simulator.steps().count("variable") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("visitors", "of the type number"),
        ("absent", "no logic variable named"),
        ("twin", "2 logic"),
    ],
)
async def test_a_variable_that_will_not_do_is_told(
    household: Household, name: str, words: str
) -> None:
    """Wrong type, none, two of the name: the token is served, and the status says what to fix."""
    for _ in range(2):
        household.simulator.add_variable("twin", "string", "")
    await household.start(household.document({"type": "logic_variable", "name": name}))
    trouble = sink(household).trouble

    assert household.token().generation == 1
    assert household.view().health is Health.TROUBLED
    assert trouble is not None
    assert trouble.kind == "sink_rejected"
    assert words in trouble.message
    assert trouble.remedy
    assert sink(household).retry_at == household.now + MINUTE


async def test_a_missing_scope_is_told(begin: Begin) -> None:
    """A client without homey.logic: the token is served, and the remedy names the scope."""
    household = await begin(Switches(scopes=("homey.device",)))
    await household.start(household.document(BY_NAME))
    trouble = sink(household).trouble

    assert household.token().generation == 1
    assert trouble is not None
    assert "homey.logic" in trouble.remedy


async def test_a_mended_variable_gets_the_token_by_itself(household: Household) -> None:
    """A person creates the variable: within the hour it has the token, without a restart."""
    await household.start(household.document({"type": "logic_variable", "name": "later"}))
    household.simulator.add_variable("later", "string", "")
    await household.wait(HOUR)

    assert household.token().value.reveal() == household.simulator.get_variable("later")
    assert household.view().health is Health.OK


async def test_a_hanging_sink_holds_up_nothing(household: Household) -> None:
    """One sink hangs: the other has the token, requests are answered, and the renewal comes."""
    documents, (stuck, brisk) = put(household, "stuck", "brisk")
    stuck.free.clear()
    await household.begin(household.document(*documents))
    await household.until(lambda: brisk.taken == [1] and stuck.begun)
    view = await household.supervisor.token_for("home", MINUTE, MINUTE)
    assert view.token is not None

    household.skip(12 * HOUR)
    await household.supervisor.beat()
    await household.until(lambda: brisk.taken == [1, 2])

    assert household.token().generation == 2
    assert len(stuck.begun) == 1

    stuck.free.set()
    await household.quiet()

    assert stuck.taken == [1, 2]


async def test_a_homey_that_hangs_at_its_variables_holds_up_nothing(household: Household) -> None:
    """The same over the wire: the PUT hangs, token and renewal do not."""
    documents, (brisk,) = put(household, "brisk")
    household.simulator.add_fault(step="variable", kind="hang")
    await household.begin(household.document(BY_NAME, *documents))
    await household.until(lambda: brisk.taken == [1])
    household.skip(12 * HOUR)
    await household.supervisor.beat()
    await household.until(lambda: brisk.taken == [1, 2])

    assert household.token().generation == 2
    assert sink(household).generation is None


async def test_a_delivery_has_a_deadline(household: Household) -> None:
    """A sink without a deadline is cancelled, reported, and retried."""
    household.deadline_s = 0.05
    documents, (stuck,) = put(household, "stuck")
    stuck.free.clear()
    await household.start(household.document(*documents))
    trouble = sink(household).trouble
    assert trouble is not None
    assert trouble.kind == "transient"

    stuck.free.set()
    await household.wait(MINUTE)

    assert stuck.taken == [1]
    assert sink(household).trouble is None


async def test_a_failing_sink_is_tried_again(household: Household) -> None:
    """A full disk passes: the waits are those of retry, and the count is reported."""
    documents, (fake,) = put(household, "fake")
    fake.failures = [SinkFailed("the disk is full") for _ in range(3)]
    await household.start(household.document(*documents))
    await household.wait(timedelta(seconds=2))
    trouble = sink(household).trouble
    assert trouble is not None
    assert trouble.count == 2

    await household.wait(MINUTE)

    assert fake.taken == [1]
    assert household.sign_ins() == 1


async def test_a_failing_sink_gets_the_token_that_is_newest_then(household: Household) -> None:
    """If the token is renewed while it fails, it gets the new one, at once, and never the old."""
    documents, (fake,) = put(household, "fake")
    fake.failures = [SinkRejected("no", remedy="Mend it.") for _ in range(16)]
    await household.start(household.document(*documents))
    await household.wait(11 * HOUR)
    assert {1} == {delivery.token.generation for delivery in fake.begun}

    fake.failures.clear()
    fake.begun.clear()
    await household.supervisor.refresh("home", MINUTE)
    await household.quiet()

    assert fake.taken == [2]
    assert [2] == [delivery.token.generation for delivery in fake.begun]


async def test_a_sink_never_goes_back(household: Household) -> None:
    """A slow write of an old token ends after the new one is there: the new one is written last."""
    documents, (slow,) = put(household, "slow")
    slow.free.clear()
    await household.begin(household.document(*documents))
    await household.until(lambda: slow.begun)
    household.skip(HOUR)
    await household.supervisor.refresh("home", MINUTE)
    slow.free.set()
    await household.quiet()

    assert slow.taken == [1, 2]
    assert sink(household).generation == 2

    await household.restart(household.document(*documents))

    assert slow.taken == [1, 2]


async def test_a_401_at_a_sink_leads_to_a_proof(household: Household) -> None:
    """The session was ended: the sink is the first to notice, and a new token follows soon."""
    document = household.document(BY_NAME)
    household.simulator.add_fault(step="variable", kind="revoke", times=1)
    await household.start(document)
    assert household.view().token is None

    await household.wait(MINUTE)

    assert household.steps().count("session") == 1 + 3 + 1
    assert household.token().generation == 2
    assert household.token().value.reveal() == household.simulator.get_variable("accesstoken")


async def test_a_401_at_a_sink_alone_does_not_end_the_token(household: Household) -> None:
    """The Homey accepts the token, a sink does not: the token stays, the sink is retried."""
    documents, (fake,) = put(household, "fake")
    fake.failures = [BearerRejected("401", status=401) for _ in range(100)]
    await household.start(household.document(*documents))
    await household.wait(6 * HOUR)

    assert household.token().generation == 1
    assert household.sign_ins() == 1
    assert len(fake.begun) <= 15


async def test_a_sink_that_refuses_an_older_token_is_no_news(household: Household) -> None:
    """A late 401 after the renewal concerns the old token: the new one is not affected."""
    documents, (slow,) = put(household, "slow")
    slow.free.clear()
    slow.failures = [BearerRejected("401", status=401)]
    await household.begin(household.document(*documents))
    await household.until(lambda: slow.begun)
    household.skip(HOUR)
    await household.supervisor.refresh("home", MINUTE)
    household.steps()
    slow.free.set()
    await household.quiet()

    assert slow.taken == [2]
    assert household.steps() == []


async def test_sinks_are_not_written_without_need(household: Household) -> None:
    """A restart with the same token writes no sink again; two sinks are written in parallel."""
    documents, fakes = put(household, "one", "two")
    fakes[0].free.clear()
    begun = asyncio.create_task(household.start(household.document(*documents)))
    await household.until(lambda: fakes[1].taken and fakes[0].begun)
    fakes[0].free.set()
    await begun
    await household.restart(household.document(*documents))

    assert [[1], [1]] == [fake.taken for fake in fakes]
    assert {"writes": "1"} == household.keepers["home"].state.sink("one").memory
