"""The timetable rings in time, whatever happens to the clocks: measured with the real scheduler."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta, tzinfo

import apscheduler.executors.base
import apscheduler.schedulers.base
import pytest
import structlog
from apscheduler.triggers.date import DateTrigger

from homey_tokend.core.ports import Scheduler
from homey_tokend.runtime.clock import SteadyClock, SystemClock
from homey_tokend.runtime.scheduler import HEARTBEAT, Heartbeat, JobScheduler
from tests.support.clock import FakeClock, settle

HOUR = timedelta(hours=1)

#: The tests' heartbeat; thirty seconds divided by a thousand, and some.
BEAT = timedelta(milliseconds=40)


class MovedClock(SystemClock):
    """The machine's clocks, with a wall clock that can be set and a suspend that can be felt."""

    def __init__(self) -> None:
        self.moved = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.moved


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    """A clock whose wall time APScheduler reads too."""
    moved = MovedClock()

    class MovedDatetime(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]  # as foreign
            return moved.now().astimezone(tz)

    for module in (apscheduler.schedulers.base, apscheduler.executors.base):
        monkeypatch.setattr(module, "datetime", MovedDatetime)
    return moved


@pytest.fixture
def beats() -> "asyncio.Queue[Heartbeat]":
    return asyncio.Queue()


@pytest.fixture
async def timetable(
    clock: MovedClock, beats: "asyncio.Queue[Heartbeat]"
) -> AsyncIterator[JobScheduler]:
    """A timetable that beats fast."""
    timetable = JobScheduler(clock, heartbeat=BEAT, on_beat=beats.put_nowait)
    timetable.start()
    yield timetable
    await timetable.stop()


@pytest.fixture
async def unbeaten(clock: MovedClock) -> AsyncIterator[JobScheduler]:
    """A timetable whose next beat is an hour away: whoever rings is rung by the scheduler."""
    timetable = JobScheduler(clock, heartbeat=HOUR)
    timetable.start()
    yield timetable
    await timetable.stop()


async def until(condition: Callable[[], bool]) -> None:
    """Returns once the condition holds; a TimeoutError if it never does."""
    async with asyncio.timeout(40):
        while not condition():  # noqa: ASYNC110  what is looked at are plain lists
            await asyncio.sleep(0.002)


def test_it_is_a_schedule() -> None:
    """The timetable fits the seam, and beats every 30 s unless told otherwise."""
    schedule: Scheduler = JobScheduler(FakeClock())

    assert schedule is not None
    assert timedelta(seconds=30) == HEARTBEAT


async def test_it_rings_at_the_instant(unbeaten: JobScheduler, clock: MovedClock) -> None:
    """A wake-up comes on the loop, not before its time, and once."""
    rung: list[datetime] = []
    at = clock.now() + timedelta(milliseconds=15)
    unbeaten.wake_at("home", at, lambda: rung.append(clock.now()))
    await until(lambda: bool(rung))
    await asyncio.sleep(0.1)

    assert len(rung) == 1
    assert at <= rung[0]


async def test_a_clock_set_forward_rings_for_nothing_that_has_not_come(clock: MovedClock) -> None:
    """Who makes the same appointment each time it is woken is not woken again and again."""
    steady = SteadyClock(clock)
    timetable = JobScheduler(clock, steady=steady)
    timetable.start()
    at, rung = steady.now() + timedelta(milliseconds=400), 0
    bell = asyncio.Event()

    async def keep() -> None:
        nonlocal rung
        while steady.now() < at:
            timetable.wake_at("home", at, bell.set)
            await bell.wait()
            bell.clear()
            rung += 1

    keeping = asyncio.create_task(keep())
    await settle()
    clock.moved += 10 * HOUR
    bell.set()
    await asyncio.wait_for(keeping, 40)
    await timetable.stop()

    # By the test, at its time; and once more where that was a hair too early.
    assert 2 <= rung <= 4


async def test_the_newest_appointment_counts(timetable: JobScheduler, clock: MovedClock) -> None:
    """One appointment a name: a later call replaces the earlier, sooner or later."""
    rung: list[str] = []
    soon = clock.now() + timedelta(milliseconds=20)
    timetable.wake_at("a", soon, lambda: rung.append("old"))
    timetable.wake_at("a", clock.now() + HOUR, lambda: rung.append("new"))
    timetable.wake_at("b", clock.now() + HOUR, lambda: rung.append("late"))
    timetable.wake_at("b", soon, lambda: rung.append("soon"))
    await until(lambda: bool(rung))
    await settle()

    assert rung == ["soon"]


async def test_one_date_job_a_homey_and_the_heartbeat(
    timetable: JobScheduler, clock: MovedClock
) -> None:
    """However often appointments are moved, APScheduler has no job more; a forgotten one goes."""
    for hours in range(1, 20):
        for name in ("home", "hut", "heartbeat"):
            timetable.wake_at(name, clock.now() + hours * HOUR, print)
    jobs = {job.id: type(job.trigger) for job in timetable._scheduler.get_jobs()}
    timetable.forget("hut")
    left = {job.id for job in timetable._scheduler.get_jobs()}

    beat = jobs.pop("heartbeat")
    assert not issubclass(beat, DateTrigger)
    assert dict.fromkeys(("wake:home", "wake:hut", "wake:heartbeat"), DateTrigger) == jobs
    assert {"heartbeat", "wake:home", "wake:heartbeat"} == left


async def test_a_forgotten_appointment_does_not_ring(
    timetable: JobScheduler, clock: MovedClock
) -> None:
    """``forget`` cancels, and an unknown name is no fault."""
    rung: list[str] = []
    timetable.wake_at("a", clock.now() + timedelta(milliseconds=20), lambda: rung.append("a"))
    timetable.forget("a")
    timetable.forget("stranger")
    await asyncio.sleep(0.1)

    assert rung == []


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(seconds=5), 3 * HOUR])
async def test_a_passed_instant_rings_at_once(
    unbeaten: JobScheduler, clock: MovedClock, ago: timedelta
) -> None:
    """However late, a wake-up is not dropped."""
    rung: list[str] = []
    unbeaten.wake_at("a", clock.now() - ago, lambda: rung.append("a"))
    await until(lambda: bool(rung))

    assert rung == ["a"]


async def test_forgotten_or_replaced_while_it_starts(
    timetable: JobScheduler, clock: MovedClock
) -> None:
    """A job that is about to run finds its appointment gone, and rings nobody."""
    rung: list[str] = []
    for name in ("forgotten", "replaced"):
        timetable.wake_at(name, clock.now() - HOUR, lambda name=name: rung.append(name))  # type: ignore[misc]  # a bound name
    timetable._scheduler._process_jobs()
    timetable.forget("forgotten")
    timetable.wake_at("replaced", clock.now() + HOUR, lambda: rung.append("new"))
    await settle()

    assert rung == []


@pytest.mark.parametrize(
    "moved",
    [
        timedelta(hours=-2),
        timedelta(seconds=-10),
        timedelta(days=-3650),
        timedelta(seconds=10),
        timedelta(hours=9),
        timedelta(days=365 * 40),
    ],
    ids=str,
)
async def test_all_are_woken_when_the_clock_jumps(
    timetable: JobScheduler, clock: MovedClock, beats: "asyncio.Queue[Heartbeat]", moved: timedelta
) -> None:
    """Set back or forth, or suspended: the next beat comes in time and wakes everybody."""
    rung: list[str] = []
    far = clock.now() + timedelta(days=365 * 80)
    for name in ("a", "b"):
        timetable.wake_at(name, far, lambda name=name: rung.append(name))  # type: ignore[misc]  # a bound name
    first = await asyncio.wait_for(beats.get(), 40)
    clock.moved += moved
    # Somebody makes APScheduler compute its nap anew, from the clock that was set.
    timetable.wake_at("c", far, lambda: rung.append("c"))
    second = await asyncio.wait_for(beats.get(), 40)

    assert abs(first.jumped) < timedelta(seconds=1)
    assert abs(second.jumped - moved) < timedelta(seconds=1)
    assert sorted(rung) == ["a", "b", "c"]


async def test_beats_go_on_after_a_clock_was_set_back(
    timetable: JobScheduler, clock: MovedClock, beats: "asyncio.Queue[Heartbeat]"
) -> None:
    """The beat keeps its time by the monotonic clock, and the jump is told once."""
    await asyncio.wait_for(beats.get(), 40)
    clock.moved -= 2 * HOUR
    start = clock.monotonic()
    jumps = [(await asyncio.wait_for(beats.get(), 40)).jumped for _ in range(4)]

    assert [True, False, False, False] == [abs(jump) > HOUR for jump in jumps]
    assert timetable.last_beat >= start


async def test_appointments_made_after_a_jump_ring(
    timetable: JobScheduler, clock: MovedClock, beats: "asyncio.Queue[Heartbeat]"
) -> None:
    """After the wall clock was set back, a new instant means the new wall clock."""
    await asyncio.wait_for(beats.get(), 40)
    clock.moved -= 2 * HOUR
    rung: list[str] = []
    timetable.wake_at("a", clock.now() + timedelta(milliseconds=20), lambda: rung.append("a"))
    await until(lambda: bool(rung))

    assert rung == ["a"]


async def test_a_beat_wakes_whom_the_scheduler_has_lost(
    timetable: JobScheduler, clock: MovedClock, beats: "asyncio.Queue[Heartbeat]"
) -> None:
    """Even if its job is gone, an appointment is kept by the next beat."""
    rung: list[str] = []
    timetable.wake_at("a", clock.now() + timedelta(milliseconds=10), lambda: rung.append("a"))
    timetable._scheduler.remove_job("wake:a")
    await until(lambda: bool(rung))

    assert rung == ["a"]
    assert isinstance(await asyncio.wait_for(beats.get(), 40), Heartbeat)


async def test_a_wake_up_that_raises_stops_nobody(
    clock: MovedClock, beats: "asyncio.Queue[Heartbeat]"
) -> None:
    """A bug in one wake-up, or in the beat's listener, is logged; the others ring."""
    rung: list[str] = []

    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    def listen(beat: Heartbeat) -> None:
        beats.put_nowait(beat)
        broken()

    timetable = JobScheduler(clock, heartbeat=BEAT, on_beat=listen)
    with structlog.testing.capture_logs() as lines:
        timetable.start()
        timetable.wake_at("a", clock.now(), broken)
        timetable.wake_at("b", clock.now(), lambda: rung.append("b"))
        for _ in range(3):
            await asyncio.wait_for(beats.get(), 40)
    await timetable.stop()

    assert rung == ["b"]
    assert {"event": "wakeup.failed", "name": "a", "exc_info": True, "log_level": "error"} in lines
    assert [line["event"] for line in lines].count("heartbeat.failed") == 3


async def test_nobody_rings_after_stop(clock: MovedClock, caplog: pytest.LogCaptureFixture) -> None:
    """``stop`` ends beats and wake-ups, twice is once, and APScheduler says nothing."""
    rung: list[object] = []
    timetable = JobScheduler(clock, heartbeat=BEAT, on_beat=rung.append)
    timetable.start()
    timetable.wake_at("a", clock.now() + timedelta(milliseconds=10), lambda: rung.append("a"))
    await timetable.stop()
    await timetable.stop()
    timetable.wake_at("b", clock.now(), lambda: rung.append("b"))
    await asyncio.sleep(0.1)

    assert rung == []
    assert [] == [entry for entry in caplog.records if entry.levelname != "INFO"]


def test_overdue_tells_the_latest() -> None:
    """Late is what came due before the last beat, and the beat itself."""
    clock = FakeClock()
    timetable = JobScheduler(clock)
    timetable.wake_at("soon", clock.now() + timedelta(seconds=10), lambda: None)
    timetable.wake_at("far", clock.now() + HOUR, lambda: None)

    def overdue() -> float:
        return timetable.overdue(clock.now()).total_seconds()

    at_first = overdue()
    clock._move(10)
    in_time = overdue()
    clock._move(15)
    late = overdue()
    clock._move(70)
    beat_late = overdue()
    clock.suspend(9 * HOUR)

    assert (at_first, in_time, late, beat_late) == (0, 0, 15, 85)
    assert overdue() == 95


async def test_a_suspend_alone_is_not_late() -> None:
    """Right after nine hours of suspend nothing is late yet: the beat is about to come."""
    clock = FakeClock()
    timetable = JobScheduler(clock)
    timetable.wake_at("a", clock.now() + HOUR, lambda: None)
    clock._move(20)
    clock.suspend(9 * HOUR)

    assert timetable.overdue(clock.now()) == timedelta(seconds=20)


async def test_the_timer_is_capped() -> None:
    """With the real heartbeat, APScheduler never naps for more than 30 s."""
    timetable = JobScheduler(SystemClock())
    timetable.start()
    timetable.wake_at("a", datetime.now(UTC) + 100 * HOUR, lambda: None)
    await settle()
    loop = asyncio.get_running_loop()
    nap = timetable._scheduler._timeout.when() - loop.time()
    timetable._scheduler._start_timer(None)
    nap_without_jobs = timetable._scheduler._timeout.when() - loop.time()
    await timetable.stop()

    assert 29 < nap <= 30
    assert 29 < nap_without_jobs <= 30


async def test_a_look_on_its_way_finds_the_scheduler_shut_down(clock: MovedClock) -> None:
    """A timer that fires in the very turn of ``stop`` raises nothing."""
    raised: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: raised.append(context))
    timetable = JobScheduler(clock, heartbeat=BEAT)
    timetable.start()
    await settle()

    async def look() -> None:
        timetable._scheduler.wakeup()

    timetable._pulled -= 1  # A beat is due.
    await asyncio.gather(timetable.stop(), look())
    await settle()

    assert raised == []
