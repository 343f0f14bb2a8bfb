"""Those who ask for a token with enough life, and those who ask for a new one."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.core.status import RefreshResult, View
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, Household
from tests.support.clock import settle
from tests.support.store import FakeStore

SOON = timedelta(seconds=5)
NOW = timedelta(0)


async def test_what_is_held_and_has_enough_life_is_served_at_once(household: Household) -> None:
    """Nothing is asked of anybody where the held token is good enough."""
    await household.start()
    household.steps()
    await household.wait(HOUR)
    view = await household.supervisor.token_for("home", 10 * MINUTE, SOON)

    assert household.token() == view.token
    assert household.steps() == []


async def test_fifty_askers_share_one_refresh(household: Household) -> None:
    """Fifty ask at once for more life than is left: one sign-in, and all have the new token."""
    await household.start()
    await household.wait(HOUR)
    household.steps()
    views = await asyncio.gather(
        *(household.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, SOON) for _ in range(50))
    )

    assert [2] * 50 == [view.token.generation for view in views if view.token]
    assert household.sign_ins() == 1


async def test_askers_join_the_refresh_that_is_under_way(household: Household) -> None:
    """Who comes while a refresh runs waits for that one, a person too."""
    household.simulator.add_fault(step="homey_login", kind="delay", seconds=0.1)
    await household.begin()
    await household.until(lambda: household.view().refreshing)
    view, answer = await asyncio.gather(
        household.supervisor.token_for("home", MINUTE, SOON),
        household.supervisor.refresh("home", SOON),
    )

    assert household.sign_ins() == 1
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


async def test_who_asks_while_a_token_is_written_down_gets_it(household: Household) -> None:
    """It is not published yet; a script and a person wait for it, and no other is fetched."""
    household.store = store = Slow()
    await household.begin()
    await asyncio.wait_for(store.busy.wait(), 40)
    script = asyncio.create_task(household.supervisor.token_for("home", NOW, MINUTE))
    person = asyncio.create_task(household.supervisor.refresh("home", MINUTE))
    await settle()
    store.free.set()
    view, refreshed = await script, await person
    await household.quiet()

    assert household.sign_ins() == 1
    assert view.token == household.token()
    assert refreshed.done


async def test_more_than_a_life_starts_nothing(household: Household) -> None:
    """A min_ttl that no token can have is answered with what is held."""
    await household.start()
    await household.wait(HOUR)
    household.steps()
    view = await household.supervisor.token_for("home", DAY + MINUTE, SOON)

    assert household.token() == view.token
    assert household.steps() == []


async def test_a_young_token_is_not_replaced(household: Household) -> None:
    """Less than a minute old: nobody gets a newer one, whatever they ask for."""
    await household.start()
    await household.wait(timedelta(seconds=59))
    household.steps()
    view = await household.supervisor.token_for("home", DAY, SOON)
    assert view.token is not None
    assert household.steps() == []

    await household.wait(timedelta(seconds=2))
    view = await household.supervisor.token_for("home", DAY - MINUTE, SOON)

    assert view.token is not None
    assert view.token.generation == 2


async def test_without_a_wait_the_held_token_is_served_and_a_refresh_begun(
    household: Household,
) -> None:
    """wait=0: the old token now, the new one for whoever comes next."""
    await household.start()
    await household.wait(HOUR)
    view = await household.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, NOW)
    assert view.token is not None
    assert view.token.generation == 1

    await household.quiet()

    assert household.token().generation == 2


async def test_a_hopeless_wait_ends_early(household: Household) -> None:
    """The next try is beyond the wait: the answer comes at once, with the reason."""
    household.set_password("not the password")
    await household.start()
    async with asyncio.timeout(40):
        view = await household.supervisor.token_for("home", MINUTE, timedelta(seconds=300))

    assert view.token is None
    assert view.trouble is not None
    assert household.sign_ins() == 1


async def test_an_outage_serves_what_is_held(household: Household) -> None:
    """Three hours of life are asked for, two are left, no cloud: the old token, at once."""
    await household.start(household.document(retry={"first": "1h", "max": "1h"}))
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.wait(22 * HOUR)
    async with asyncio.timeout(40):
        view = await household.supervisor.token_for("home", 3 * HOUR, timedelta(seconds=10))

    assert view.token is not None
    assert view.token.generation == 1
    assert view.token.left(household.now) == 2 * HOUR


async def test_asking_does_not_pass_the_spacing(household: Household) -> None:
    """Many askers during an outage cause no more attempts than there would be without."""
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.start(household.document(retry={"first": "20m", "max": "20m"}))
    household.steps()
    await asyncio.gather(
        *(household.supervisor.token_for("home", MINUTE, timedelta(seconds=9)) for _ in range(20))
    )

    assert household.steps() == []


async def test_a_cancelled_asker_disturbs_nobody(household: Household) -> None:
    """Who hangs up while waiting stops neither the refresh nor another asker."""
    await household.start()
    await household.wait(HOUR)
    household.simulator.add_fault(step="login", kind="delay", seconds=0.05)
    ask = [
        asyncio.create_task(household.supervisor.token_for("home", 23 * HOUR + 30 * MINUTE, SOON))
        for _ in range(2)
    ]
    await household.until(lambda: household.view().refreshing)
    ask[0].cancel()
    view = await ask[1]

    assert view.token is not None
    assert view.token.generation == 2


# --- a person's refresh ---


async def test_a_person_gets_a_new_token(household: Household) -> None:
    """Refresh now: a newer token, though the old one is good for long."""
    await household.start()
    await household.wait(HOUR)
    answer = await household.supervisor.refresh("home", SOON)

    assert answer.done
    assert answer.too_soon is None
    assert answer.view.token == household.token()
    assert household.token().generation == 2


async def test_a_person_asks_too_soon(household: Household) -> None:
    """Not within a minute of the last one: told when."""
    await household.start()
    await household.wait(timedelta(seconds=20))
    answer = await household.supervisor.refresh("home", SOON)

    assert answer == RefreshResult(
        household.view(), done=False, too_soon=household.token().issued_at + MINUTE
    )
    assert household.sign_ins() == 1


async def test_a_person_passes_the_spacing_of_an_outage(household: Household) -> None:
    """The cloud is back, the next try is in ten minutes: a person need not wait for it."""
    await household.start(household.document(retry={"first": "20m", "max": "20m"}))
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.until_renewal()
    household.simulator.clear_faults()
    await household.wait(2 * MINUTE)
    assert household.token().generation == 1

    answer = await household.supervisor.refresh("home", SOON)

    assert answer.done
    assert household.trouble() == ""


async def test_a_persons_refresh_that_fails_says_so(household: Household) -> None:
    """Neither done nor too soon: the view tells the trouble, and the old token is there."""
    await household.start(household.document(retry={"first": "20m", "max": "20m"}))
    await household.wait(HOUR)
    household.simulator.add_fault(step="login", kind="status", status=503)
    answer = await household.supervisor.refresh("home", SOON)

    assert not answer.done
    assert answer.too_soon is None
    assert answer.view.trouble is not None
    assert answer.view.token is not None


async def test_a_rejected_account_takes_two_forced_tries_a_day(household: Household) -> None:
    """A person may try twice within a day; the third is too soon, over a restart too."""
    household.set_password("not the password")
    await household.start()
    answers = []
    for _ in range(3):
        await household.wait(2 * MINUTE)
        answers.append(await household.supervisor.refresh("home", SOON))

    assert [True, True, False] == [answer.too_soon is None for answer in answers]
    assert household.sign_ins() == 3
    assert answers[2].too_soon is not None
    assert answers[2].too_soon == household.now - 4 * MINUTE + DAY

    await household.restart()
    await household.wait(2 * MINUTE)
    answer = await household.supervisor.refresh("home", SOON)

    assert answer.too_soon is not None
    assert household.sign_ins() == 3


@pytest.mark.parametrize("busy", [False, True])
async def test_who_ask_together_use_up_one_forced_try(household: Household, busy: bool) -> None:
    """Two press at once, a third a moment later, while the keeper may wait for the disk."""
    household.set_password("not the password")
    await household.start()
    await household.wait(2 * MINUTE)
    if busy:
        household.keepers["home"].clock_changed()
    asked = [asyncio.create_task(household.supervisor.refresh("home", SOON)) for _ in range(2)]
    await settle(1)
    asked.append(asyncio.create_task(household.supervisor.refresh("home", SOON)))
    answers = await asyncio.gather(*asked)
    assert [answer.too_soon for answer in answers] == [None] * 3
    assert household.sign_ins() == 2

    await household.wait(2 * MINUTE)
    again = await household.supervisor.refresh("home", SOON)

    assert again.too_soon is None
    assert household.sign_ins() == 3


async def test_a_forced_try_with_the_account_mended_ends_the_refusal(household: Household) -> None:
    """The person mends the account at Athom and asks: the token comes, the refusal is gone."""
    household.simulator.change_password("meanwhile another")
    household.set_password("S&cret+pass word=100%")
    await household.start()
    household.simulator.change_password("S&cret+pass word=100%")
    await household.wait(2 * MINUTE)
    answer = await household.supervisor.refresh("home", SOON)

    assert answer.done
    assert household.view().sign_in_blocked_until is None


async def test_two_homeys_share_the_forced_tries(begin: Begin) -> None:
    """Two a day belong to the account: one for each Homey, then none for either."""
    household = await begin(homeys=2)
    household.set_password("not the password")
    await household.start()
    await household.wait(2 * MINUTE)
    answers = [await household.supervisor.refresh(name, SOON) for name in ("home", "home1", "home")]

    assert [answer.too_soon is None for answer in answers] == [True, True, False]
    assert household.sign_ins() == 3


async def test_a_refresh_without_a_wait_is_begun(household: Household) -> None:
    """wait=0 answers at once, and the refresh runs."""
    await household.start()
    await household.wait(HOUR)
    answer = await household.supervisor.refresh("home", NOW)
    assert not answer.done

    await household.quiet()

    assert household.token().generation == 2


async def test_unknown_homeys_are_unknown(household: Household) -> None:
    """The doors ask by name; another name is a KeyError, for them to translate."""
    await household.start()
    unknown: list[View | RefreshResult | str] = []
    for ask in (
        household.supervisor.token_for("elsewhere", MINUTE, NOW),
        household.supervisor.refresh("elsewhere", NOW),
    ):
        try:
            unknown.append(await ask)
        except KeyError as error:
            unknown.append(str(error))

    assert ["'elsewhere'", "'elsewhere'"] == unknown
    assert household.supervisor.names() == ("home",)
    assert household.supervisor.alive()
    assert household.supervisor.now() == household.now
