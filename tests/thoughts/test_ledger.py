"""The ledger: the one Book, kept whatever the disk does."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from homey_tokend.account import AccountState
from homey_tokend.accounts import Accounts
from homey_tokend.book import Book, from_json, to_json
from homey_tokend.errors import IllegalEvent, StateUnusable
from homey_tokend.ledger import Ledger
from homey_tokend.model import Secret
from homey_tokend.state import HomeyState, trouble_of
from tests.fakes.clock import NOON
from tests.thoughts.samples import (
    DAY,
    HOUR,
    LOGIN,
    NOBODY,
    WRONG_PASSWORD,
    failing,
    holding,
    refused_account,
    signed_in,
)

HELD = holding()


class FakeStore:
    """``ports.Store`` in memory; ``trouble`` fails a write, ``hang`` never ends it."""

    def __init__(self, blob: bytes | None = None) -> None:
        self.blob = blob
        self.aside: list[bytes | None] = []
        self.trouble = ""
        self.hang = False
        self.saves = 0

    async def load(self) -> bytes | None:
        if self.trouble:
            raise StateUnusable(self.trouble)
        return self.blob

    async def save(self, blob: bytes) -> None:
        self.saves += 1
        if self.hang:
            await asyncio.Event().wait()
        if self.trouble:
            raise StateUnusable(self.trouble)
        await asyncio.sleep(0)
        self.blob = blob

    async def set_aside(self) -> str:
        if self.trouble:
            raise StateUnusable(self.trouble)
        self.aside.append(self.blob)
        self.blob = None
        return "state.json.damaged"

    @property
    def book(self) -> Book:
        assert self.blob is not None
        return from_json(self.blob)


def ledger_over(store: FakeStore, hidden: list[Secret] | None = None) -> Ledger:
    hide = (hidden if hidden is not None else []).append
    return Ledger(store, salt=lambda: "5a17", hide=hide, write_deadline_s=0.05)


async def loaded(book: Book) -> tuple[Ledger, FakeStore]:
    store = FakeStore(to_json(book))
    ledger = ledger_over(store)
    await ledger.load(NOON)
    return ledger, store


# --- reading -----------------------------------------------------------------------


async def test_without_a_file_a_new_book_with_a_salt_is_begun() -> None:
    ledger = ledger_over(FakeStore())

    await ledger.load(NOON)

    assert Book(salt="5a17") == ledger.book
    assert HomeyState("home") == ledger.homey("home")
    assert (AccountState(), None) == (ledger.account("key"), ledger.refresh_token("home"))


async def test_what_was_kept_is_known_again() -> None:
    account = refused_account(at=NOON - HOUR)
    book = Book("cafe", {"home": HELD}, {"key": account}, {"home": Secret("refresh")})

    ledger, _ = await loaded(book)

    assert HELD.loaded(NOON) == ledger.homey("home")
    assert (account, Secret("refresh")) == (ledger.account("key"), ledger.refresh_token("home"))
    assert "cafe" == ledger.book.salt


async def test_what_a_clock_ahead_wrote_down_is_cut_to_now() -> None:
    ahead = NOON + 300 * DAY
    book = Book("5a17", {"home": failing(HELD, at=ahead)}, {"key": refused_account(at=ahead)})

    ledger, _ = await loaded(book)

    assert failing(HELD).loaded(NOON) == ledger.homey("home")
    assert refused_account() == ledger.account("key")


async def test_every_secret_in_the_file_is_hidden_before_it_can_be_logged() -> None:
    hidden: list[Secret] = []
    book = Book(
        "5a17", {"home": HELD, "other": HomeyState("other")}, {}, {"away": Secret("refresh")}
    )

    await ledger_over(FakeStore(to_json(book)), hidden).load(NOON)

    assert [Secret("bearer"), Secret("refresh")] == hidden


async def test_a_damaged_file_is_set_aside_and_a_new_book_begun() -> None:
    store = FakeStore(b'{"version": 1, "salt": "bearer"')
    ledger = ledger_over(store)

    with capture_logs() as logs:
        await ledger.load(NOON)

    assert Book(salt="5a17") == ledger.book
    assert [b'{"version": 1, "salt": "bearer"'] == store.aside
    assert [
        {
            "event": "state.set_aside",
            "log_level": "error",
            "reason": "the state file is damaged (JSONDecodeError)",
            "kept_as": "state.json.damaged",
        }
    ] == logs


async def test_a_file_that_can_neither_be_read_nor_set_aside_does_not_stop_the_daemon() -> None:
    store = FakeStore()
    store.trouble = "permission denied"
    ledger = ledger_over(store)

    with capture_logs() as logs:
        await ledger.load(NOON)

    assert Book(salt="5a17") == ledger.book
    assert ["not kept: permission denied"] == [line["kept_as"] for line in logs]


# --- writing -----------------------------------------------------------------------


async def test_what_is_kept_is_on_the_disk_when_the_call_returns() -> None:
    ledger, store = await loaded(Book("5a17"))

    await ledger.keep_homey(HELD)
    await ledger.keep_accounts({"key": NOBODY.signing_in(NOON, 7)})
    await ledger.keep_refresh_token("home", Secret("refresh"))

    expected = Book(
        "5a17",
        {"home": replace(HELD, minted_here=False, asked_at=None)},
        {"key": NOBODY.signing_in(NOON, 7)},
        {"home": Secret("refresh")},
    )
    assert expected == store.book


async def test_a_refresh_token_is_struck_out_of_the_file() -> None:
    ledger, store = await loaded(
        Book("5a17", refresh_tokens={"home": Secret("one"), "other": Secret("two")})
    )

    await ledger.keep_refresh_token("home", None)

    assert {"other": Secret("two")} == store.book.refresh_tokens


async def test_of_a_homey_that_is_configured_no_more_nothing_is_kept() -> None:
    other = HomeyState("other")
    tokens = {"home": Secret("one"), "other": Secret("two")}
    book = Book("5a17", {"home": HELD, "other": other}, {"key": NOBODY}, tokens)
    ledger, store = await loaded(book)

    await ledger.forget("home")

    assert Book("5a17", {"other": other}, {"key": NOBODY}, {"other": Secret("two")}) == store.book


async def test_what_is_only_noted_goes_out_with_the_next_write() -> None:
    ledger, store = await loaded(Book("5a17"))

    ledger.note(HELD)
    noted = store.book
    await ledger.keep_accounts({"key": NOBODY})

    assert {} == noted.homeys
    assert {"home"} == set(store.book.homeys)


async def test_a_disk_that_fails_is_told_once_and_once_again_when_it_works() -> None:
    ledger, store = await loaded(Book("5a17"))

    with capture_logs() as logs:
        for trouble in ("", "disk full", "disk full", "read-only", "", "", "disk full"):
            store.trouble = trouble
            await ledger.keep_homey(HELD)

    assert [
        ("state.unwritable", "disk full"),
        ("state.writable_again", None),
        ("state.unwritable", "disk full"),
    ] == [(line["event"], line.get("reason")) for line in logs]


async def test_what_could_not_be_written_is_known_and_written_later() -> None:
    ledger, store = await loaded(Book("5a17"))
    store.trouble = "disk full"

    await ledger.keep_homey(HELD)
    known = ledger.homey("home")
    store.trouble = ""
    await ledger.keep_accounts({"key": NOBODY})

    assert HELD == known
    assert {"home"} == set(store.book.homeys)


async def test_a_disk_that_hangs_is_given_up_and_the_caller_goes_on() -> None:
    ledger, store = await loaded(Book("5a17"))
    store.hang = True

    with capture_logs() as logs:
        async with asyncio.timeout(0.3):
            await ledger.keep_homey(HELD)

    assert HELD == ledger.homey("home")
    assert ["the disk hangs"] == [line["reason"] for line in logs]


async def test_a_caller_that_is_cancelled_is_not_held_up_by_a_disk_that_hangs() -> None:
    ledger, store = await loaded(Book("5a17"))
    store.hang = True
    keeping = asyncio.create_task(ledger.keep_homey(HELD))
    await asyncio.sleep(0)

    keeping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await keeping


# --- accounts ----------------------------------------------------------------------


async def test_a_password_is_written_down_before_it_goes_out() -> None:
    ledger, store = await loaded(Book("5a17"))

    await Accounts(ledger).signing_in("key", NOON, 7)

    assert NOBODY.signing_in(NOON, 7) == store.book.accounts["key"]


async def test_a_used_one_time_step_is_refused_and_nothing_is_written() -> None:
    ledger, store = await loaded(Book("5a17", accounts={"key": NOBODY.signing_in(NOON, 7)}))

    with pytest.raises(IllegalEvent):
        await Accounts(ledger).signing_in("key", NOON + HOUR, 7)

    assert 0 == store.saves


async def test_each_event_of_an_account_is_written_down() -> None:
    ledger, store = await loaded(Book("5a17"))
    accounts, trouble = Accounts(ledger), trouble_of(WRONG_PASSWORD, NOON)

    await accounts.signing_in("key", NOON, None)
    await accounts.refused("key", LOGIN, trouble)
    await accounts.was_forced("key", NOON)
    refused = store.book.accounts["key"]
    await accounts.accepted("key", LOGIN)
    await accounts.not_judged("key")

    assert signed_in(NOON).refused(LOGIN, trouble).was_forced(NOON) == refused
    assert NOBODY.was_forced(NOON) == store.book.accounts["key"] == accounts.state("key")


async def test_values_that_were_never_refused_need_no_write_when_they_are_accepted() -> None:
    ledger, store = await loaded(Book("5a17"))

    await Accounts(ledger).accepted("key", LOGIN)

    assert 0 == store.saves


async def test_one_password_of_an_account_goes_out_at_a_time() -> None:
    accounts = Accounts(ledger_over(FakeStore()))

    async with accounts.lock("key"):
        assert accounts.lock("key").locked()
        assert not accounts.lock("another key").locked()


async def test_when_the_clock_is_set_nothing_that_happens_meanwhile_is_lost() -> None:
    ledger, store = await loaded(Book("5a17", accounts={"one": signed_in(NOON), "two": NOBODY}))
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
    ledger, store = await loaded(Book("5a17"))

    await Accounts(ledger).shifted(timedelta(hours=1))

    assert 0 == store.saves
