"""A caller of the API proxy reports a 401: the token is verified, and replaced if it is invalid."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.core.status import View
from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.support.clock import settle

WAIT = timedelta(seconds=30)


async def token_rejected(harness: Harness, generation: int = 1) -> View:
    """Report it, and let the time pass that a verification and a sign-in take."""
    told = asyncio.create_task(harness.supervisor.token_rejected("home", generation, WAIT))
    await settle()
    for _ in range(5):
        await harness.wait(timedelta(seconds=2))
        if told.done():
            break
    return await told


@pytest.fixture
async def started(harness: Harness) -> Harness:
    """A Homey whose token is a minute old and never verified automatically."""
    await harness.start()
    await harness.wait(MINUTE)
    harness.steps()
    return harness


async def test_a_dead_token_is_replaced(started: Harness) -> None:
    """The session was ended: one verification, one sign-in, and a newer token."""
    started.simulator.revoke_sessions()
    view = await token_rejected(started)

    assert view.token is not None
    assert 2 == view.token.generation
    assert "login" in started.steps()
    assert started.simulator.accepts(view.token.value.reveal())


async def test_a_good_token_stays(started: Harness) -> None:
    """A 401 for another reason costs one request and no password."""
    view = await token_rejected(started)

    assert view.token is not None
    assert (1, ["session"]) == (view.token.generation, started.steps())


async def test_a_proof_is_believed_for_a_while(started: Harness) -> None:
    """A caller that gets 401 in a loop does not cause a verification each time; later one again."""
    for _ in range(5):
        await token_rejected(started)
    soon = started.steps()
    await started.wait(MINUTE)
    await token_rejected(started)

    assert (["session"], ["session"]) == (soon, started.steps())


async def test_a_proof_is_not_believed_for_longer_by_a_clock_set_back(started: Harness) -> None:
    """The half minute is measured with the clock that is never set."""
    await token_rejected(started)
    started.clock.set_wall(-10 * HOUR)
    await started.heartbeat()
    started.simulator.revoke_sessions()
    await started.wait(MINUTE)
    view = await token_rejected(started)

    assert view.token is not None
    assert view.token.generation == 2


async def test_many_at_once(started: Harness) -> None:
    """Any number of callers share one verification and one sign-in."""
    started.simulator.revoke_sessions()
    views = await asyncio.gather(*(token_rejected(started) for _ in range(5)))

    assert [2] * 5 == [view.token.generation for view in views if view.token]
    assert 1 == started.steps().count("login")


async def test_an_old_token(started: Harness) -> None:
    """A caller with a token that was replaced meanwhile gets the newer one, without a verification."""
    started.simulator.revoke_sessions()
    await token_rejected(started)
    started.steps()
    view = await token_rejected(started, generation=1)

    assert view.token is not None
    assert (2, []) == (view.token.generation, started.steps())


async def test_a_homey_that_does_not_answer(started: Harness) -> None:
    """A verification without a response says nothing about the token: it stays, and nobody waits."""
    started.simulator.add_fault(step="session", kind="status", status=503)
    view = await token_rejected(started)

    assert view.token is not None
    assert 1 == view.token.generation
    assert "login" not in started.steps()

    started.simulator.clear_faults()
    await token_rejected(started)

    assert ["session"] == started.steps()
