"""The accounts: each event is written down, passwords before they go out."""

import asyncio
from datetime import timedelta

import pytest

from homey_tokend.core.errors import IllegalEvent
from homey_tokend.core.failure import trouble_of
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.storage.document import StateDocument
from tests.core.samples import DAY, HOUR, LOGIN, NOBODY, WRONG_PASSWORD, signed_in
from tests.storage.stores import FakeStore, ledger_over, loaded
from tests.support.clock import NOON


async def test_a_password_is_written_down_before_it_goes_out() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    await Accounts(ledger).signing_in("key", NOON, 7)

    assert NOBODY.signing_in(NOON, 7) == store.book.accounts["key"]


async def test_a_used_one_time_step_is_refused_and_nothing_is_written() -> None:
    ledger, store = await loaded(
        StateDocument("5a17", accounts={"key": NOBODY.signing_in(NOON, 7)})
    )

    with pytest.raises(IllegalEvent):
        await Accounts(ledger).signing_in("key", NOON + HOUR, 7)

    assert 0 == store.saves


async def test_each_event_of_an_account_is_written_down() -> None:
    ledger, store = await loaded(StateDocument("5a17"))
    accounts, trouble = Accounts(ledger), trouble_of(WRONG_PASSWORD, NOON)

    await accounts.signing_in("key", NOON, None)
    await accounts.rejected("key", LOGIN, trouble)
    await accounts.was_forced("key", NOON)
    rejected = store.book.accounts["key"]
    await accounts.accepted("key", LOGIN)
    await accounts.not_judged("key")

    assert signed_in(NOON).rejected(LOGIN, trouble).was_forced(NOON) == rejected
    assert NOBODY.was_forced(NOON) == store.book.accounts["key"] == accounts.state("key")


async def test_values_that_were_never_refused_need_no_write_when_they_are_accepted() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    await Accounts(ledger).accepted("key", LOGIN)

    assert 0 == store.saves


async def test_one_password_of_an_account_goes_out_at_a_time() -> None:
    accounts = Accounts(ledger_over(FakeStore()))

    async with accounts.lock("key"):
        assert accounts.lock("key").locked()
        assert not accounts.lock("another key").locked()


async def test_when_the_clock_is_set_nothing_that_happens_meanwhile_is_lost() -> None:
    ledger, store = await loaded(
        StateDocument("5a17", accounts={"one": signed_in(NOON), "two": NOBODY})
    )
    accounts = Accounts(ledger)

    shifting = asyncio.create_task(accounts.shifted(DAY))
    await asyncio.sleep(0)
    await accounts.signing_in("two", NOON + DAY, 7)
    await shifting

    assert {
        "one": signed_in(NOON + DAY),
        "two": NOBODY.signing_in(NOON + DAY, 7),
    } == ledger.book.accounts
    assert ledger.book.accounts == store.book.accounts


async def test_without_accounts_a_clock_that_is_set_writes_nothing() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    await Accounts(ledger).shifted(timedelta(hours=1))

    assert 0 == store.saves
