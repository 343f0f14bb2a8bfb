"""Wake keepers at their instants, even after a suspend or a set clock, and send heartbeats.

APScheduler compares its jobs with the wall clock and sleeps by the monotonic one, so it notices
neither a suspend nor a set wall clock. The heartbeat, by the monotonic clock, reschedules the
jobs if the wall clock was set, and makes APScheduler look for due ones.

APScheduler 3 runs plain functions in a thread pool, so all jobs are ``async def``; it drops late
jobs unless ``misfire_grace_time`` is None.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.date import DateTrigger

from homey_tokend.core.ports import Clock

#: The time between heartbeats: after a suspend or a set clock a wake-up is at most this late.
HEARTBEAT = timedelta(seconds=30)
#: The jobs are rescheduled if the wall clock was set by more than this.
CLOCK_TOLERANCE = timedelta(seconds=3)


@dataclass(slots=True, eq=False)
class _Job:
    at: datetime
    wake: Callable[[], None]
    #: The time of the first heartbeat that found it due, by the monotonic clock.
    overdue_since: float | None = None


class JobScheduler:
    """Schedule wake-ups (``core.ports.Scheduler``), and send the heartbeat.

    Wake-ups are functions that set a flag; they are called on the event loop. If one raises,
    APScheduler logs that, and the others still run.

    Args:
        clock: The machine's clocks.
        steady: The clock for the instants of wake-ups; by default ``clock``.
        heartbeat: The time between heartbeats.
    """

    def __init__(
        self, clock: Clock, *, steady: Clock | None = None, heartbeat: timedelta = HEARTBEAT
    ) -> None:
        self._clock = clock
        self._steady = steady or clock
        self._period = heartbeat.total_seconds()
        self._jobs: dict[str, _Job] = {}
        self._offset = timedelta(0)
        self._last_heartbeat = clock.monotonic()
        self._heartbeat_event = asyncio.Event()
        self._heartbeat_task: asyncio.Task[None] | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            # By class and not by name, so that nothing is imported on the event loop.
            executors={"default": AsyncIOExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )

    def start(self) -> None:
        """Start; the event loop must be running."""
        self._offset = self._wall_offset()
        self._last_heartbeat = self._clock.monotonic()
        self._scheduler.start()
        self._heartbeat_task = asyncio.create_task(self._run_heartbeats(), name="heartbeat")

    async def stop(self) -> None:
        """Stop; cancel all wake-ups."""
        self._jobs.clear()
        if self._heartbeat_task is None:
            return
        self._scheduler.pause()
        self._heartbeat_task.cancel()
        await asyncio.gather(self._heartbeat_task, return_exceptions=True)
        self._heartbeat_task = None
        await self._clock.sleep(0)  # lets jobs that just started finish; cancelled, they log errors
        self._scheduler.shutdown(wait=False)
        await self._clock.sleep(0)  # it takes effect one iteration of the event loop later

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        """Call ``wake`` at an instant; this replaces an earlier call with the same name."""
        job = self._jobs[name] = _Job(at, wake)
        self._scheduler.add_job(
            self._run,
            DateTrigger(at + self._wall_offset(), timezone=UTC),
            args=(name, job),
            id=name,
            replace_existing=True,
        )

    def forget(self, name: str) -> None:
        """Cancel the call with this name, if there is one."""
        self._jobs.pop(name, None)
        # APScheduler no longer has a job that is being started; ``_run`` then finds none here.
        if self._scheduler.get_job(name) is not None:
            self._scheduler.remove_job(name)

    async def heartbeat(self) -> None:
        """Wait for the next heartbeat; return at once if one was missed."""
        await self._heartbeat_event.wait()
        self._heartbeat_event.clear()

    def overdue(self) -> timedelta:
        """Return how late the heartbeat or the most overdue wake-up is; never negative.

        A wake-up counts as late from the first heartbeat on that found it due, so nothing is
        late just after a suspend.
        """
        now = self._clock.monotonic()
        late = [
            now - job.overdue_since for job in self._jobs.values() if job.overdue_since is not None
        ]
        return timedelta(seconds=max(0.0, now - self._last_heartbeat - self._period, *late))

    async def _run(self, name: str, job: _Job) -> None:
        # It may have been replaced or cancelled since APScheduler started it.
        if self._jobs.get(name) is job:
            del self._jobs[name]
            job.wake()

    async def _run_heartbeats(self) -> None:
        while True:
            await self._clock.sleep(self._period)
            self._last_heartbeat = self._clock.monotonic()
            self._follow_wall_clock()
            self._scheduler.wakeup()
            now = self._steady.now()
            for job in self._jobs.values():
                if job.at <= now and job.overdue_since is None:
                    job.overdue_since = self._last_heartbeat
            self._heartbeat_event.set()

    def _follow_wall_clock(self) -> None:
        offset = self._wall_offset()
        if abs(offset - self._offset) <= CLOCK_TOLERANCE:
            return
        self._offset = offset
        self._scheduler.pause()  # APScheduler looks at its jobs once, after all are rescheduled
        for job in self._scheduler.get_jobs():
            self._scheduler.modify_job(job.id, next_run_time=self._jobs[job.id].at + offset)
        self._scheduler.resume()

    def _wall_offset(self) -> timedelta:
        """Return how far the wall clock is ahead of the steady clock."""
        # The wall clock is read last, so that a job is late rather than early.
        steady = self._steady.now()
        return self._clock.now() - steady
