"""Wall clocks lie: the token neither dies of it nor is served past its true end.

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


def truly_good(harness: Harness) -> bool:
    """Whether the token that is served, if one is, is taken by the Homey."""
    token = harness.view().token
    return token is None or harness.simulator.accepts(token.value.reveal())


async def hours(harness: Harness, count: int) -> list[bool]:
    """Let hours pass, heartbeats and all: at each, whether a good token was held."""
    found = []
    for _ in range(count):
        await harness.wait(HOUR - MINUTE)
        harness.skip(MINUTE)
        await harness.heartbeat()
        assert truly_good(harness)
        found.append(harness.view().token is not None)
    return found


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR, 400 * DAY, -400 * DAY])
async def test_a_set_clock_neither_kills_nor_prolongs_the_token(
    harness: Harness, by: timedelta
) -> None:
    """Set by hours or years: the same token is served as long as it truly lives, and renewed."""
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
    """The cloud is down, the clock is set: at its true end the token is gone, not hours later."""
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
    """A loaded token was measured by a clock that nobody vouches for: its end only comes nearer."""
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
async def test_a_restart_within_one_boot_knows_what_the_clock_was_set_by(
    harness: Harness, by: timedelta, noticed: bool
) -> None:
    """Set, and restarted before or after a heartbeat: the token truly lives as long as before."""
    await harness.start()
    harness.skip(HOUR)
    harness.clock.set_wall(by)
    if noticed:
        await harness.heartbeat()
    await harness.restart()

    assert harness.token().left(harness.now) == 23 * HOUR
    assert harness.sign_ins() == 1


async def test_a_clock_that_was_set_is_told_to_the_sinks_and_the_token_verified(
    harness: Harness,
) -> None:
    """The end in a file is by the wall clock; a restored image of the machine looks the same."""
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


async def test_a_clock_that_was_set_is_on_the_disk_before_a_power_cut(harness: Harness) -> None:
    """Booted in 1970, set right, power cut: the next boot knows when the token ends."""
    harness.clock.set_wall(EPOCH - NOON)
    await harness.start()
    harness.clock.set_wall(NOON - EPOCH)
    await harness.heartbeat()
    stored = json.loads(harness.state.read_text())["homeys"]["home"]["token"]

    assert DAY - SECOND <= datetime.fromisoformat(stored["expires_at"]) - harness.now <= DAY


async def test_nine_hours_of_suspend_are_noticed_at_the_next_heartbeat(
    harness: Harness,
) -> None:
    """The lid is closed overnight: on waking the renewal is due, and comes at once."""
    await harness.start()
    await harness.wait(5 * HOUR)
    harness.clock.suspend(9 * HOUR)
    await harness.heartbeat()

    assert harness.token().generation == 2
    assert truly_good(harness)


async def test_after_two_days_of_suspend_no_dead_token_is_served(harness: Harness) -> None:
    """The token died meanwhile and the cloud is down: there is none at the first look."""
    await harness.start()
    harness.simulator.add_fault(step="login", kind="status", status=503)
    harness.clock.suspend(2 * DAY)
    await harness.heartbeat()
    assert harness.view().token is None

    harness.simulator.clear_faults()
    await harness.wait(MINUTE)

    assert harness.token().generation == 2


async def test_a_boot_in_1970_is_survived(harness: Harness) -> None:
    """No battery, no network time: a token is had, and lives on when the clock is put right."""
    harness.clock.set_wall(EPOCH - NOON)
    await harness.start()
    assert harness.token().generation == 1

    harness.clock.set_wall(NOON - EPOCH)
    await harness.heartbeat()

    assert harness.token().generation == 1
    # A Date header has whole seconds: the end may be told a second early.
    assert DAY - SECOND <= harness.token().left(harness.now) <= DAY
    assert all(await hours(harness, 26))
    assert harness.token().generation == 3


async def test_a_restart_in_1970_serves_no_token_from_the_future(harness: Harness) -> None:
    """The kept token was issued fifty years ahead: not served, renewed; then all is well again."""
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
    assert truly_good(harness)


async def test_days_of_sign_ins_do_not_spend_the_budget_of_a_boot_in_1970(
    harness: Harness,
) -> None:
    """Two sign-ins a day for days, then a boot without a clock: the budget is not spent."""
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
    assert truly_good(harness)

    harness.clock.set_wall(-away)
    await harness.heartbeat()

    assert harness.view().token is not None
    assert all(await hours(harness, 14))


async def test_a_refusal_moves_with_the_clock(harness: Harness) -> None:
    """Five minutes into a refusal the clock is set by years: ten minutes are left, either way."""
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


async def test_a_small_setting_is_left_alone(harness: Harness) -> None:
    """What NTP does each day, a second or two, moves nothing."""
    await harness.start()
    token = harness.token()
    harness.clock.set_wall(timedelta(seconds=3))
    await harness.heartbeat()

    assert token == harness.token()


async def test_many_small_settings_are_noticed_together(harness: Harness) -> None:
    """A clock that is slewed by seconds between heartbeats does not get away with hours."""
    await harness.start()
    for _ in range(20):
        harness.clock.set_wall(timedelta(seconds=-4))
        await harness.heartbeat()

    real_end = NOON + DAY - timedelta(seconds=80)
    assert abs(harness.token().expires_at - real_end) <= timedelta(seconds=5)


@pytest.mark.parametrize("by", [2 * HOUR, -2 * HOUR])
@pytest.mark.parametrize("step", ["login", "session"])
async def test_a_clock_set_during_a_sign_in(harness: Harness, step: str, by: timedelta) -> None:
    """The setting falls between two steps: a token is had, and its end is never too late."""
    harness.simulator.add_fault(step=step, kind="delay", seconds=0.1, times=1)
    await harness.begin()
    await harness.until(lambda: step in harness.simulator.steps())
    harness.clock.set_wall(by)
    await harness.heartbeat()
    await harness.wait(MINUTE)

    assert truly_good(harness)
    assert harness.view().token is not None
    assert harness.token().expires_at - by <= NOON + DAY + MINUTE
    # What was issued after the setting lives no shorter for it.
    assert step == "session" or harness.token().expires_at - by >= NOON + DAY - SECOND
    assert harness.token().generation == 1


@pytest.mark.parametrize("by", [HOUR, -HOUR])
async def test_a_clock_set_during_a_proof_moves_the_end_with_it(
    harness: Harness, by: timedelta
) -> None:
    """The end that the answer tells may be measured with the clock as it was: it is left."""
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
    harness: Harness, by: timedelta
) -> None:
    """A slow card, behind it a failed attempt and somebody who asks, and NTP twice."""
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


async def test_a_one_time_code_goes_by_the_wall_clock(begin: Begin) -> None:
    """The clock was put right a moment ago: the code is one of now, not one of 1970."""
    harness = await begin(totp_secret=TOTP_SECRET)
    document = harness.document()
    document["homeys"]["home"]["totp_secret"] = TOTP_SECRET
    harness.clock.set_wall(EPOCH - NOON)
    harness.built = lambda: harness.clock.set_wall(NOON - EPOCH)
    await harness.start(document)

    assert harness.token().generation == 1


async def test_the_api_judges_by_the_time_that_tokens_were_measured_with(
    harness: Harness,
) -> None:
    """Between a setting and the heartbeat nobody takes a good token for a dead one."""
    await harness.start()
    harness.clock.set_wall(400 * DAY)

    assert harness.token().valid(harness.supervisor.now())
    harness.clock.set_wall(-800 * DAY)
    harness.skip(DAY)
    assert not harness.token().valid(harness.supervisor.now())
