"""Those who ask for a token with enough life, and those who ask for a new one."""

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


async def test_what_is_held_and_has_enough_life_is_served_at_once(harness: Harness) -> None:
    """Nothing is asked of anybody where the held token is good enough."""
    await harness.start()
    harness.steps()
    await harness.wait(HOUR)
    view = await harness.supervisor.token_for("home", 10 * MINUTE, SOON)

    assert harness.token() == view.token
    assert harness.steps() == []


async def test_fifty_askers_share_one_refresh(harness: Harness) -> None:
    """Fifty ask at once for more life than is left: one sign-in, and all have the new token."""
    await harness.start()
    await harness.wait(HOUR)
    harness.steps()
    views = await asyncio.gather(
        *(harness.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, SOON) for _ in range(50))
    )

    assert [2] * 50 == [view.token.generation for view in views if view.token]
    assert harness.sign_ins() == 1


async def test_askers_join_the_refresh_that_is_under_way(harness: Harness) -> None:
    """Who comes while a refresh runs waits for that one, a person too."""
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
    """A disk that takes its time with the first token."""

    def __init__(self) -> None:
        super().__init__()
        self.busy, self.free = asyncio.Event(), asyncio.Event()

    async def save(self, blob: bytes) -> None:
        if b'"generation": 1' in blob:
            self.busy.set()
            await self.free.wait()
        await super().save(blob)


async def test_who_asks_while_a_token_is_written_down_gets_it(harness: Harness) -> None:
    """It is not published yet; a script and a person wait for it, and no other is fetched."""
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


async def test_more_than_a_life_starts_nothing(harness: Harness) -> None:
    """A min_ttl that no token can have is answered with what is held."""
    await harness.start()
    await harness.wait(HOUR)
    harness.steps()
    view = await harness.supervisor.token_for("home", DAY + MINUTE, SOON)

    assert harness.token() == view.token
    assert harness.steps() == []


async def test_a_young_token_is_not_replaced(harness: Harness) -> None:
    """Less than a minute old: nobody gets a newer one, whatever they ask for."""
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


async def test_without_a_wait_the_held_token_is_served_and_a_refresh_begun(
    harness: Harness,
) -> None:
    """wait=0: the old token now, the new one for whoever comes next."""
    await harness.start()
    await harness.wait(HOUR)
    view = await harness.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, NOW)
    assert view.token is not None
    assert view.token.generation == 1

    await harness.quiet()

    assert harness.token().generation == 2


async def test_a_hopeless_wait_ends_early(harness: Harness) -> None:
    """The next try is beyond the wait: the answer comes at once, with the reason."""
    harness.set_password("not the password")
    await harness.start()
    async with asyncio.timeout(40):
        view = await harness.supervisor.token_for("home", MINUTE, timedelta(seconds=300))

    assert view.token is None
    assert view.last_error is not None
    assert harness.sign_ins() == 1


async def test_an_outage_serves_what_is_held(harness: Harness) -> None:
    """Three hours of life are asked for, two are left, no cloud: the old token, at once."""
    await harness.start(harness.document(retry={"first": "1h", "max": "1h"}))
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.wait(22 * HOUR)
    async with asyncio.timeout(40):
        view = await harness.supervisor.token_for("home", 3 * HOUR, timedelta(seconds=10))

    assert view.token is not None
    assert view.token.generation == 1
    assert view.token.left(harness.now) == 2 * HOUR


async def test_asking_does_not_pass_the_spacing(harness: Harness) -> None:
    """Many askers during an outage cause no more attempts than there would be without."""
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    harness.steps()
    await asyncio.gather(
        *(harness.supervisor.token_for("home", MINUTE, timedelta(seconds=9)) for _ in range(20))
    )

    assert harness.steps() == []


async def test_a_cancelled_asker_disturbs_nobody(harness: Harness) -> None:
    """Who hangs up while waiting stops neither the refresh nor another asker."""
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
    """Refresh now: a newer token, though the old one is good for long."""
    await harness.start()
    await harness.wait(HOUR)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert answer.too_soon is None
    assert answer.view.token == harness.token()
    assert harness.token().generation == 2


async def test_a_person_asks_too_soon(harness: Harness) -> None:
    """Not within a minute of the last one: told when."""
    await harness.start()
    await harness.wait(timedelta(seconds=20))
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer == RefreshResult(
        harness.view(), done=False, too_soon=harness.token().issued_at + MINUTE
    )
    assert harness.sign_ins() == 1


async def test_a_person_passes_the_spacing_of_an_outage(harness: Harness) -> None:
    """The cloud is back, the next try is in ten minutes: a person need not wait for it."""
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.until_renewal()
    harness.simulator.clear_faults()
    await harness.wait(2 * MINUTE)
    assert harness.token().generation == 1

    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert harness.last_error() == ""


async def test_a_persons_refresh_that_fails_says_so(harness: Harness) -> None:
    """Neither done nor too soon: the view tells the trouble, and the old token is there."""
    await harness.start(harness.document(retry={"first": "20m", "max": "20m"}))
    await harness.wait(HOUR)
    harness.simulator.add_fault(step="login", kind="status", status=503)
    answer = await harness.supervisor.refresh("home", SOON)

    assert not answer.done
    assert answer.too_soon is None
    assert answer.view.last_error is not None
    assert answer.view.token is not None


async def test_a_rejected_account_takes_two_forced_tries_a_day(harness: Harness) -> None:
    """A person may try twice within a day; the third is too soon, over a restart too."""
    harness.set_password("not the password")
    await harness.start()
    answers = []
    for _ in range(3):
        await harness.wait(2 * MINUTE)
        answers.append(await harness.supervisor.refresh("home", SOON))

    assert [True, True, False] == [answer.too_soon is None for answer in answers]
    assert harness.sign_ins() == 3
    assert answers[2].too_soon is not None
    assert answers[2].too_soon == harness.now - 4 * MINUTE + DAY

    await harness.restart()
    await harness.wait(2 * MINUTE)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.too_soon is not None
    assert harness.sign_ins() == 3


@pytest.mark.parametrize("busy", [False, True])
async def test_who_ask_together_use_up_one_forced_try(harness: Harness, busy: bool) -> None:
    """Two press at once, a third a moment later, while the keeper may wait for the disk."""
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


async def test_a_forced_try_with_the_account_mended_ends_the_refusal(harness: Harness) -> None:
    """The person mends the account at Athom and asks: the token comes, the refusal is gone."""
    harness.simulator.change_password("meanwhile another")
    harness.set_password("S&cret+pass word=100%")
    await harness.start()
    harness.simulator.change_password("S&cret+pass word=100%")
    await harness.wait(2 * MINUTE)
    answer = await harness.supervisor.refresh("home", SOON)

    assert answer.done
    assert harness.view().sign_in_blocked_until is None


async def test_two_homeys_share_the_forced_tries(begin: Begin) -> None:
    """Two a day belong to the account: one for each Homey, then none for either."""
    harness = await begin(homeys=2)
    harness.set_password("not the password")
    await harness.start()
    await harness.wait(2 * MINUTE)
    answers = [await harness.supervisor.refresh(name, SOON) for name in ("home", "home1", "home")]

    assert [answer.too_soon is None for answer in answers] == [True, True, False]
    assert harness.sign_ins() == 3


async def test_a_refresh_without_a_wait_is_begun(harness: Harness) -> None:
    """wait=0 answers at once, and the refresh runs."""
    await harness.start()
    await harness.wait(HOUR)
    answer = await harness.supervisor.refresh("home", NOW)
    assert not answer.done

    await harness.quiet()

    assert harness.token().generation == 2


async def test_unknown_homeys_are_unknown(harness: Harness) -> None:
    """The doors ask by name; another name is a KeyError, for them to translate."""
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
