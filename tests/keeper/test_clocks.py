"""Wall clocks lie: the token neither dies of it nor is served past its true end.

The simulator's clock is right throughout; only the daemon's is set.
"""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from homey_tokend.core.timefmt import rfc3339
from tests.keeper.conftest import Begin
from tests.keeper.household import DAY, HOUR, MINUTE, TOTP_SECRET, Household
from tests.support.clock import NOON, settle
from tests.support.store import FakeStore

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, 0, 1, tzinfo=UTC)


def truly_good(household: Household) -> bool:
    """Whether the token that is served, if one is, is taken by the Homey."""
    token = household.view().token
    return token is None or household.simulator.accepts(token.value.reveal())


async def hours(household: Household, count: int) -> list[bool]:
    """Let hours pass, heartbeats and all: at each, whether a good token was held."""
    found = []
    for _ in range(count):
        await household.wait(HOUR - MINUTE)
        household.skip(MINUTE)
        await household.beat()
        assert truly_good(household)
        found.append(household.view().token is not None)
    return found


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
async def test_a_set_clock_neither_kills_nor_prolongs_the_token(
    household: Household, by: timedelta
) -> None:
    """Set by hours or years: the same token is served as long as it truly lives, and renewed."""
    await household.start()
    await hours(household, 1)
    household.clock.set_wall(by)
    await household.beat()

    assert household.token().generation == 1
    assert household.token().left(household.now) == 23 * HOUR
    assert household.sign_ins() == 1
    assert all(await hours(household, 30))
    assert household.token().generation == 3


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
async def test_a_set_clock_does_not_prolong_a_token_in_an_outage(
    household: Household, by: timedelta
) -> None:
    """The cloud is down, the clock is set: at its true end the token is gone, not hours later."""
    await household.start(household.document(retry={"first": "1h", "max": "1h"}))
    household.skip(20 * HOUR)
    household.simulator.unplug()
    household.simulator.add_fault(step="login", kind="too_many_requests", retry_after=36000)
    await household.beat()
    household.clock.set_wall(by)
    await household.beat()
    held = await hours(household, 5)

    assert held == [True, True, True, False, False]


async def test_a_clock_set_back_after_a_reboot_prolongs_nothing(household: Household) -> None:
    """A loaded token was measured by a clock that nobody vouches for: its end only comes nearer."""
    await household.start()
    household.clock.boot = "another"
    await household.restart()
    household.clock.set_wall(-2 * HOUR)
    await household.beat()
    assert household.token().left(household.now) == DAY

    household.clock.boot = "a third"
    await household.restart()
    household.clock.set_wall(2 * HOUR)
    await household.beat()

    assert household.token().left(household.now) == 22 * HOUR
    assert household.sign_ins() == 1


@pytest.mark.parametrize("noticed", [True, False])
@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
async def test_a_restart_within_one_boot_knows_what_the_clock_was_set_by(
    household: Household, by: timedelta, noticed: bool
) -> None:
    """Set, and restarted before or after a heartbeat: the token truly lives as long as before."""
    await household.start()
    household.skip(HOUR)
    household.clock.set_wall(by)
    if noticed:
        await household.beat()
    await household.restart()

    assert household.token().left(household.now) == 23 * HOUR
    assert household.sign_ins() == 1


async def test_a_clock_that_was_set_is_told_to_the_sinks_and_the_token_verified(
    household: Household,
) -> None:
    """The end in a file is by the wall clock; a restored image of the machine looks the same."""
    path = household.folder / "token.json"
    raw = household.folder / "token"
    await household.start(
        household.document(
            {"type": "file", "path": str(path), "format": "json"},
            {"type": "file", "path": str(raw)},
        )
    )
    household.steps()
    written = raw.stat().st_mtime_ns
    household.clock.set_wall(2 * HOUR)
    await household.beat()

    assert json.loads(path.read_text())["expires_at"] == rfc3339(NOON + 26 * HOUR)
    assert household.steps() == ["session"]
    assert written == raw.stat().st_mtime_ns


async def test_a_clock_that_was_set_is_on_the_disk_before_a_power_cut(household: Household) -> None:
    """Booted in 1970, set right, power cut: the next boot knows when the token ends."""
    household.clock.set_wall(EPOCH - NOON)
    await household.start()
    household.clock.set_wall(NOON - EPOCH)
    await household.beat()
    stored = json.loads(household.state.read_text())["homeys"]["home"]["token"]

    assert DAY - SECOND <= datetime.fromisoformat(stored["expires_at"]) - household.now <= DAY


async def test_nine_hours_of_suspend_are_noticed_at_the_next_heartbeat(
    household: Household,
) -> None:
    """The lid is closed overnight: on waking the renewal is due, and comes at once."""
    await household.start()
    await household.wait(5 * HOUR)
    household.clock.suspend(9 * HOUR)
    await household.beat()

    assert household.token().generation == 2
    assert truly_good(household)


async def test_after_two_days_of_suspend_no_dead_token_is_served(household: Household) -> None:
    """The token died meanwhile and the cloud is down: there is none at the first look."""
    await household.start()
    household.simulator.add_fault(step="login", kind="status", status=503)
    household.clock.suspend(2 * DAY)
    await household.beat()
    assert household.view().token is None

    household.simulator.clear_faults()
    await household.wait(MINUTE)

    assert household.token().generation == 2


async def test_a_boot_in_1970_is_survived(household: Household) -> None:
    """No battery, no network time: a token is had, and lives on when the clock is put right."""
    household.clock.set_wall(EPOCH - NOON)
    await household.start()
    assert household.token().generation == 1

    household.clock.set_wall(NOON - EPOCH)
    await household.beat()

    assert household.token().generation == 1
    # A Date header has whole seconds: the end may be told a second early.
    assert DAY - SECOND <= household.token().left(household.now) <= DAY
    assert all(await hours(household, 26))
    assert household.token().generation == 3


async def test_a_restart_in_1970_serves_no_token_from_the_future(household: Household) -> None:
    """The kept token was issued fifty years ahead: not served, renewed; then all is well again."""
    await household.start()
    await household.stop()
    household.clock.boot = "another"
    household.clock.set_wall(EPOCH - NOON)
    household.simulator.add_fault(step="login", kind="status", status=503)
    await household.start()
    assert household.view().token is None

    household.clock.set_wall(NOON - EPOCH)
    await household.beat()

    assert household.token().generation == 1
    assert truly_good(household)


async def test_days_of_sign_ins_do_not_spend_the_budget_of_a_boot_in_1970(
    household: Household,
) -> None:
    """Two sign-ins a day for days, then a boot without a clock: the budget is not spent."""
    await household.start()
    await household.wait(9 * DAY)
    assert household.sign_ins() > 12
    await household.stop()
    household.skip(2 * DAY)
    household.clock.boot = "another"
    away = EPOCH - household.now
    household.clock.set_wall(away)
    await household.start()

    assert household.view().token is not None
    assert truly_good(household)

    household.clock.set_wall(-away)
    await household.beat()

    assert household.view().token is not None
    assert all(await hours(household, 14))


async def test_a_refusal_moves_with_the_clock(household: Household) -> None:
    """Five minutes into a refusal the clock is set by years: ten minutes are left, either way."""
    household.set_password("not the password")
    await household.start()
    await household.wait(5 * MINUTE)
    household.clock.set_wall(-400 * DAY)
    await household.beat()
    assert household.view().sign_in_blocked_until == household.now + 10 * MINUTE

    household.clock.set_wall(800 * DAY)
    await household.beat()

    assert household.view().sign_in_blocked_until == household.now + 10 * MINUTE
    assert household.sign_ins() == 1


async def test_a_small_setting_is_left_alone(household: Household) -> None:
    """What NTP does each day, a second or two, moves nothing."""
    await household.start()
    token = household.token()
    household.clock.set_wall(timedelta(seconds=3))
    await household.beat()

    assert token == household.token()


async def test_many_small_settings_are_noticed_together(household: Household) -> None:
    """A clock that is slewed by seconds between heartbeats does not get away with hours."""
    await household.start()
    for _ in range(20):
        household.clock.set_wall(timedelta(seconds=-4))
        await household.beat()

    real_end = NOON + DAY - timedelta(seconds=80)
    assert abs(household.token().expires_at - real_end) <= timedelta(seconds=5)


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("step", ["login", "session"])
async def test_a_clock_set_during_a_sign_in(household: Household, step: str, by: timedelta) -> None:
    """The setting falls between two steps: a token is had, and its end is never too late."""
    household.simulator.add_fault(step=step, kind="delay", seconds=0.1, times=1)
    await household.begin()
    await household.until(lambda: step in household.simulator.steps())
    household.clock.set_wall(by)
    await household.beat()
    await household.wait(MINUTE)

    assert truly_good(household)
    assert household.view().token is not None
    assert household.token().expires_at - by <= NOON + DAY + MINUTE
    # What was issued after the setting lives no shorter for it.
    assert step == "session" or household.token().expires_at - by >= NOON + DAY - SECOND
    assert household.token().generation == 1


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_set_during_a_proof_moves_the_end_with_it(
    household: Household, by: timedelta
) -> None:
    """The end that the answer tells may be measured with the clock as it was: it is left."""
    await household.start(household.document(verify_every="15m"))
    end = household.token().expires_at
    household.simulator.add_fault(step="session", kind="delay", seconds=0.2, times=1)
    at = household.scheduler.next()
    assert at is not None
    household.skip(at - household.now)
    household.scheduler.ring_due()
    await household.until(lambda: household.keepers["home"].activity.verifying)
    await household.until(lambda: len(household.simulator.seen("session")) == 2)
    household.clock.set_wall(by)
    await household.beat()

    assert household.token().expires_at == end + by


class Slow(FakeStore):
    """A disk that takes as long as a test wants."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        self.free.set()

    async def save(self, blob: bytes) -> None:
        await self.free.wait()
        await super().save(blob)


@pytest.mark.parametrize("by", [30 * DAY, -30 * DAY])
async def test_what_waits_while_the_clock_is_set_is_of_the_new_time(
    household: Household, by: timedelta
) -> None:
    """A slow card, behind it a failed attempt and somebody who asks, and NTP twice."""
    household.store = store = Slow()
    household.simulator.unplug()
    await household.start()
    household.simulator.add_fault(step="delegation", kind="delay", seconds=0.1, times=1)
    household.steps()
    keeper = household.keepers["home"]
    household.skip(MINUTE)
    household.scheduler.ring_due()
    await household.until(household.simulator.steps)
    store.free.clear()
    household.clock.set_wall(HOUR)
    beats = [asyncio.create_task(household.supervisor.beat())]
    await household.until(lambda: "homey_login" in household.simulator.steps())
    await asyncio.sleep(0.05)
    asked = asyncio.create_task(household.supervisor.token_for("home", MINUTE, HOUR))
    await settle()
    household.clock.set_wall(by)
    beats.append(asyncio.create_task(household.supervisor.beat()))
    await settle()
    store.free.set()
    await asyncio.gather(*beats)
    await household.quiet()
    asked.cancel()
    trouble, request = household.view().trouble, keeper.state.request

    assert trouble is not None
    assert trouble.at == household.now
    assert request is not None
    assert request.until == household.components.clock.now() + HOUR


async def test_a_one_time_code_goes_by_the_wall_clock(begin: Begin) -> None:
    """The clock was put right a moment ago: the code is one of now, not one of 1970."""
    household = await begin(totp_secret=TOTP_SECRET)
    document = household.document()
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    household.clock.set_wall(EPOCH - NOON)
    household.built = lambda: household.clock.set_wall(NOON - EPOCH)
    await household.start(document)

    assert household.token().generation == 1


async def test_the_api_judges_by_the_time_that_tokens_were_measured_with(
    household: Household,
) -> None:
    """Between a setting and the heartbeat nobody takes a good token for a dead one."""
    await household.start()
    household.clock.set_wall(400 * DAY)

    assert household.token().valid(household.supervisor.now())
    household.clock.set_wall(-800 * DAY)
    household.skip(DAY)
    assert not household.token().valid(household.supervisor.now())
