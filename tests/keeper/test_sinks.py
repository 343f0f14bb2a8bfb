"""Each new token reaches its sinks; a sink that fails or hangs affects nothing else."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from homey_tokend.core.errors import BearerRejected, SinkFailed, SinkRejected
from homey_tokend.core.status import Health, SinkView
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.support.sink import FakeSink

BY_NAME = {"type": "logic_variable", "name": "accesstoken"}


def fake_sinks(harness: Harness, *names: str) -> tuple[list[dict[str, Any]], list[FakeSink]]:
    """Return fake sinks of these names: their configuration, and themselves."""
    fakes = [FakeSink(name) for name in names]
    harness.sinks |= {fake.target: fake for fake in fakes}
    return [{"type": "file", "path": str(harness.folder / name)} for name in names], fakes


def sink(harness: Harness, at: int = 0) -> SinkView:
    """Return the status of a sink."""
    return harness.view().sinks[at]


async def test_a_variable_is_written_at_each_renewal(harness: Harness) -> None:
    """The variable has the served token, also after the next renewal."""
    await harness.start(harness.document(BY_NAME))
    for generation in (1, 2):
        variable = harness.simulator.get_variable("accesstoken")
        assert harness.token().value.reveal() == variable
        assert harness.token().generation == generation
        assert sink(harness).generation == generation
        assert sink(harness).last_error is None
        await harness.until_renewal()


async def test_a_variable_is_found_by_id_and_created_by_name(harness: Harness) -> None:
    """A variable is found by its id; a missing one is created if create is true."""
    variables = harness.simulator.description()["homeys"][0]["variables"]
    sinks = (
        {"type": "logic_variable", "id": variables[0]["id"]},
        {"type": "logic_variable", "name": "fresh", "create": True},
    )
    await harness.start(harness.document(*sinks))

    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")
    assert harness.token().value.reveal() == harness.simulator.get_variable("fresh")


async def test_a_sinks_memory_survives_a_restart(harness: Harness) -> None:
    """The id is remembered, so the next token needs one PUT and no list."""
    document = harness.document(BY_NAME)
    await harness.start(document)
    await harness.restart(document)
    harness.steps()
    await harness.until_renewal()

    assert harness.simulator.steps().count("variable") == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("visitors", "has the type number"),
        ("absent", "no logic variable named"),
        ("twin", "2 logic"),
    ],
)
async def test_an_unusable_variable_is_reported(harness: Harness, name: str, words: str) -> None:
    """A wrong type, no variable, two of the name: the token is served, and the status has a remedy."""
    for _ in range(2):
        harness.simulator.add_variable("twin", "string", "")
    await harness.start(harness.document({"type": "logic_variable", "name": name}))
    trouble = sink(harness).last_error

    assert harness.token().generation == 1
    assert harness.view().health is Health.FAILING
    assert trouble is not None
    assert trouble.kind == "sink_rejected"
    assert words in trouble.message
    assert trouble.remedy
    assert sink(harness).retry_at == harness.now + MINUTE


async def test_a_missing_scope_is_reported(begin: Begin) -> None:
    """Without homey.logic the token is served, and the remedy names the scope."""
    harness = await begin(Switches(scopes=("homey.device",)))
    await harness.start(harness.document(BY_NAME))
    trouble = sink(harness).last_error

    assert harness.token().generation == 1
    assert trouble is not None
    assert "homey.logic" in trouble.remedy


async def test_a_fixed_variable_gets_the_token_without_a_restart(harness: Harness) -> None:
    """Within an hour after a person creates the variable, it has the token, without a restart."""
    await harness.start(harness.document({"type": "logic_variable", "name": "later"}))
    harness.simulator.add_variable("later", "string", "")
    await harness.wait(HOUR)

    assert harness.token().value.reveal() == harness.simulator.get_variable("later")
    assert harness.view().health is Health.OK


async def test_a_hanging_sink_delays_nothing(harness: Harness) -> None:
    """If one sink hangs, the other one has the token, requests are answered, and the token is renewed."""
    documents, (stuck, brisk) = fake_sinks(harness, "stuck", "brisk")
    stuck.free.clear()
    await harness.begin(harness.document(*documents))
    await harness.until(lambda: brisk.taken == [1] and stuck.begun)
    view = await harness.supervisor.token_for("home", MINUTE, MINUTE)
    assert view.token is not None

    harness.skip(12 * HOUR)
    await harness.supervisor.on_heartbeat()
    await harness.until(lambda: brisk.taken == [1, 2])

    assert harness.token().generation == 2
    assert len(stuck.begun) == 1

    stuck.free.set()
    await harness.quiet()

    assert stuck.taken == [1, 2]


async def test_a_homey_that_hangs_at_its_variables_delays_nothing(harness: Harness) -> None:
    """If the PUT hangs, the token is served and renewed."""
    documents, (brisk,) = fake_sinks(harness, "brisk")
    harness.simulator.add_fault(step="variable", kind="hang")
    await harness.begin(harness.document(BY_NAME, *documents))
    await harness.until(lambda: brisk.taken == [1])
    harness.skip(12 * HOUR)
    await harness.supervisor.on_heartbeat()
    await harness.until(lambda: brisk.taken == [1, 2])

    assert harness.token().generation == 2
    assert sink(harness).generation is None


async def test_a_delivery_has_a_deadline(harness: Harness) -> None:
    """A sink without a deadline is cancelled, reported, and retried."""
    harness.deadline_s = 0.05
    documents, (stuck,) = fake_sinks(harness, "stuck")
    stuck.free.clear()
    await harness.start(harness.document(*documents))
    trouble = sink(harness).last_error
    assert trouble is not None
    assert trouble.kind == "transient"

    stuck.free.set()
    await harness.wait(MINUTE)

    assert stuck.taken == [1]
    assert sink(harness).last_error is None


async def test_a_failing_sink_is_tried_again(harness: Harness) -> None:
    """After a full disk the waits are those of retry, and the count is reported."""
    documents, (fake,) = fake_sinks(harness, "fake")
    fake.failures = [SinkFailed("the disk is full") for _ in range(3)]
    await harness.start(harness.document(*documents))
    await harness.wait(timedelta(seconds=2))
    trouble = sink(harness).last_error
    assert trouble is not None
    assert trouble.count == 2

    await harness.wait(MINUTE)

    assert fake.taken == [1]
    assert harness.sign_ins() == 1


async def test_a_failing_sink_gets_the_latest_token(harness: Harness) -> None:
    """If the token is renewed while the sink fails, it gets the new one at once, and never the old one."""
    documents, (fake,) = fake_sinks(harness, "fake")
    fake.failures = [SinkRejected("no", remedy="Mend it.") for _ in range(16)]
    await harness.start(harness.document(*documents))
    await harness.wait(11 * HOUR)
    assert {1} == {delivery.token.generation for delivery in fake.begun}

    fake.failures.clear()
    fake.begun.clear()
    await harness.supervisor.refresh("home", MINUTE)
    await harness.quiet()

    assert fake.taken == [2]
    assert [2] == [delivery.token.generation for delivery in fake.begun]


async def test_a_sink_never_gets_an_older_token_again(harness: Harness) -> None:
    """If a slow write of an old token ends after the renewal, the new one is written after it."""
    documents, (slow,) = fake_sinks(harness, "slow")
    slow.free.clear()
    await harness.begin(harness.document(*documents))
    await harness.until(lambda: slow.begun)
    harness.skip(HOUR)
    await harness.supervisor.refresh("home", MINUTE)
    slow.free.set()
    await harness.quiet()

    assert slow.taken == [1, 2]
    assert sink(harness).generation == 2

    await harness.restart(harness.document(*documents))

    assert slow.taken == [1, 2]


async def test_a_401_at_a_sink_leads_to_a_verification(harness: Harness) -> None:
    """If a sink is the first to notice the end of the session, a new token follows soon."""
    document = harness.document(BY_NAME)
    harness.simulator.add_fault(step="variable", kind="revoke", times=1)
    await harness.start(document)
    assert harness.view().token is None

    await harness.wait(MINUTE)

    assert harness.steps().count("session") == 1 + 3 + 1
    assert harness.token().generation == 2
    assert harness.token().value.reveal() == harness.simulator.get_variable("accesstoken")


async def test_a_401_only_at_a_sink_does_not_end_the_token(harness: Harness) -> None:
    """If only a sink rejects the token, the token stays, and the delivery is repeated."""
    documents, (fake,) = fake_sinks(harness, "fake")
    fake.failures = [BearerRejected("401", status=401) for _ in range(100)]
    await harness.start(harness.document(*documents))
    await harness.wait(6 * HOUR)

    assert harness.token().generation == 1
    assert harness.sign_ins() == 1
    assert len(fake.begun) <= 15


async def test_a_late_401_for_an_older_token_has_no_effect(harness: Harness) -> None:
    """A late 401 after the renewal concerns the old token: the new one is not affected."""
    documents, (slow,) = fake_sinks(harness, "slow")
    slow.free.clear()
    slow.failures = [BearerRejected("401", status=401)]
    await harness.begin(harness.document(*documents))
    await harness.until(lambda: slow.begun)
    harness.skip(HOUR)
    await harness.supervisor.refresh("home", MINUTE)
    harness.steps()
    slow.free.set()
    await harness.quiet()

    assert slow.taken == [2]
    assert harness.steps() == []


async def test_sinks_are_not_written_again_after_a_restart(harness: Harness) -> None:
    """A restart with the same token writes no sink; two sinks are written in parallel."""
    documents, fakes = fake_sinks(harness, "one", "two")
    fakes[0].free.clear()
    begun = asyncio.create_task(harness.start(harness.document(*documents)))
    await harness.until(lambda: fakes[1].taken and fakes[0].begun)
    fakes[0].free.set()
    await begun
    await harness.restart(harness.document(*documents))

    assert [[1], [1]] == [fake.taken for fake in fakes]
    assert {"writes": "1"} == harness.keepers["home"].state.sink("one").memory
