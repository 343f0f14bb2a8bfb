"""The real and the fake clock implement ``ports.Clock``."""

import asyncio
from datetime import UTC, datetime, timedelta

from homey_tokend.core.ports import Clock
from homey_tokend.runtime.clock import SteadyClock, SystemClock
from tests.support.clock import NOON, FakeClock, settle


def test_both_clocks_are_clocks() -> None:
    """The real and the fake clock implement the port (mypy checks the assignment)."""
    clocks: list[Clock] = [SystemClock(), FakeClock()]

    assert len(clocks) == 2


def test_now_is_aware_utc() -> None:
    """The wall clock returns the current time in UTC."""
    before = datetime.now(UTC)
    now = SystemClock().now()

    assert timedelta(0) == now.utcoffset()
    assert before <= now <= datetime.now(UTC)


def test_monotonic_never_goes_back() -> None:
    """The monotonic clock advances."""
    clock = SystemClock()
    readings = [clock.monotonic() for _ in range(100)]

    assert sorted(readings) == readings


def test_monotonic_is_the_loops_clock() -> None:
    """Timers of the event loop use the monotonic clock."""

    async def difference() -> float:
        return abs(asyncio.get_running_loop().time() - SystemClock().monotonic())

    assert asyncio.run(difference()) < 0.1


def test_elapsed_never_goes_back_nor_behind_the_monotonic_clock() -> None:
    """The clock that continues during suspend is ahead by the time of suspend."""
    clock = SystemClock()
    readings = [clock.elapsed() for _ in range(100)]

    assert sorted(readings) == readings
    assert clock.elapsed() - clock.monotonic() > -0.1


def test_random_numbers_are_in_the_unit_interval_and_vary() -> None:
    """Random numbers are in [0, 1) and differ."""
    clock = SystemClock()
    drawn = {clock.random() for _ in range(200)}

    assert all(0 <= number < 1 for number in drawn)
    assert len(drawn) > 100


def test_the_boot_id_is_that_of_the_kernel() -> None:
    """It has the form that systemd uses, unless another is given."""
    assert SystemClock().boot_id() == SystemClock().boot_id()
    assert "-" not in SystemClock().boot_id()
    assert SystemClock("given").boot_id() == "given"


def test_setting_the_wall_clock_does_not_affect_the_steady_clock() -> None:
    """The change is in the offset after the next update; a change of seconds is ignored."""
    clock = FakeClock()
    steady = SteadyClock(clock)
    clock.set_wall(timedelta(hours=2))
    clock.suspend(timedelta(hours=1))

    assert NOON + timedelta(hours=1) == steady.now()
    assert (timedelta(hours=2), timedelta(0)) == (steady.update(), steady.update())
    clock.set_wall(timedelta(seconds=3))
    assert timedelta(0) == steady.update()
    clock.set_wall(timedelta(seconds=3))
    assert timedelta(seconds=6) == steady.update()
    assert steady.now() + steady.offset == clock.now() == steady.wall()


async def test_sleep_waits_at_least_as_long_as_requested() -> None:
    """A sleep of 20 ms takes at least that long."""
    clock = SystemClock()
    start = clock.monotonic()
    await clock.sleep(0.02)

    assert clock.monotonic() - start >= 0.019


async def test_a_negative_sleep_returns_at_once() -> None:
    """Sleeping until an instant in the past returns at once."""
    async with asyncio.timeout(0.2):
        await SystemClock().sleep(-3600)


async def test_the_fake_clock_wakes_each_sleeper_at_its_time() -> None:
    """``advance`` wakes each sleeper at its time, including those that sleep again."""
    clock = FakeClock()
    woken: list[datetime] = []

    async def sleeps_thrice() -> None:
        for _ in range(3):
            await clock.sleep(10)
            woken.append(clock.now())

    task = asyncio.create_task(sleeps_thrice())
    await clock.until_waited_for()
    await clock.advance(25)

    assert [NOON + timedelta(seconds=10), NOON + timedelta(seconds=20)] == woken
    assert NOON + timedelta(seconds=25) == clock.now()
    assert clock.waiting == 1

    await clock.advance(timedelta(seconds=5))
    await task

    assert clock.waiting == 0
    assert clock.slept == [10, 10, 10]


async def test_a_cancelled_sleep_of_the_fake_clock_no_longer_counts() -> None:
    """A cancelled sleep no longer counts as waiting."""
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.until_waited_for()
    task.cancel()
    await settle()

    assert clock.waiting == 0


async def test_the_instant_fake_clock_advances_by_itself() -> None:
    """An instant clock records the sleep, advances and returns at once."""
    clock = FakeClock(instant=True, draws=[0.25])
    await clock.sleep(90)

    assert NOON + timedelta(seconds=90) == clock.now()
    assert clock.monotonic() == 1090.0
    assert [clock.random(), clock.random()] == [0.25, 0.5]


def test_the_fake_wall_clock_can_be_set_separately() -> None:
    """Setting the wall clock and suspending do not affect the monotonic clock."""
    clock = FakeClock()
    clock.set_wall(-timedelta(hours=2))
    clock.suspend(timedelta(hours=9))

    assert NOON + timedelta(hours=7) == clock.now()
    assert clock.monotonic() == 1000.0
    assert clock.elapsed() == 1000.0 + 9 * 3600
