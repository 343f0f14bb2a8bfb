"""Wakes keepers at their instants, and beats every 30 s whatever the clocks do.

APScheduler turns a wall-clock instant into one long ``call_later``, whose clock
stands still during suspend and knows nothing of a wall clock that is set. So
its timer is capped here at one heartbeat, and the heartbeat goes by the
monotonic clock: on each beat the two clocks are compared, and whoever is late,
or everybody if the clocks moved apart, is woken.

Traps of APScheduler 3 that shape this file: a plain function would run in a
thread pool (every job is ``async def``); a late job is dropped unless
``misfire_grace_time`` is None; an interval trigger walks through every missed
run, and a machine without a battery-backed clock misses fifty years of them.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import structlog
from apscheduler.executors.asyncio import AsyncIOExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.base import BaseTrigger
from apscheduler.triggers.date import DateTrigger

from homey_tokend.core.ports import Clock

#: How long may the clocks go unwatched? After suspend a wake-up is at most this late.
HEARTBEAT = timedelta(seconds=30)

#: How far may the clocks drift apart within one beat and still count as in step?
#: NTP slews by milliseconds; a suspend or a set clock is told by more.
CLOCK_TOLERANCE = timedelta(seconds=3)

_NOTHING = timedelta(0)
_HEARTBEAT_JOB = "heartbeat"

#: An instant that has passed, whatever the wall clock says.
_AT_ONCE = datetime(1, 1, 2, tzinfo=UTC)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One heartbeat: when, and how far the wall clock left the monotonic one since the last."""

    at: datetime
    jumped: timedelta


@dataclass(frozen=True, slots=True, eq=False)
class _Appointment:
    at: datetime
    wake: Callable[[], None]


class JobScheduler:
    """``ports.Schedule``, and the heartbeat.

    Wake-ups are plain functions that set a flag; they are called on the event loop. One
    that raises is logged, and the others still ring.

    Args:
        clock: Time, as the machine tells it.
        steady: The clock that appointments are made by; None: the same. Where the machine's is
            set, they are kept at their moment, and not all at once.
        heartbeat: The time between two beats.
        on_beat: Called on each beat, after those who were late have been woken.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        steady: Clock | None = None,
        heartbeat: timedelta = HEARTBEAT,
        on_beat: Callable[[Heartbeat], None] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._steady = steady or clock
        self._heartbeat = heartbeat
        self._on_beat = on_beat
        self._appointments: dict[str, _Appointment] = {}
        self._wall = clock.now()
        #: When the last beat was, by the monotonic clock.
        self.last_beat = self._pulled = clock.monotonic()
        self._scheduler = _Scheduler(heartbeat.total_seconds(), self._look)

    def start(self) -> None:
        """Begins to beat; the event loop must be running."""
        self._wall = self._clock.now()
        self.last_beat = self._pulled = self._clock.monotonic()
        self._scheduler.add_job(self._beat, _Steadily(self._heartbeat), id=_HEARTBEAT_JOB)
        self._scheduler.start()

    async def stop(self) -> None:
        """Wakes nobody any more."""
        self._appointments.clear()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        # It takes effect one turn of the loop later.
        await self._clock.sleep(0)

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        """Makes an appointment, in place of the one of this name; a passed instant rings at once."""
        appointment = _Appointment(at, wake)
        self._appointments[name] = appointment
        # APScheduler goes by the wall clock. Set forward, it would ring for an instant that has
        # not come, and again for who makes the same appointment: as fast as the loop turns.
        set_by = self._clock.now() - self._steady.now()
        self._scheduler.add_job(
            self._ring,
            DateTrigger(
                run_date=at + (set_by if abs(set_by) > CLOCK_TOLERANCE else _NOTHING), timezone=UTC
            ),
            args=(name, appointment),
            id=_job_of(name),
            replace_existing=True,
        )

    def forget(self, name: str) -> None:
        """Cancels an appointment, if there is one."""
        if self._appointments.pop(name, None) is not None:
            self._remove_job(name)

    def overdue(self, now: datetime) -> timedelta:
        """How late the latest wake-up is, the heartbeat included; never negative.

        What came due since the last beat cannot be later than that beat is ago, even
        if the wall clock has meanwhile jumped over hours.
        """
        since_beat = timedelta(seconds=self._clock.monotonic() - self.last_beat)
        late = [min(now - each.at, since_beat) for each in self._appointments.values()]
        return max(timedelta(0), since_beat - self._heartbeat, *late)

    def _look(self) -> None:
        """Called whenever APScheduler is about to look at its jobs: is a beat due?

        By the wall clock the beat may seem hours away: it has been set back.
        """
        now = self._clock.monotonic()
        if now - self._pulled >= self._heartbeat.total_seconds():
            self._pulled = now
            self._scheduler.modify_job(_HEARTBEAT_JOB, next_run_time=_AT_ONCE)

    async def _ring(self, name: str, appointment: _Appointment) -> None:
        # It may have been replaced, or rung by the heartbeat, since the job was started.
        if self._appointments.get(name) is appointment:
            del self._appointments[name]
            _wake(name, appointment)

    async def _beat(self) -> None:
        now, monotonic = self._clock.now(), self._clock.monotonic()
        jumped = (now - self._wall) - timedelta(seconds=monotonic - self.last_beat)
        self._wall, self.last_beat, self._pulled = now, monotonic, monotonic
        for name, appointment in tuple(self._appointments.items()):
            if appointment.at <= now:
                self.forget(name)
                _wake(name, appointment)
            elif abs(jumped) > CLOCK_TOLERANCE:
                # Woken to think anew; until it has, the appointment stands.
                _wake(name, appointment)
        try:
            self._on_beat(Heartbeat(now, jumped))
        except Exception:
            log.exception("heartbeat.failed")

    def _remove_job(self, name: str) -> None:
        try:
            self._scheduler.remove_job(_job_of(name))
        except JobLookupError:
            # It is being started at this moment, and will find no appointment.
            return


def _wake(name: str, appointment: _Appointment) -> None:
    try:
        appointment.wake()
    except Exception:
        log.exception("wakeup.failed", name=name)


def _job_of(name: str) -> str:
    """The job of an appointment: no name can be taken for the heartbeat."""
    return f"wake:{name}"


class _Scheduler(AsyncIOScheduler):  # type: ignore[misc]  # APScheduler 3 has no types
    """An AsyncIOScheduler that looks at its jobs at least every ``most_s`` seconds.

    ``_start_timer`` and ``_process_jobs`` are not promised by APScheduler; 3.11 is the
    last of its line, and ``tests/runtime/test_schedule.py`` measures what they are used for.
    """

    def __init__(self, most_s: float, before_look: Callable[[], None]) -> None:
        super().__init__(
            timezone=UTC,
            # Named here, so that nothing is looked up in the file system on the loop.
            executors={"default": AsyncIOExecutor()},
            job_defaults={"misfire_grace_time": None, "coalesce": True},
        )
        self._most_s = most_s
        self._before_look = before_look

    def _start_timer(self, wait_seconds: float | None) -> None:
        most = self._most_s
        if self._eventloop is None:
            return  # Shut down while a look was on its way.
        super()._start_timer(most if wait_seconds is None else min(wait_seconds, most))

    def _process_jobs(self) -> Any:
        if self._eventloop is None:
            return None  # As above.
        self._before_look()
        return super()._process_jobs()


class _Steadily(BaseTrigger):  # type: ignore[misc]  # as above
    """Fires one span after now, however many were missed."""

    def __init__(self, span: timedelta) -> None:
        self._span = span

    def get_next_fire_time(self, _previous: datetime | None, now: datetime) -> datetime:
        return now + self._span
