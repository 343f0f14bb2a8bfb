"""Renewing the token."""

from datetime import timedelta

import pytest

from homey_tokend.core.status import Health
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness

ALL_STEPS = [
    "login",
    "authorise",
    "authorise",  # the redirect within the host (docs/wire.md A2)
    "consent",
    "token",
    "user",
    "delegation",
    "homey_login",
    "session",
]


async def test_the_first_token_needs_the_whole_sign_in(harness: Harness) -> None:
    """Each step of the sign-in runs once, in order, and the Homey accepts the token."""
    await harness.start()

    assert ALL_STEPS == harness.simulator.steps()
    assert harness.simulator.accepts(harness.token().value.reveal())
    assert harness.token().generation == 1
    assert harness.view().verified_at is not None
    assert harness.view().health is Health.OK


async def test_a_token_is_renewed_after_half_its_lifetime(harness: Harness) -> None:
    """With refresh.at 0.5 and no jitter a token of 24 h is replaced after 12 h, not before."""
    await harness.start()
    await harness.wait(timedelta(hours=11, minutes=59))
    assert harness.token().generation == 1

    await harness.wait(2 * MINUTE)

    assert harness.token().generation == 2
    assert harness.sign_ins() == 2


async def test_each_renewal_repeats_the_whole_sign_in(harness: Harness) -> None:
    """User token and grant of one sign-in are not used for the next token."""
    await harness.start()
    harness.steps()
    await harness.wait(2 * MINUTE)
    await harness.supervisor.refresh("home", MINUTE)
    assert ALL_STEPS == harness.steps()

    await harness.wait(13 * HOUR)

    assert ALL_STEPS == harness.steps()


@pytest.mark.parametrize(("draw", "minutes"), [(0.0, 720), (0.5, 684), (0.99, 649)])
async def test_the_time_of_renewal_is_random_for_each_token(
    harness: Harness, draw: float, minutes: int
) -> None:
    """Jitter of 0.05 makes the renewal of a day's token up to 72 minutes earlier."""
    harness.clock.draws = [draw]
    await harness.start(harness.document(jitter=0.05))
    renew_at = harness.view().renew_at

    assert renew_at is not None
    assert minutes == round((renew_at - harness.token().issued_at) / MINUTE)

    await harness.restart(harness.document(jitter=0.05))

    assert renew_at == harness.view().renew_at


async def test_a_lifetime_that_is_not_reported_is_assumed(begin: Begin) -> None:
    """If the Homey does not report expiresAt, refresh.lifetime counts from the login at the Homey."""
    harness = await begin(Switches(expires_at=False))
    await harness.start(harness.document(lifetime="6h"))
    token = harness.token()

    assert not token.expiry_reported
    assert 6 * HOUR == token.life


async def test_there_is_a_valid_token_for_days(harness: Harness) -> None:
    """Over four days there is a valid token at every hour, with two sign-ins a day."""
    await harness.start()
    held = []
    for _ in range(4 * 24):
        await harness.wait(HOUR)
        held.append(harness.simulator.accepts(harness.token().value.reveal()))

    assert all(held)
    assert 1 + 8 == harness.sign_ins()
    assert 9 == harness.token().generation == harness.view().refreshes


async def test_tokens_of_any_lifetime_are_renewed_in_time(begin: Begin) -> None:
    """A token of twenty seconds is renewed within them, one of ninety days after forty-five."""
    short = await begin(session_lifetime=20)
    await short.start()
    await short.wait(timedelta(seconds=35))
    assert 4 == short.token().generation
    await short.stop()

    long = await begin(session_lifetime=90 * 86400)
    long.state = short.folder / "another.json"
    await long.start()
    await long.wait(44 * DAY)
    assert 1 == long.token().generation
    await long.wait(2 * DAY)

    assert 2 == long.token().generation


async def test_two_homeys_of_one_account_have_tokens_of_their_own(begin: Begin) -> None:
    """Each Homey has its own sign-in, and accepts only its own token."""
    harness = await begin(homeys=2)
    await harness.start()
    first, second = harness.simulator.cloudids
    tokens = harness.token("home"), harness.token("home1")

    assert harness.simulator.accepts(tokens[0].value.reveal(), first)
    assert harness.simulator.accepts(tokens[1].value.reveal(), second)
    assert not harness.simulator.accepts(tokens[0].value.reveal(), second)
