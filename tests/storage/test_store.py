"""The store keeps the state document, whatever the disk does."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.account import AccountState
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.secret import Secret
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.storage.document import ClockReading, StateDocument, to_json
from homey_tokend.storage.store import StateStore
from tests.core.samples import DAY, HOUR, NEW_ACCOUNT, SECOND, failing, holding, rejected_account
from tests.storage.stores import loaded, store_over
from tests.support.clock import NOON, FakeClock
from tests.support.store import FakeStore

HELD = holding()


# --- reading -----------------------------------------------------------------------


async def test_without_a_file_a_new_document_with_a_salt_is_started() -> None:
    store = store_over(FakeStore())

    await store.load()

    assert StateDocument(salt="5a17") == store.document
    assert HomeyState("home") == store.homey("home")
    assert (AccountState(), None) == (store.account("key"), store.refresh_token("home"))


async def test_a_stored_document_is_loaded() -> None:
    account = rejected_account(at=NOON - HOUR)
    book = StateDocument("cafe", {"home": HELD}, {"key": account}, {"home": Secret("refresh")})

    store, _ = await loaded(book)

    assert HELD.loaded(NOON) == store.homey("home")
    assert (account, Secret("refresh")) == (store.account("key"), store.refresh_token("home"))
    assert "cafe" == store.document.salt


async def test_instants_of_a_clock_that_was_ahead_are_moved_to_now() -> None:
    ahead = NOON + 300 * DAY
    book = StateDocument(
        "5a17", {"home": failing(HELD, at=ahead)}, {"key": rejected_account(at=ahead)}
    )

    store, _ = await loaded(book)

    assert failing(HELD).loaded(NOON) == store.homey("home")
    assert rejected_account() == store.account("key")


def stored_at(boot_id: str, elapsed: float, *, wall: datetime = NOON) -> StateDocument:
    """A document with a token of that moment."""
    state = holding(at=wall)
    return StateDocument("5a17", {"home": state}, clock=ClockReading(boot_id, wall, elapsed))


@pytest.mark.parametrize(
    ("document", "issued_at", "offset"),
    [
        pytest.param(
            stored_at("boot 1", 400.0, wall=NOON + 7 * HOUR),
            NOON - 600 * SECOND,
            None,
            id="of this boot: by the seconds since the boot, whatever the wall clock was",
        ),
        pytest.param(
            stored_at("boot 1", 997.0), NOON, None, id="of this boot: a drift of seconds is ignored"
        ),
        pytest.param(
            stored_at("boot 0", 400.0), NOON, timedelta(0), id="of another boot: unchanged"
        ),
        pytest.param(
            stored_at("boot 1", 4000.0), NOON, timedelta(0), id="of a boot that counted further"
        ),
        pytest.param(stored_at("", 400.0), NOON, timedelta(0), id="of an unknown boot"),
    ],
)
async def test_a_loaded_token_is_placed_on_the_timeline(
    document: StateDocument, issued_at: datetime, offset: timedelta | None
) -> None:
    store, _ = await loaded(document)

    state = store.homey("home")
    assert issued_at == state.held(1).issued_at
    assert offset == state.loaded_offset


async def test_the_stored_instants_are_by_the_wall_clock() -> None:
    clock, disk = FakeClock(), FakeStore()
    steady = SteadyClock(clock)
    store = StateStore(disk, steady, salt=lambda: "5a17")
    await store.load()
    clock.set_wall(HOUR)
    steady.update()

    await store.keep_homey(HELD)

    assert NOON + HOUR == disk.document.homeys["home"].held(1).issued_at
    assert ClockReading("boot 1", NOON + HOUR, 1000.0) == disk.document.clock
    assert HELD == store.homey("home")


async def test_each_secret_in_the_file_is_registered() -> None:
    hidden: list[Secret] = []
    book = StateDocument(
        "5a17", {"home": HELD, "other": HomeyState("other")}, {}, {"away": Secret("refresh")}
    )

    await store_over(FakeStore(to_json(book)), hidden).load()

    assert [Secret("bearer"), Secret("refresh")] == hidden


async def test_a_damaged_file_is_set_aside_and_a_new_document_started() -> None:
    disk = FakeStore(b'{"version": 1, "salt": "bearer"')
    store = store_over(disk)

    with capture_logs() as logs:
        await store.load()

    assert StateDocument(salt="5a17") == store.document
    assert [b'{"version": 1, "salt": "bearer"'] == disk.aside
    assert [
        {
            "event": "state.set_aside",
            "log_level": "error",
            "reason": "the state file is damaged (JSONDecodeError)",
            "kept_as": "state.json.damaged-1",
        }
    ] == logs


async def test_a_file_that_can_neither_be_read_nor_set_aside_does_not_stop_the_daemon() -> None:
    disk = FakeStore()
    disk.unreadable = disk.unmovable = "permission denied"
    store = store_over(disk)

    with capture_logs() as logs:
        await store.load()

    assert StateDocument(salt="5a17") == store.document
    assert ["not kept: permission denied"] == [line["kept_as"] for line in logs]


# --- writing -----------------------------------------------------------------------


async def test_a_change_is_on_the_disk_when_the_call_returns() -> None:
    store, disk = await loaded(StateDocument("5a17"))

    await store.keep_homey(HELD)
    await store.keep_account("key", NEW_ACCOUNT.signing_in(NOON, 7))
    await store.keep_refresh_token("home", Secret("refresh"))

    expected = StateDocument(
        "5a17",
        {"home": HELD.loaded(NOON, None)},
        {"key": NEW_ACCOUNT.signing_in(NOON, 7)},
        {"home": Secret("refresh")},
    )
    assert expected == replace(disk.document, clock=None)


async def test_a_refresh_token_is_removed_from_the_file() -> None:
    store, disk = await loaded(
        StateDocument("5a17", refresh_tokens={"home": Secret("one"), "other": Secret("two")})
    )

    await store.keep_refresh_token("home", None)

    assert {"other": Secret("two")} == disk.document.refresh_tokens


async def test_a_removed_homey_is_removed_from_the_file() -> None:
    other = HomeyState("other")
    tokens = {"home": Secret("one"), "other": Secret("two")}
    book = StateDocument("5a17", {"home": HELD, "other": other}, {"key": NEW_ACCOUNT}, tokens)
    store, disk = await loaded(book)

    await store.forget("home")

    assert StateDocument(
        "5a17", {"other": other}, {"key": NEW_ACCOUNT}, {"other": Secret("two")}
    ) == replace(disk.document, clock=None)


async def test_a_change_without_a_write_is_included_in_the_next_write() -> None:
    store, disk = await loaded(StateDocument("5a17"))

    await store.keep_homey(HELD, write=False)
    noted = disk.document
    await store.keep_account("key", NEW_ACCOUNT)

    assert {} == noted.homeys
    assert {"home"} == set(disk.document.homeys)


async def test_a_failing_disk_is_logged_once_and_again_when_it_works() -> None:
    store, disk = await loaded(StateDocument("5a17"))

    with capture_logs() as logs:
        for trouble in ("", "disk full", "disk full", "read-only", "", "", "disk full"):
            disk.full = trouble
            await store.keep_homey(HELD)

    assert [
        ("state.write_failed", "disk full"),
        ("state.write_recovered", None),
        ("state.write_failed", "disk full"),
    ] == [(line["event"], line.get("reason")) for line in logs]


async def test_a_change_that_could_not_be_written_is_written_later() -> None:
    store, disk = await loaded(StateDocument("5a17"))
    disk.full = "disk full"

    await store.keep_homey(HELD)
    known = store.homey("home")
    disk.full = ""
    await store.keep_account("key", NEW_ACCOUNT)

    assert HELD == known
    assert {"home"} == set(disk.document.homeys)


async def test_a_failed_write_is_retried_without_a_further_change() -> None:
    store, disk = await loaded(StateDocument("5a17"))
    disk.full = "disk full"
    await store.keep_homey(HELD)

    await store.retry_write()
    before, disk.full = disk.document, ""
    with capture_logs() as logs:
        await store.retry_write()
        saves = disk.saves
        await store.retry_write()

    assert {} == before.homeys
    assert {"home"} == set(disk.document.homeys)
    assert ["state.write_recovered"] == [line["event"] for line in logs]
    assert saves == disk.saves


async def test_the_wait_for_a_hanging_disk_ends_at_the_deadline() -> None:
    store, disk = await loaded(StateDocument("5a17"))
    disk.hangs = True

    with capture_logs() as logs:
        async with asyncio.timeout(40):
            await store.keep_homey(HELD)

    assert HELD == store.homey("home")
    assert ["the disk hangs"] == [line["reason"] for line in logs]


async def test_a_hanging_disk_does_not_delay_a_cancelled_caller() -> None:
    store, disk = await loaded(StateDocument("5a17"))
    disk.hangs = True
    keeping = asyncio.create_task(store.keep_homey(HELD))
    await asyncio.sleep(0)

    keeping.cancel()

    with pytest.raises(asyncio.CancelledError):
        await keeping


async def test_one_login_of_an_account_runs_at_a_time() -> None:
    store = store_over(FakeStore())

    async with store.account_lock("key"):
        assert store.account_lock("key").locked()
        assert not store.account_lock("another key").locked()
