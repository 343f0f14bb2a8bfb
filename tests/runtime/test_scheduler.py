"""Jobs run in time, whatever happens to the clocks; with the real APScheduler."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import datetime, timedelta, tzinfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import pytest

from homey_tokend.core.ports import Clock, Scheduler
from homey_tokend.runtime.clock import SteadyClock, SystemClock
from homey_tokend.runtime.scheduler import HEARTBEAT, JobScheduler
from tests.support.clock import NOON, FakeClock, settle

HOUR = timedelta(hours=1)
#: The heartbeat of the tests, about a thousandth of thirty seconds.
BEAT = timedelta(milliseconds=40)


class ShiftedClock(SystemClock):
    """The machine's clocks, with a wall clock that can be set and a simulated suspend."""

    def __init__(self) -> None:
        self.moved = timedelta(0)
        self.suspended = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.moved + self.suspended

    def elapsed(self) -> float:
        return super().elapsed() + self.suspended.total_seconds()


@pytest.fixture
def wall(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Clock]]:
    """The clock whose wall time APScheduler reads."""
    clocks: list[Clock] = [SystemClock()]

    class ShiftedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # as foreign
            return clocks[-1].now().astimezone(tz)

    for module in (apscheduler.schedulers.base, apscheduler.executors.base):
        monkeypatch.setattr(module, "datetime", ShiftedDatetime)
    return clocks  # type: ignore[return-value]  # nothing to tear down


@pytest.fixture
def clock(wall: list[Clock]) -> ShiftedClock:
    moved = ShiftedClock()
    wall.append(moved)
    return moved


@pytest.fixture
async def scheduler(clock: ShiftedClock) -> AsyncIterator[JobScheduler]:
    """Start a scheduler with a fast heartbeat, whose instants are on a steady clock."""
    scheduler = JobScheduler(clock, steady=SteadyClock(clock), heartbeat=BEAT)
    scheduler.start()
    yield scheduler
    await scheduler.stop()


@pytest.fixture
async def without_heartbeat(clock: ShiftedClock) -> AsyncIterator[JobScheduler]:
    """Start a scheduler whose next heartbeat is an hour away: APScheduler alone runs the jobs."""
    scheduler = JobScheduler(clock, heartbeat=HOUR)
    scheduler.start()
    yield scheduler
    await scheduler.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Wait until the condition holds; raise TimeoutError if it never does."""
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110  what is looked at are plain lists
            await asyncio.sleep(0.002)


def test_it_implements_the_port() -> None:
    """It implements the port, and its default heartbeat is 30 s."""
    scheduler: Scheduler = JobScheduler(FakeClock())

    assert scheduler is not None
    assert timedelta(seconds=30) == HEARTBEAT


async def test_it_wakes_at_the_instant_once(
    without_heartbeat: JobScheduler, clock: ShiftedClock
) -> None:
    """A job runs on the event loop, not early, and once."""
    woken: list[datetime] = []
    at = clock.now() + timedelta(milliseconds=15)
    without_heartbeat.wake_at("home", at, lambda: woken.append(clock.now()))
    await until(lambda: bool(woken))
    await asyncio.sleep(0.1)

    assert len(woken) == 1
    assert at <= woken[0]


async def test_a_clock_set_forward_wakes_for_nothing_that_is_not_due(clock: ShiftedClock) -> None:
    """A job that schedules the same instant again does not run repeatedly."""
    steady = SteadyClock(clock)
    scheduler = JobScheduler(clock, steady=steady)
    scheduler.start()
    at, woken = steady.now() + timedelta(milliseconds=400), 0
    wake = asyncio.Event()

    async def keep() -> None:
        nonlocal woken
        while steady.now() < at:
            scheduler.wake_at("home", at, wake.set)
            await wake.wait()
            wake.clear()
            woken += 1

    keeping = asyncio.create_task(keep())
    await settle()
    clock.moved += 10 * HOUR
    wake.set()
    await asyncio.wait_for(keeping, 40)
    await scheduler.stop()

    # Once by the test, and once more if that was slightly too early.
    assert 2 <= woken <= 4


@pytest.mark.parametrize(
    "moved",
    [
        timedelta(hours=-2),
        timedelta(seconds=-10),
        timedelta(days=-3650),
        timedelta(seconds=10),
        timedelta(days=365 * 40),
    ],
    ids=str,
)
async def test_a_set_clock_delays_a_job_by_at_most_one_heartbeat(
    scheduler: JobScheduler, clock: ShiftedClock, moved: timedelta
) -> None:
    """With APScheduler alone the job would be as late as the clock was set back, or as early."""
    start, woken = clock.monotonic(), list[float]()
    steady = SteadyClock(clock)
    scheduler.wake_at(
        "a", steady.now() + timedelta(milliseconds=100), lambda: woken.append(clock.monotonic())
    )
    await scheduler.heartbeat()
    clock.moved += moved
    await until(lambda: bool(woken))

    assert 0.1 <= woken[0] - start < 20


async def test_a_clock_set_there_and_back_delays_a_job_by_at_most_one_heartbeat(
    scheduler: JobScheduler, clock: ShiftedClock
) -> None:
    """This also applies to a clock that is set twice."""
    start, woken = clock.monotonic(), list[float]()
    at = clock.now() + timedelta(milliseconds=300)
    scheduler.wake_at("a", at, lambda: woken.append(clock.monotonic()))
    await settle()
    for moved in (10 * HOUR, -10 * HOUR):
        clock.moved += moved
        for _ in range(2):
            await scheduler.heartbeat()
    await until(lambda: bool(woken))

    assert 0.3 <= woken[0] - start < 20


async def test_overdue_jobs_run_at_the_heartbeat_after_a_suspend(
    scheduler: JobScheduler, clock: ShiftedClock
) -> None:
    """After suspend, overdue jobs run."""
    woken: list[str] = []
    for name, after in (("a", HOUR), ("b", 8 * HOUR), ("c", 10 * HOUR)):
        scheduler.wake_at(name, clock.now() + after, lambda name=name: woken.append(name))  # type: ignore[misc]  # a bound name
    await scheduler.heartbeat()
    clock.suspended += 9 * HOUR
    await until(lambda: len(woken) > 1)

    assert sorted(woken) == ["a", "b"]
    assert scheduler.overdue() < timedelta(seconds=1)


async def test_heartbeats_continue_after_a_clock_was_set_back(
    scheduler: JobScheduler, clock: ShiftedClock
) -> None:
    """Heartbeats use the monotonic clock."""
    await scheduler.heartbeat()
    clock.moved -= 2 * HOUR
    async with asyncio.timeout(40):
        for _ in range(4):
            await scheduler.heartbeat()


async def test_the_latest_call_of_a_name_counts(
    scheduler: JobScheduler, clock: ShiftedClock
) -> None:
    """There is one instant per name: a later call replaces the earlier one."""
    woken: list[str] = []
    soon = clock.now() + timedelta(milliseconds=20)
    scheduler.wake_at("a", soon, lambda: woken.append("old"))
    scheduler.wake_at("a", clock.now() + HOUR, lambda: woken.append("new"))
    scheduler.wake_at("b", clock.now() + HOUR, lambda: woken.append("late"))
    scheduler.wake_at("b", soon, lambda: woken.append("soon"))
    await until(lambda: bool(woken))
    await settle()

    assert woken == ["soon"]


async def test_a_forgotten_job_does_not_run(scheduler: JobScheduler, clock: ShiftedClock) -> None:
    """``forget`` cancels, and an unknown name is harmless."""
    woken: list[str] = []
    scheduler.wake_at("a", clock.now() + timedelta(milliseconds=20), lambda: woken.append("a"))
    scheduler.forget("a")
    scheduler.forget("stranger")
    await asyncio.sleep(0.1)

    assert woken == []


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=5), 3 * HOUR])
async def test_an_instant_in_the_past_wakes_at_once(
    without_heartbeat: JobScheduler, clock: ShiftedClock, ago: timedelta
) -> None:
    """A job is not dropped, however late it is."""
    woken: list[str] = []
    without_heartbeat.wake_at("a", clock.now() - ago, lambda: woken.append("a"))
    await until(lambda: bool(woken))

    assert woken == ["a"]


async def test_a_job_can_be_cancelled_or_replaced_while_it_starts(
    scheduler: JobScheduler, clock: ShiftedClock
) -> None:
    """A forgotten job that APScheduler has just started does nothing."""
    woken: list[str] = []
    for name in ("forgotten", "replaced"):
        scheduler.wake_at(name, clock.now() - HOUR, lambda name=name: woken.append(name))  # type: ignore[misc]  # a bound name
    await asyncio.sleep(0)
    scheduler.forget("forgotten")
    scheduler.wake_at("replaced", clock.now() + HOUR, lambda: woken.append("new"))
    await settle()

    assert woken == []


async def test_a_wake_up_that_raises_does_not_stop_others(
    scheduler: JobScheduler, clock: ShiftedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """A bug in one job is logged; the others run, and the heartbeat continues."""
    woken: list[str] = []

    def broken() -> None:
        raise RuntimeError("broken")

    scheduler.wake_at("a", clock.now(), broken)
    scheduler.wake_at("b", clock.now(), lambda: woken.append("b"))
    await until(lambda: bool(woken))
    await asyncio.wait_for(scheduler.heartbeat(), 40)

    [logged] = [entry for entry in caplog.records if entry.levelname == "ERROR"]
    assert logged.exc_info is not None
    assert str(logged.exc_info[1]) == "broken"


async def test_no_job_runs_after_stop(
    clock: ShiftedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """``stop`` cancels all jobs, can be called twice, and a call in the same turn does not raise."""
    woken: list[object] = []
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    scheduler = JobScheduler(clock, heartbeat=BEAT)
    scheduler.start()
    scheduler.wake_at("a", clock.now() + timedelta(milliseconds=10), lambda: woken.append("a"))

    async def ask() -> None:
        for number in range(1, 11):
            scheduler.wake_at("b", clock.now() + number * HOUR, lambda: woken.append("b"))
            await asyncio.sleep(0)

    await asyncio.gather(scheduler.stop(), ask())
    await scheduler.stop()
    scheduler.wake_at("b", clock.now(), lambda: woken.append("b"))
    await asyncio.sleep(0.1)

    assert woken == []
    assert raised == []
    assert [] == [entry for entry in caplog.records if entry.levelname != "INFO"]


async def test_overdue_is_the_latest_wake_up_and_the_heartbeat_itself(wall: list[Clock]) -> None:
    """If APScheduler or the event loop is stuck, the heartbeat is overdue, for the watchdog."""
    clock = FakeClock()
    wall.append(FakeClock(NOON))  # APScheduler's clock does not advance, so it runs nothing
    scheduler = JobScheduler(clock)
    scheduler.start()
    scheduler.wake_at("soon", clock.now() + timedelta(seconds=10), lambda: None)
    scheduler.wake_at("far", clock.now() + HOUR, lambda: None)
    await clock.until_waited_for()
    late = []
    for seconds in (20, 10, 30, 45):
        await clock.advance(seconds)
        late.append(scheduler.overdue().total_seconds())
    scheduler.forget("soon")
    late.append(scheduler.overdue().total_seconds())
    clock.move(70)
    late.append(scheduler.overdue().total_seconds())
    await scheduler.stop()

    assert late == [0, 0, 30, 75, 0, 55]


async def test_nothing_is_overdue_just_after_a_suspend() -> None:
    """Just after nine hours of suspend nothing is overdue: the heartbeat comes first."""
    clock = FakeClock()
    scheduler = JobScheduler(clock)
    scheduler.wake_at("a", clock.now() + HOUR, lambda: None)
    clock.move(20)
    clock.suspend(9 * HOUR)

    assert scheduler.overdue() == timedelta(0)
