"""Run one year: a machine, its incidents and its judge, on a loop that skips all waiting."""

import asyncio
import gc
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from random import Random

from bench.simyear.cloud import Cloud
from bench.simyear.event_log import EventLog
from bench.simyear.faults import FAULTS
from bench.simyear.incidents import DAY_S, YEAR_DAYS, Action, Incidents
from bench.simyear.judge import MAX_MISS, Judge
from bench.simyear.loop import JumpingLoop, YearClock
from bench.simyear.machine import Machine

#: Mean seconds between two observations; each is drawn, so that no rhythm hides anything.
OBSERVE_S = 480.0
#: The same while no valid token is served, at first and later. The passing of time ends a wait after
#: a rejection or for the budget, which a heartbeat notices; it is run at these observations.
OBSERVE_IN_GAP_S, OBSERVE_IN_LONG_GAP_S = 2.0, 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One year in figures.

    ``running_time``, ``obtainable_time`` and ``served_time`` are those of the judge. ``drops`` are
    results that came after a newer token and were discarded.
    """

    seed: int
    running_time: timedelta
    obtainable_time: timedelta
    served_time: timedelta
    gap: timedelta
    missed: timedelta
    lag: timedelta
    sign_ins: int
    rejected_a_day: int
    forced_a_day: int
    sign_ins_in_half_life: int
    drops: int
    drifts: int
    broken: tuple[str, ...]
    processor_s: float


class Year:
    """Run a machine, its incidents and its judge to the end."""

    def __init__(self, seed: int, days: int) -> None:
        random = Random(seed)
        self.loop = JumpingLoop()
        clock = YearClock(self.loop, Random(random.random()))
        self.cloud = Cloud(clock, Random(random.random()), FAULTS)
        self.machine = Machine(self.loop, self.cloud, clock, Random(random.random()))
        self.incidents = Incidents(self.machine, self.cloud, Random(random.random()))
        self.judge = Judge(self.machine, self.cloud)
        self.machine.before_change = self.cloud.before_change = self.judge.observe
        self.machine.on_save = self.judge.on_save
        self.cloud.report, self.cloud.on_request = self.judge.verdict, self.judge.limits.on_request
        self.cloud.on_superseded = self.judge.on_superseded
        self._days = days
        self._random = Random(random.random())

    async def play(self) -> None:
        acts: set[asyncio.Task[None]] = set()
        await self.machine.start()
        plan = self.incidents.plan(self._days)
        while self.loop.time() < self._days * DAY_S:
            await asyncio.sleep(self.seconds_to_next_observation())
            while plan and plan[0][0] <= self.loop.time():
                acts.add(asyncio.create_task(_run_action(plan.pop(0)[1])))
            self.judge.observe()
            if self.is_blocked():
                await self.machine.heartbeat()
        self.judge.end()
        for act in acts:
            act.cancel()
        await asyncio.gather(*acts, return_exceptions=True)
        await self.machine.kill()

    def seconds_to_next_observation(self) -> float:
        """Return a long time without a fault, a short one in a gap or at the served token's end."""
        gap = self.judge.in_gap
        if gap is not None:
            often = OBSERVE_IN_GAP_S if gap < MAX_MISS else OBSERVE_IN_LONG_GAP_S
            return self._random.uniform(0.2, 1.8) * often
        often = OBSERVE_IN_LONG_GAP_S if self.is_blocked() else OBSERVE_S
        seconds = self._random.uniform(0.2, 1.8) * often
        session = self.cloud.sessions.get(self.machine.served() or "")
        if session is not None:
            left = (session.expires_at - self.cloud.clock.truth()).total_seconds()
            seconds = min(seconds, max(left, 0.0) + self._random.random())
        return seconds

    def is_blocked(self) -> bool:
        keeper = self.machine.keeper
        return keeper is not None and keeper.view.sign_in_blocked_until is not None


async def _run_action(act: Action) -> None:
    try:
        await act()
    except TimeoutError:
        return


def year(
    seed: int,
    days: int = YEAR_DAYS,
    *,
    echo: Callable[[str], None] | None = None,
    broken: Callable[[str], None] = lambda _verdict: None,
) -> Outcome:
    """Play one year, or a part of one.

    Args:
        seed: What everything is drawn from.
        days: How many of the year's days.
        echo: Called with each line of its event log.
        broken: Called with each verdict of the judge.
    """
    began = time.process_time()
    played = Year(seed, days)
    played.judge.on_verdict = broken
    events = EventLog(played.cloud.clock, echo)
    events.install()
    asyncio.set_event_loop(played.loop)
    try:
        played.loop.run_until_complete(played.play())
    finally:
        played.loop.close()
        asyncio.set_event_loop(None)
    judge = played.judge
    return Outcome(
        seed=seed,
        running_time=judge.running_time,
        obtainable_time=judge.obtainable_time,
        served_time=judge.served_time,
        gap=judge.longest_gap,
        missed=judge.longest_miss,
        lag=judge.longest_lag,
        sign_ins=len(played.cloud.logins),
        rejected_a_day=judge.limits.rejected_a_day(),
        forced_a_day=judge.limits.forced_a_day(),
        sign_ins_in_half_life=judge.limits.sign_ins_a_span(),
        drops=events.count["outcome.dropped"],
        drifts=events.count["sink.drifted"],
        broken=tuple(judge.broken),
        processor_s=time.process_time() - began,
    )


def play_and_print(seed: int, days: int, words: tuple[str, ...] = ()) -> None:
    """Play a year and print its verdicts, or "ok"; end as soon as a verdict contains ``words``."""
    gc.set_threshold(100_000, 20, 20)

    def stop(verdict: str) -> None:
        if any(word in verdict for word in words):
            print(verdict, flush=True)
            os._exit(1)

    print("\n".join(year(seed, days, broken=stop).broken) or "ok")
