"""A disk that records no sign-in: a restart is no way around the budget, and everybody is told."""

from datetime import timedelta

import pytest

from homey_tokend.core.status import Health
from tests.keeper.harness import HOUR, MINUTE, Harness
from tests.support.store import FakeStore

BUSY = "cannot write the state /data/state.json: Device or resource busy"


@pytest.fixture
def store(harness: Harness) -> FakeStore:
    """The disk of the harness, which takes nothing."""
    harness.store = store = FakeStore()
    store.full = BUSY
    return store


async def test_starts_send_no_password(harness: Harness, store: FakeStore) -> None:
    """Six starts with a wrong password send none; one is sent once it can be recorded."""
    harness.set_password("wrong")
    for _ in range(6):
        await harness.start()
        await harness.wait(5 * MINUTE)
        await harness.stop()
    assert harness.sign_ins() == 0

    await harness.start()
    store.full = ""
    await harness.wait(MINUTE)
    assert harness.sign_ins() == 1
    assert harness.last_error() == "account_rejected login"


async def test_it_is_shown_why(harness: Harness, store: FakeStore) -> None:
    """Status and problems have the reason; the first token follows when the disk works."""
    await harness.start()
    error = harness.view().last_error
    assert harness.view().health is Health.DOWN
    assert error is not None
    assert error.kind == "state_unusable"
    assert error.message.startswith(f"{BUSY}; until sign-ins can be recorded there, at most one")

    store.full = ""
    await harness.wait(MINUTE)
    assert harness.token().generation == 1
    assert harness.view().health is Health.OK


async def test_one_password_an_hour_is_better_than_none(harness: Harness, store: FakeStore) -> None:
    """The first an hour after the start, the next an hour after that; a token from the first."""
    harness.simulator.add_fault(step="login", kind="status", status=429)
    await harness.start()
    await harness.wait(HOUR - MINUTE)
    assert harness.sign_ins() == 0
    await harness.wait(2 * MINUTE)
    assert harness.sign_ins() == 1
    await harness.wait(HOUR - 3 * MINUTE)
    assert harness.sign_ins() == 1

    harness.simulator.clear_faults()
    await harness.wait(10 * MINUTE)
    assert harness.sign_ins() == 2
    assert harness.token().generation == 1
    assert harness.view().health is Health.FAILING
    assert store.blob is None


@pytest.mark.parametrize("minutes", [20, 59, 61, 90])
async def test_restarts_stay_within_the_budget(
    harness: Harness, store: FakeStore, minutes: int
) -> None:
    """Never more than twelve passwords in half a day, whatever the rhythm."""
    harness.simulator.add_fault(step="authorise", kind="status", status=503)
    began = harness.now
    while harness.now - began < 12 * HOUR:
        await harness.start()
        await harness.wait(timedelta(minutes=minutes))
        await harness.stop()

    assert harness.sign_ins() <= 12
    assert store.blob is None


async def test_a_held_token_is_served_and_its_disk_reported(
    harness: Harness, store: FakeStore
) -> None:
    """Health and error change at the first heartbeat after a start, and when the disk works."""
    store.full = ""
    await harness.start()
    store.full = BUSY
    await harness.restart()
    await harness.heartbeat()
    view = harness.view()
    store.full = ""
    await harness.heartbeat()

    assert view.token is not None
    assert view.health is Health.FAILING
    assert view.last_error is not None
    assert view.last_error.message == BUSY
    assert view.outage_at is None
    assert harness.view().health is Health.OK
    assert harness.view().last_error is None


async def test_a_reserve_records_sign_ins(harness: Harness, store: FakeStore) -> None:
    """Sign-ins are counted on a full disk, and so nothing waits, and restarts wait for rejections."""
    store.has_reserve = True
    harness.set_password("wrong")
    for _ in range(6):
        await harness.start()
        await harness.wait(2 * MINUTE)
        await harness.stop()
    assert harness.sign_ins() == 1

    harness.set_password(harness.simulator.description()["password"])
    await harness.start()
    assert harness.token().generation == 1
    assert harness.view().health is Health.FAILING


async def test_a_renewal_does_not_wait_for_the_disk(harness: Harness, store: FakeStore) -> None:
    """The last password is half a day old."""
    store.full = ""
    await harness.start()
    store.full = BUSY
    await harness.until_renewal()

    assert harness.token().generation == 2
