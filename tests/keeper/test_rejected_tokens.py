"""A caller of the API proxy reports a 401: the token is verified, and replaced if it is invalid."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.core.status import View
from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.support.clock import settle

WAIT = timedelta(seconds=30)


async def token_rejected(harness: Harness, generation: int = 1) -> View:
    """Report a rejected token, and let the time for a verification and a sign-in pass."""
    call = asyncio.create_task(harness.supervisor.token_rejected("home", generation, WAIT))
    await settle()
    for _ in range(5):
        await harness.wait(timedelta(seconds=2))
        if call.done():
            break
    return await call


@pytest.fixture
async def started(harness: Harness) -> Harness:
    """A Homey whose token is a minute old and never verified automatically."""
    await harness.start()
    await harness.wait(MINUTE)
    harness.steps()
    return harness


async def test_an_invalid_token_is_replaced(started: Harness) -> None:
    """After the end of the session: one verification, one sign-in, and a newer token."""
    started.simulator.revoke_sessions()
    view = await token_rejected(started)

    assert view.token is not None
    assert 2 == view.token.generation
    assert "login" in started.steps()
    assert started.simulator.accepts(view.token.value.reveal())


async def test_a_valid_token_stays(started: Harness) -> None:
    """A 401 for another reason costs one request and no password."""
    view = await token_rejected(started)

    assert view.token is not None
    assert (1, ["session"]) == (view.token.generation, started.steps())


async def test_a_verification_counts_for_a_while(started: Harness) -> None:
    """A caller that gets 401 in a loop does not cause a verification each time; later one again."""
    for _ in range(5):
        await token_rejected(started)
    soon = started.steps()
    await started.wait(MINUTE)
    await token_rejected(started)

    assert (["session"], ["session"]) == (soon, started.steps())


async def test_a_clock_set_back_does_not_prolong_a_verification(started: Harness) -> None:
    """The half minute is measured with a clock that nobody sets."""
    await token_rejected(started)
    started.clock.set_wall(-10 * HOUR)
    await started.heartbeat()
    started.simulator.revoke_sessions()
    await started.wait(MINUTE)
    view = await token_rejected(started)

    assert view.token is not None
    assert view.token.generation == 2


async def test_concurrent_callers_share_one_verification(started: Harness) -> None:
    """Any number of callers share one verification and one sign-in."""
    started.simulator.revoke_sessions()
    views = await asyncio.gather(*(token_rejected(started) for _ in range(5)))

    assert [2] * 5 == [view.token.generation for view in views if view.token]
    assert 1 == started.steps().count("login")


async def test_a_caller_with_an_old_token_gets_the_newer_one(started: Harness) -> None:
    """A caller with a token that was replaced meanwhile gets the newer one, without a verification."""
    started.simulator.revoke_sessions()
    await token_rejected(started)
    started.steps()
    view = await token_rejected(started, generation=1)

    assert view.token is not None
    assert (2, []) == (view.token.generation, started.steps())


async def test_a_verification_without_a_response_keeps_the_token(started: Harness) -> None:
    """The token stays, and nobody waits."""
    started.simulator.add_fault(step="session", kind="status", status=503)
    view = await token_rejected(started)

    assert view.token is not None
    assert 1 == view.token.generation
    assert "login" not in started.steps()

    started.simulator.clear_faults()
    await token_rejected(started)

    assert ["session"] == started.steps()
