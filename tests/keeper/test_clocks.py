"""A wrong wall clock neither ends a token early nor serves it after its true expiry.

The simulator's clock is right throughout; only the daemon's is set.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from homey_tokend.core.timefmt import rfc3339
from tests.keeper.conftest import Begin
from tests.keeper.harness import DAY, HOUR, MINUTE, TOTP_SECRET, Harness
from tests.support.clock import NOON, settle
from tests.support.store import FakeStore

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def served_token_is_accepted(harness: Harness) -> bool:
    """Return whether the Homey accepts the served token; True if there is none."""
    token = harness.view().token
    return token is None or harness.simulator.accepts(token.value.reveal())


async def hours(harness: Harness, count: int) -> list[bool]:
    """Let hours pass, with heartbeats; return for each whether there was a valid token."""
    found = []
    for _ in range(count):
        await harness.wait(HOUR - MINUTE)
        harness.skip(MINUTE)
        await harness.heartbeat()
        assert served_token_is_accepted(harness)
        found.append(harness.view().token is not None)
    return found


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
async def test_a_set_clock_neither_ends_nor_prolongs_a_token(
    harness: Harness, by: timedelta
) -> None:
    """If it is set by hours or years, the same token is served until its true expiry, and renewed."""
    await harness.start()
    await hours(harness, 1)
    harness.clock.set_wall(by)
    await harness.heartbeat()

    assert harness.token().generation == 1
    assert harness.token().left(harness.now) == 23 * HOUR
    assert harness.sign_ins() == 1
    assert all(await hours(harness, 30))
    assert harness.token().generation == 3


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
async def test_a_set_clock_does_not_prolong_a_token_in_an_outage(
    harness: Harness, by: timedelta
) -> None:
    """If the clock is set during an outage, the token is not served after its true expiry."""
    await harness.start(harness.document(retry={"first": "1h", "max": "1h"}))
    harness.skip(20 * HOUR)
    harness.simulator.unplug()
    harness.simulator.add_fault(step="login", kind="too_many_requests", retry_after=36000)
    await harness.heartbeat()
    harness.clock.set_wall(by)
    await harness.heartbeat()
    held = await hours(harness, 5)

    assert held == [True, True, True, False, False]


async def test_a_clock_set_back_after_a_reboot_prolongs_nothing(harness: Harness) -> None:
    """A loaded token was measured with a clock that may be wrong, so its expiry only becomes earlier."""
    await harness.start()
    harness.clock.boot = "another"
    await harness.restart()
    harness.clock.set_wall(-2 * HOUR)
    await harness.heartbeat()
    assert harness.token().left(harness.now) == DAY

    harness.clock.boot = "a third"
    await harness.restart()
    harness.clock.set_wall(2 * HOUR)
    await harness.heartbeat()

    assert harness.token().left(harness.now) == 22 * HOUR
    assert harness.sign_ins() == 1


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
async def test_a_restart_within_one_boot_knows_by_how_much_the_clock_was_set(
    harness: Harness, by: timedelta, noticed: bool
) -> None:
    """Whether the restart is before or after a heartbeat, the token expires at the same time."""
    await harness.start()
    harness.skip(HOUR)
    harness.clock.set_wall(by)
    if noticed:
        await harness.heartbeat()
    await harness.restart()

    assert harness.token().left(harness.now) == 23 * HOUR
    assert harness.sign_ins() == 1


async def test_after_a_set_clock_sinks_are_written_and_the_token_is_verified(
    harness: Harness,
) -> None:
    """The expiry in a file is by the wall clock; a restored image of the machine looks the same."""
    path = harness.folder / "token.json"
    raw = harness.folder / "token"
    await harness.start(
        harness.document(
            {"type": "file", "path": str(path), "format": "json"},
            {"type": "file", "path": str(raw)},
        )
    )
    harness.steps()
    written = raw.stat().st_mtime_ns
    harness.clock.set_wall(2 * HOUR)
    await harness.heartbeat()

    assert json.loads(path.read_text())["expires_at"] == rfc3339(NOON + 26 * HOUR)
    assert harness.steps() == ["session"]
    assert written == raw.stat().st_mtime_ns


async def test_a_set_clock_is_saved_before_a_power_cut(harness: Harness) -> None:
    """Boot in 1970, correct clock, power cut: the next boot knows when the token expires."""
    harness.clock.set_wall(EPOCH - NOON)
    await harness.start()
    harness.clock.set_wall(NOON - EPOCH)
    await harness.heartbeat()
    stored = json.loads(harness.state.read_text())["homeys"]["home"]["token"]

    assert DAY - SECOND <= datetime.fromisoformat(stored["expires_at"]) - harness.now <= DAY


async def test_a_suspend_is_noticed_at_the_next_heartbeat(
    harness: Harness,
) -> None:
    """After a night of suspend the renewal is due, and starts at once."""
    await harness.start()
    await harness.wait(5 * HOUR)
    harness.clock.suspend(9 * HOUR)
    await harness.heartbeat()

    assert harness.token().generation == 2
    assert served_token_is_accepted(harness)


async def test_after_a_long_suspend_no_expired_token_is_served(harness: Harness) -> None:
    """The token expired meanwhile and the cloud is down: no token is served."""
    await harness.start()
    harness.simulator.add_fault(step="login", kind="status", status=503)
    harness.clock.suspend(2 * DAY)
    await harness.heartbeat()
    assert harness.view().token is None

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.token().generation == 2


async def test_a_boot_in_1970_gets_a_token(harness: Harness) -> None:
    """Without a clock battery and network time there is a token, which stays when the clock is corrected."""
    harness.clock.set_wall(EPOCH - NOON)
    await harness.start()
    assert harness.token().generation == 1

    harness.clock.set_wall(NOON - EPOCH)
    await harness.heartbeat()

    assert harness.token().generation == 1
    # A Date header has whole seconds, so the expiry may be a second early.
    assert DAY - SECOND <= harness.token().left(harness.now) <= DAY
    assert all(await hours(harness, 26))
    assert harness.token().generation == 3


async def test_a_restart_in_1970_serves_no_token_from_the_future(harness: Harness) -> None:
    """The stored token was issued fifty years ahead: it is not served, but renewed."""
    await harness.start()
    await harness.stop()
    harness.clock.boot = "another"
    harness.clock.set_wall(EPOCH - NOON)
    harness.simulator.add_fault(step="login", kind="status", status=503)
    await harness.start()
    assert harness.view().token is None

    harness.clock.set_wall(NOON - EPOCH)
    await harness.heartbeat()

    assert harness.token().generation == 1
    assert served_token_is_accepted(harness)


async def test_days_of_sign_ins_do_not_spend_the_budget_of_a_boot_in_1970(
    harness: Harness,
) -> None:
    """After two sign-ins a day for days, a boot without a clock does not use up the budget."""
    await harness.start()
    await harness.wait(9 * DAY)
    assert harness.sign_ins() > 12
    await harness.stop()
    harness.skip(2 * DAY)
    harness.clock.boot = "another"
    away = EPOCH - harness.now
    harness.clock.set_wall(away)
    await harness.start()

    assert harness.view().token is not None
    assert served_token_is_accepted(harness)

    harness.clock.set_wall(-away)
    await harness.heartbeat()

    assert harness.view().token is not None
    assert all(await hours(harness, 14))


async def test_a_set_clock_does_not_change_the_wait_after_a_rejection(harness: Harness) -> None:
    """If the clock is set by years five minutes after a rejection, ten minutes are still left."""
    harness.set_password("not the password")
    await harness.start()
    await harness.wait(5 * MINUTE)
    harness.clock.set_wall(-400 * DAY)
    await harness.heartbeat()
    assert harness.view().sign_in_blocked_until == harness.now + 10 * MINUTE

    harness.clock.set_wall(800 * DAY)
    await harness.heartbeat()

    assert harness.view().sign_in_blocked_until == harness.now + 10 * MINUTE
    assert harness.sign_ins() == 1


async def test_a_small_clock_change_is_ignored(harness: Harness) -> None:
    """A step of a second or two, as by NTP, changes nothing."""
    await harness.start()
    token = harness.token()
    harness.clock.set_wall(timedelta(seconds=3))
    await harness.heartbeat()

    assert token == harness.token()


async def test_many_small_clock_changes_are_noticed_together(harness: Harness) -> None:
    """A clock that is set by seconds between heartbeats is noticed before it adds up to hours."""
    await harness.start()
    for _ in range(20):
        harness.clock.set_wall(timedelta(seconds=-4))
        await harness.heartbeat()

    real_end = NOON + DAY - timedelta(seconds=80)
    assert abs(harness.token().expires_at - real_end) <= timedelta(seconds=5)


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("step", ["login", "session"])
async def test_a_clock_set_during_a_sign_in(harness: Harness, step: str, by: timedelta) -> None:
    """If it is set between two steps, there is a token, and its expiry is not too late."""
    harness.simulator.add_fault(step=step, kind="delay", seconds=0.1, times=1)
    await harness.begin()
    await harness.until(lambda: step in harness.simulator.steps())
    harness.clock.set_wall(by)
    await harness.heartbeat()
    await harness.wait(MINUTE)

    assert served_token_is_accepted(harness)
    assert harness.view().token is not None
    assert harness.token().expires_at - by <= NOON + DAY + MINUTE
    # A token that was issued afterwards does not expire earlier.
    assert step == "session" or harness.token().expires_at - by >= NOON + DAY - SECOND
    assert harness.token().generation == 1


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_set_during_a_verification_keeps_the_true_expiry(
    harness: Harness, by: timedelta
) -> None:
    """By the wall clock the expiry moves as the clock does; what the response reports is not applied."""
    await harness.start(harness.document(verify_every="15m"))
    end = harness.token().expires_at
    harness.simulator.add_fault(step="session", kind="delay", seconds=0.2, times=1)
    at = harness.scheduler.next()
    assert at is not None
    harness.skip(at - harness.now)
    harness.scheduler.run_due()
    await harness.until(lambda: harness.keepers["home"].activity.verifying)
    await harness.until(lambda: len(harness.simulator.seen("session")) == 2)
    harness.clock.set_wall(by)
    await harness.heartbeat()

    assert harness.token().expires_at == end + by


class Slow(FakeStore):
    """A disk whose writes take as long as a test requires."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def save(self, blob: bytes) -> None:
        await self.free.wait()
        await super().save(blob)


@pytest.mark.parametrize("by", [30 * DAY, -30 * DAY])
async def test_waiting_work_uses_the_new_time_after_the_clock_is_set(
    harness: Harness, by: timedelta
) -> None:
    """A failed attempt and a request wait for a slow disk while NTP sets the clock twice."""
    harness.store = store = Slow()
    harness.simulator.unplug()
    await harness.start()
    harness.simulator.add_fault(step="delegation", kind="delay", seconds=0.1, times=1)
    harness.steps()
    keeper = harness.keepers["home"]
    harness.skip(MINUTE)
    harness.scheduler.run_due()
    await harness.until(harness.simulator.steps)
    store.free.clear()
    harness.clock.set_wall(HOUR)
    beats = [asyncio.create_task(harness.supervisor.on_heartbeat())]
    await harness.until(lambda: "homey_login" in harness.simulator.steps())
    await asyncio.sleep(0.05)
    asked = asyncio.create_task(harness.supervisor.token_for("home", MINUTE, HOUR))
    await settle()
    harness.clock.set_wall(by)
    beats.append(asyncio.create_task(harness.supervisor.on_heartbeat()))
    await settle()
    store.free.set()
    await asyncio.gather(*beats)
    await harness.quiet()
    asked.cancel()
    trouble, request = harness.view().last_error, keeper.state.request

    assert trouble is not None
    assert trouble.at == harness.now
    assert request is not None
    assert request.until == harness.components.clock.now() + HOUR


async def test_a_one_time_code_uses_the_wall_clock(begin: Begin) -> None:
    """Just after the clock was corrected, the code is for the current time, not for 1970."""
    harness = await begin(totp_secret=TOTP_SECRET)
    document = harness.document()
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    harness.clock.set_wall(EPOCH - NOON)
    harness.built = lambda: harness.clock.set_wall(NOON - EPOCH)
    await harness.start(document)

    assert harness.token().generation == 1


async def test_between_a_clock_change_and_the_heartbeat_no_valid_token_is_refused(
    harness: Harness,
) -> None:
    """The API uses the time that tokens were measured with."""
    await harness.start()
    harness.clock.set_wall(400 * DAY)

    assert harness.token().valid(harness.supervisor.now())
    harness.clock.set_wall(-800 * DAY)
    harness.skip(DAY)
    assert not harness.token().valid(harness.supervisor.now())
