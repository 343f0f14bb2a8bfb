"""The main job: a new token, again and again."""

from datetime import timedelta

import pytest

from homey_tokend.core.status import Health
from homey_tokend.simulator import Switches
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, Household

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


async def test_the_first_token_is_had_by_the_whole_flow(household: Household) -> None:
    """From nothing, every step of the sign-in runs once, in order, and the Homey accepts the token."""
    await household.start()

    assert ALL_STEPS == household.simulator.steps()
    assert household.simulator.accepts(household.token().value.reveal())
    assert household.token().generation == 1
    assert household.view().verified_at is not None
    assert household.view().health is Health.OK


async def test_a_token_is_renewed_at_half_its_life(household: Household) -> None:
    """With refresh.at 0.5 and no jitter a token of 24 h is replaced after 12 h, not before."""
    await household.start()
    await household.wait(timedelta(hours=11, minutes=59))
    assert household.token().generation == 1

    await household.wait(2 * MINUTE)

    assert household.token().generation == 2
    assert household.sign_ins() == 2


async def test_the_whole_flow_is_walked_at_each_renewal(household: Household) -> None:
    """Nothing of the last sign-in is used for the next token: user token and grant are used up."""
    await household.start()
    household.steps()
    await household.wait(2 * MINUTE)
    await household.supervisor.refresh("home", MINUTE)
    assert ALL_STEPS == household.steps()

    await household.wait(13 * HOUR)

    assert ALL_STEPS == household.steps()


@pytest.mark.parametrize(("draw", "minutes"), [(0.0, 720), (0.5, 684), (0.99, 649)])
async def test_the_moment_is_drawn_once_a_token(
    household: Household, draw: float, minutes: int
) -> None:
    """Jitter of 0.05 moves the renewal of a day's token by up to 72 minutes to the front."""
    household.clock.draws = [draw]
    await household.start(household.document(jitter=0.05))
    renew_at = household.view().renew_at

    assert renew_at is not None
    assert minutes == round((renew_at - household.token().issued_at) / MINUTE)

    await household.restart(household.document(jitter=0.05))

    assert renew_at == household.view().renew_at


async def test_a_life_that_is_not_told_is_assumed(begin: Begin) -> None:
    """If the Homey does not report expiresAt, refresh.lifetime counts from the login at the Homey."""
    household = await begin(Switches(expires_at=False))
    await household.start(household.document(lifetime="6h"))
    token = household.token()

    assert not token.expiry_reported
    assert 6 * HOUR == token.life


async def test_tokens_are_kept_for_days(household: Household) -> None:
    """Over four days there is a valid token at every hour, with two sign-ins a day."""
    await household.start()
    held = []
    for _ in range(4 * 24):
        await household.wait(HOUR)
        held.append(household.simulator.accepts(household.token().value.reveal()))

    assert all(held)
    assert 1 + 8 == household.sign_ins()
    assert 9 == household.token().generation == household.view().refreshes


async def test_lives_of_every_length_are_kept(begin: Begin) -> None:
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
    household = await begin(homeys=2)
    await household.start()
    first, second = household.simulator.cloudids
    tokens = household.token("home"), household.token("home1")

    assert household.simulator.accepts(tokens[0].value.reveal(), first)
    assert household.simulator.accepts(tokens[1].value.reveal(), second)
    assert not household.simulator.accepts(tokens[0].value.reveal(), second)
