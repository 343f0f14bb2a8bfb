"""Requests for a token with enough time left, and for a new one."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.core.status import RefreshResult, View
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, HOUR, MINUTE, Harness
from tests.support.clock import settle
from tests.support.store import FakeStore

SOON = timedelta(seconds=5)
NOW = timedelta(0)


async def test_a_token_with_enough_time_left_is_served_at_once(harness: Harness) -> None:
    """No request is sent if the current token suffices."""
    await harness.start()
    harness.steps()
    await harness.wait(HOUR)
    view = await harness.supervisor.token_for("home", 10 * MINUTE, SOON)

    assert harness.token() == view.token
    assert harness.steps() == []


async def test_fifty_callers_share_one_refresh(harness: Harness) -> None:
    """Fifty callers request more time than is left: one sign-in, and all get the new token."""
    await harness.start()
    await harness.wait(HOUR)
    harness.steps()
    views = await asyncio.gather(
        *(harness.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, SOON) for _ in range(50))
    )

    assert [2] * 50 == [view.token.generation for view in views if view.token]
    assert harness.sign_ins() == 1


async def test_callers_join_a_running_refresh(harness: Harness) -> None:
    """Callers during a refresh wait for it, including a person."""
    harness.simulator.add_fault(step="homey_login", kind="delay", seconds=0.1)
    await harness.begin()
    await harness.until(lambda: harness.view().refreshing)
    view, answer = await asyncio.gather(
        harness.supervisor.token_for("home", MINUTE, SOON),
        harness.supervisor.refresh("home", SOON),
    )

    assert harness.sign_ins() == 1
    assert view.token is not None
    assert answer.done


class Slow(FakeStore):
    """A disk that is slow with the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.busy, self.free = asyncio.Event(), asyncio.Event()

    async def save(self, blob: bytes) -> None:
        if b'"generation": 1' in blob:
            self.busy.set()
            await self.free.wait()
        await super().save(blob)


async def test_a_caller_during_the_write_of_a_token_gets_it(harness: Harness) -> None:
    """It is not published yet: a script and a person wait for it, and cause no other refresh."""
    harness.store = store = Slow()
    await harness.begin()
    await asyncio.wait_for(store.busy.wait(), 40)
    script = asyncio.create_task(harness.supervisor.token_for("home", NOW, MINUTE))
    person = asyncio.create_task(harness.supervisor.refresh("home", MINUTE))
    await settle()
    store.free.set()
    view, refreshed = await script, await person
    await harness.quiet()

    assert harness.sign_ins() == 1
    assert view.token == harness.token()
    assert refreshed.done


async def test_a_min_ttl_beyond_a_lifetime_starts_nothing(harness: Harness) -> None:
    """A min_ttl that no token can have returns the current token."""
    await harness.start()
    await harness.wait(HOUR)
    harness.steps()
    view = await harness.supervisor.token_for("home", DAY + MINUTE, SOON)

    assert harness.token() == view.token
    assert harness.steps() == []


async def test_a_token_that_was_just_issued_is_not_replaced(harness: Harness) -> None:
    """If it is less than a minute old, no request replaces it."""
    await harness.start()
    await harness.wait(timedelta(seconds=59))
    harness.steps()
    view = await harness.supervisor.token_for("home", DAY, SOON)
    assert view.token is not None
    assert harness.steps() == []

    await harness.wait(timedelta(seconds=2))
    view = await harness.supervisor.token_for("home", DAY - MINUTE, SOON)

    assert view.token is not None
    assert view.token.generation == 2


async def test_without_a_wait_the_current_token_is_served_and_a_refresh_started(
    harness: Harness,
) -> None:
    """With wait=0 the caller gets the old token, and the next one gets the new token."""
    await harness.start()
    await harness.wait(HOUR)
    view = await harness.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, NOW)
    assert view.token is not None
    assert view.token.generation == 1

    await harness.quiet()

    assert harness.token().generation == 2


async def test_a_wait_that_cannot_succeed_ends_early(harness: Harness) -> None:
    """If the next attempt is after the wait, the view is returned at once, with the reason."""
    harness.set_password("not the password")
    await harness.start()
    async with asyncio.timeout(40):
        view = await harness.supervisor.token_for("home", MINUTE, timedelta(seconds=300))

    assert view.token is None
    assert view.last_error is not None
    assert harness.sign_ins() == 1


async def test_the_current_token_is_served_in_an_outage(harness: Harness) -> None:
    """If three hours are requested, two are left and the cloud is down, the current token is returned at once."""
    await harness.start(harness.document(retry={"first": "1h", "max": "1h"}))
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.wait(22 * HOUR)
    async with asyncio.timeout(40):
        view = await harness.supervisor.token_for("home", 3 * HOUR, timedelta(seconds=10))

    assert view.token is not None
    assert view.token.generation == 1
    assert view.token.left(harness.now) == 2 * HOUR


async def test_requests_cause_no_extra_attempts(harness: Harness) -> None:
    """Many callers during an outage cause no more attempts than there would be without them."""
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    harness.steps()
    await asyncio.gather(
        *(harness.supervisor.token_for("home", MINUTE, timedelta(seconds=9)) for _ in range(20))
    )

    assert harness.steps() == []


async def test_a_cancelled_caller_affects_nobody_else(harness: Harness) -> None:
    """A cancelled caller stops neither the refresh nor other callers."""
    await harness.start()
    await harness.wait(HOUR)
    harness.simulator.add_fault(step="login", kind="delay", seconds=0.05)
    ask = [
        asyncio.create_task(harness.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, SOON))
        for _ in range(2)
    ]
    await harness.until(lambda: harness.view().refreshing)
    ask[0].cancel()
    view = await ask[1]

    assert view.token is not None
    assert view.token.generation == 2


# --- a person's refresh ---


async def test_a_person_gets_a_new_token(harness: Harness) -> None:
    """There is a newer token, although the old one is still valid for long."""
    await harness.start()
    await harness.wait(HOUR)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert answer.too_soon is None
    assert answer.view.token == harness.token()
    assert harness.token().generation == 2


async def test_a_refresh_that_is_too_soon_is_refused(harness: Harness) -> None:
    """Within a minute of the last one it is refused, with the time of the next possible one."""
    await harness.start()
    await harness.wait(timedelta(seconds=20))
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer == RefreshResult(
        harness.view(),
        done=False,
        too_soon=harness.token().issued_at + MINUTE,
        why="the token is only 20 s old",
    )
    assert harness.sign_ins() == 1


async def test_a_failed_attempt_is_not_repeated_at_once(harness: Harness) -> None:
    """The refusal says how long ago the last attempt was."""
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    await harness.wait(timedelta(seconds=5))
    answer = await harness.supervisor.refresh("home", SOON)

    assert (answer.done, answer.why) == (False, "the last attempt was 5 s ago")


async def test_a_person_need_not_wait_after_failures(harness: Harness) -> None:
    """The next attempt is in ten minutes, but a person need not wait for it."""
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.until_renewal()
    harness.simulator.clear_faults()
    await harness.wait(2 * MINUTE)
    assert harness.token().generation == 1

    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert harness.last_error() == ""


async def test_a_forced_refresh_that_fails_is_reported(harness: Harness) -> None:
    """It is neither done nor too soon: the view has the error and the old token."""
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    await harness.wait(HOUR)
    harness.simulator.add_fault(step="login", kind="status", status=503)
    answer = await harness.supervisor.refresh("home", SOON)

    assert not answer.done
    assert answer.too_soon is None
    assert answer.view.last_error is not None
    assert answer.view.token is not None


async def test_a_rejected_account_allows_two_forced_attempts_a_day(harness: Harness) -> None:
    """A person can force two attempts within a day; the third is too soon, even after a restart."""
    harness.set_password("not the password")
    await harness.start()
    answers = []
    for _ in range(3):
        await harness.wait(2 * MINUTE)
        answers.append(await harness.supervisor.refresh("home", SOON))

    assert [True, True, False] == [answer.too_soon is None for answer in answers]
    assert harness.sign_ins() == 3
    assert answers[2].why == "both manual tries of today are used"
    assert answers[2].too_soon is not None
    assert answers[2].too_soon == harness.now - 4 * MINUTE + DAY

    await harness.restart()
    await harness.wait(2 * MINUTE)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.too_soon is not None
    assert harness.sign_ins() == 3


@pytest.mark.parametrize("busy", [False, True])
async def test_concurrent_requests_use_up_one_forced_attempt(harness: Harness, busy: bool) -> None:
    """Two requests at once, and a third a moment later, while the keeper may wait for the disk."""
    harness.set_password("not the password")
    await harness.start()
    await harness.wait(2 * MINUTE)
    if busy:
        harness.keepers["home"].clock_changed()
    asked = [asyncio.create_task(harness.supervisor.refresh("home", SOON)) for _ in range(2)]
    await settle(1)
    asked.append(asyncio.create_task(harness.supervisor.refresh("home", SOON)))
    answers = await asyncio.gather(*asked)
    assert [answer.too_soon for answer in answers] == [None] * 3
    assert harness.sign_ins() == 2

    await harness.wait(2 * MINUTE)
    again = await harness.supervisor.refresh("home", SOON)

    assert again.too_soon is None
    assert harness.sign_ins() == 3


async def test_a_forced_attempt_with_a_fixed_account_ends_the_rejection(harness: Harness) -> None:
    """After a person fixes the account at Athom and requests a refresh, there is a token and no rejection."""
    harness.simulator.change_password("meanwhile another")
    harness.set_password("S&cret+pass word=100%")
    await harness.start()
    harness.simulator.change_password("S&cret+pass word=100%")
    await harness.wait(2 * MINUTE)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert harness.view().sign_in_blocked_until is None


async def test_two_homeys_share_the_forced_attempts(begin: Begin) -> None:
    """Two a day are for the account: after one for each Homey there are none left."""
    harness = await begin(homeys=2)
    harness.set_password("not the password")
    await harness.start()
    await harness.wait(2 * MINUTE)
    answers = [await harness.supervisor.refresh(name, SOON) for name in ("home", "home1", "home")]

    assert [answer.too_soon is None for answer in answers] == [True, True, False]
    assert harness.sign_ins() == 3


async def test_a_refresh_without_a_wait_is_started(harness: Harness) -> None:
    """wait=0 answers at once, and the refresh runs."""
    await harness.start()
    await harness.wait(HOUR)
    answer = await harness.supervisor.refresh("home", NOW)
    assert not answer.done

    await harness.quiet()

    assert harness.token().generation == 2


async def test_an_unknown_homey_is_a_keyerror(harness: Harness) -> None:
    """The server handles the KeyError."""
    await harness.start()
    unknown: list[View | RefreshResult | str] = []
    for ask in (
        harness.supervisor.token_for("elsewhere", MINUTE, NOW),
        harness.supervisor.refresh("elsewhere", NOW),
    ):
        try:
            unknown.append(await ask)
        except KeyError as error:
            unknown.append(str(error))

    assert ["'elsewhere'", "'elsewhere'"] == unknown
    assert harness.supervisor.names() == ("home",)
    assert harness.supervisor.alive()
    assert harness.supervisor.now() == harness.now
