"""The ledger: the one Book, kept whatever the disk does."""

import asyncio

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.account import AccountState
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.secret import Secret
from homey_tokend.storage.document import StateDocument, to_json
from tests.core.samples import DAY, HOUR, NOBODY, failing, holding, rejected_account
from tests.storage.stores import FakeStore, ledger_over, loaded
from tests.support.clock import NOON

HELD = holding()


# --- reading -----------------------------------------------------------------------


async def test_without_a_file_a_new_book_with_a_salt_is_begun() -> None:
    ledger = ledger_over(FakeStore())

    await ledger.load(NOON)

    assert StateDocument(salt="5a17") == ledger.book
    assert HomeyState("home") == ledger.homey("home")
    assert (AccountState(), None) == (ledger.account("key"), ledger.refresh_token("home"))


async def test_what_was_kept_is_known_again() -> None:
    account = rejected_account(at=NOON - HOUR)
    book = StateDocument("cafe", {"home": HELD}, {"key": account}, {"home": Secret("refresh")})

    ledger, _ = await loaded(book)

    assert HELD.loaded(NOON) == ledger.homey("home")
    assert (account, Secret("refresh")) == (ledger.account("key"), ledger.refresh_token("home"))
    assert "cafe" == ledger.book.salt


async def test_what_a_clock_ahead_wrote_down_is_cut_to_now() -> None:
    ahead = NOON + 300 * DAY
    book = StateDocument(
        "5a17", {"home": failing(HELD, at=ahead)}, {"key": rejected_account(at=ahead)}
    )

    ledger, _ = await loaded(book)

    assert failing(HELD).loaded(NOON) == ledger.homey("home")
    assert rejected_account() == ledger.account("key")


async def test_every_secret_in_the_file_is_hidden_before_it_can_be_logged() -> None:
    hidden: list[Secret] = []
    book = StateDocument(
        "5a17", {"home": HELD, "other": HomeyState("other")}, {}, {"away": Secret("refresh")}
    )

    await ledger_over(FakeStore(to_json(book)), hidden).load(NOON)

    assert [Secret("bearer"), Secret("refresh")] == hidden


async def test_a_damaged_file_is_set_aside_and_a_new_book_begun() -> None:
    store = FakeStore(b'{"version": 1, "salt": "bearer"')
    ledger = ledger_over(store)

    with capture_logs() as logs:
        await ledger.load(NOON)

    assert StateDocument(salt="5a17") == ledger.book
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

    assert StateDocument(salt="5a17") == ledger.book
    assert ["not kept: permission denied"] == [line["kept_as"] for line in logs]


# --- writing -----------------------------------------------------------------------


async def test_what_is_kept_is_on_the_disk_when_the_call_returns() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    await ledger.keep_homey(HELD)
    await ledger.keep_accounts({"key": NOBODY.signing_in(NOON, 7)})
    await ledger.keep_refresh_token("home", Secret("refresh"))

    expected = StateDocument(
        "5a17",
        {"home": HELD.loaded(NOON)},
        {"key": NOBODY.signing_in(NOON, 7)},
        {"home": Secret("refresh")},
    )
    assert expected == store.book


async def test_a_refresh_token_is_struck_out_of_the_file() -> None:
    ledger, store = await loaded(
        StateDocument("5a17", refresh_tokens={"home": Secret("one"), "other": Secret("two")})
    )

    await ledger.keep_refresh_token("home", None)

    assert {"other": Secret("two")} == store.book.refresh_tokens


async def test_of_a_homey_that_is_configured_no_more_nothing_is_kept() -> None:
    other = HomeyState("other")
    tokens = {"home": Secret("one"), "other": Secret("two")}
    book = StateDocument("5a17", {"home": HELD, "other": other}, {"key": NOBODY}, tokens)
    ledger, store = await loaded(book)

    await ledger.forget("home")

    assert (
        StateDocument("5a17", {"other": other}, {"key": NOBODY}, {"other": Secret("two")})
        == store.book
    )


async def test_what_is_only_noted_goes_out_with_the_next_write() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    ledger.note(HELD)
    noted = store.book
    await ledger.keep_accounts({"key": NOBODY})

    assert {} == noted.homeys
    assert {"home"} == set(store.book.homeys)


async def test_a_disk_that_fails_is_told_once_and_once_again_when_it_works() -> None:
    ledger, store = await loaded(StateDocument("5a17"))

    with capture_logs() as logs:
        for trouble in ("", "disk full", "disk full", "read-only", "", "", "disk full"):
            store.trouble = trouble
            await ledger.keep_homey(HELD)

    assert [
        ("state.write_failed", "disk full"),
        ("state.write_recovered", None),
        ("state.write_failed", "disk full"),
    ] == [(line["event"], line.get("reason")) for line in logs]


async def test_what_could_not_be_written_is_known_and_written_later() -> None:
    ledger, store = await loaded(StateDocument("5a17"))
    store.trouble = "disk full"

    await ledger.keep_homey(HELD)
    known = ledger.homey("home")
    store.trouble = ""
    await ledger.keep_accounts({"key": NOBODY})

    assert HELD == known
    assert {"home"} == set(store.book.homeys)


async def test_what_could_not_be_written_is_made_up_for_once_there_is_room() -> None:
    ledger, store = await loaded(StateDocument("5a17"))
    store.trouble = "disk full"
    await ledger.keep_homey(HELD)

    await ledger.catch_up()
    before, store.trouble = store.book, ""
    with capture_logs() as logs:
        await ledger.catch_up()
        saves = store.saves
        await ledger.catch_up()

    assert {} == before.homeys
    assert {"home"} == set(store.book.homeys)
    assert ["state.write_recovered"] == [line["event"] for line in logs]
    assert saves == store.saves


async def test_a_disk_that_hangs_is_given_up_and_the_caller_goes_on() -> None:
    ledger, store = await loaded(StateDocument("5a17"))
    store.hang = True

    with capture_logs() as logs:
        async with asyncio.timeout(40):
            await ledger.keep_homey(HELD)

    assert HELD == ledger.homey("home")
    assert ["the disk hangs"] == [line["reason"] for line in logs]


async def test_a_caller_that_is_cancelled_is_not_held_up_by_a_disk_that_hangs() -> None:
    ledger, store = await loaded(StateDocument("5a17"))
    store.hang = True
    keeping = asyncio.create_task(ledger.keep_homey(HELD))
    await asyncio.sleep(0)

    keeping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await keeping
