"""The main job: a fresh token, again and again."""

from datetime import timedelta

from tests.keeping.conftest import Household

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
    """From nothing, every step of the flow runs once, in order, and the Homey takes the token."""
    await household.start()

    assert household.simulator.steps() == ALL_STEPS
    assert household.simulator.accepts(household.token().value.reveal())
    assert household.token().generation == 1
    assert household.view().proved_at is not None


async def test_a_token_is_renewed_at_half_its_life(household: Household) -> None:
    """With refresh.at 0.5 and no jitter a token of 24 h is replaced after 12 h, not before."""
    await household.start()
    await household.wait(timedelta(hours=11, minutes=59))
    assert household.token().generation == 1

    await household.wait(timedelta(minutes=2))

    assert household.token().generation == 2
    assert household.sign_ins() == 2


async def test_the_old_token_is_served_while_the_cloud_is_down(household: Household) -> None:
    """A failed refresh is no outage: the old token stays until a new one is had."""
    await household.start()
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.wait(timedelta(hours=20))

    view = household.view()
    assert view.token is not None
    assert view.token.generation == 1
    assert view.trouble is not None
    assert view.trouble.step == "login"
    assert view.dies_at == view.token.expires_at

    household.simulator.clear_faults()
    await household.wait(timedelta(minutes=6))

    assert household.token().generation == 2
    assert household.view().trouble is None
