"""Run one year: a machine, its incidents and its judge, on a loop that jumps over the waiting."""

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
from bench.simyear.incidents import DAY_S, YEAR_DAYS, Act, Incidents
from bench.simyear.judge import STRETCH, Judge
from bench.simyear.loop import JumpingLoop, YearClock
from bench.simyear.machine import Machine

#: How often does a reader look, in seconds? Drawn around this, so that no rhythm hides anything.
LOOK_S = 480.0
#: And while no good token is served, at first and later? What a rejection or the budget holds back
#: may be free by the passing of time: the heartbeat sees it, and is played at these looks.
LOOK_IN_GAP_S, LOOK_IN_LONG_GAP_S = 2.0, 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One year in figures.

    For ``ran`` the process ran, for ``could`` of that a good token was held or nothing
    stood in the way of one, for ``had`` a reader got one. ``drops`` are results that came
    after a newer token and were thrown away.
    """

    seed: int
    ran: timedelta
    could: timedelta
    had: timedelta
    gap: timedelta
    missed: timedelta
    lag: timedelta
    sign_ins: int
    rejected_a_day: int
    forced_a_day: int
    in_half_a_life: int
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
        self.machine.before = self.cloud.before = self.judge.look
        self.machine.saved = self.judge.saved
        self.cloud.report, self.cloud.on_request = self.judge.verdict, self.judge.on_request
        self.cloud.on_superseded = self.judge.on_superseded
        self._days = days
        self._random = Random(random.random())

    async def play(self) -> None:
        acts: set[asyncio.Task[None]] = set()
        await self.machine.start()
        plan = self.incidents.plan(self._days)
        while self.loop.time() < self._days * DAY_S:
            await asyncio.sleep(self.until_next_look())
            while plan and plan[0][0] <= self.loop.time():
                acts.add(asyncio.create_task(_act(plan.pop(0)[1])))
            self.judge.look()
            if self.refusing():
                await self.machine.heartbeat()
        self.judge.end()
        for act in acts:
            act.cancel()
        await asyncio.gather(*acts, return_exceptions=True)
        await self.machine.kill()

    def until_next_look(self) -> float:
        """Seldom while all is well, often in a gap; never long after the served token's end."""
        gap = self.judge.in_gap
        if gap is not None:
            often = LOOK_IN_GAP_S if gap < STRETCH else LOOK_IN_LONG_GAP_S
            return self._random.uniform(0.2, 1.8) * often
        often = LOOK_IN_LONG_GAP_S if self.refusing() else LOOK_S
        seconds = self._random.uniform(0.2, 1.8) * often
        session = self.cloud.sessions.get(self.machine.served() or "")
        if session is not None:
            left = (session.expires_at - self.cloud.clock.truth()).total_seconds()
            seconds = min(seconds, max(left, 0.0) + self._random.random())
        return seconds

    def refusing(self) -> bool:
        keeper = self.machine.keeper
        return keeper is not None and keeper.view.sign_in_blocked_until is not None


async def _act(act: Act) -> None:
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
        echo: Told its event log.
        broken: Told each verdict of the judge, at once.
    """
    began = time.process_time()
    played = Year(seed, days)
    played.judge.on_verdict = broken
    events = EventLog(played.cloud.clock, echo)
    events.begin()
    asyncio.set_event_loop(played.loop)
    try:
        played.loop.run_until_complete(played.play())
    finally:
        played.loop.close()
        asyncio.set_event_loop(None)
    judge = played.judge
    return Outcome(
        seed=seed,
        ran=judge.ran,
        could=judge.could,
        had=judge.had,
        gap=judge.longest_gap,
        missed=judge.longest_miss,
        lag=judge.longest_lag,
        sign_ins=len(played.cloud.logins),
        rejected_a_day=judge.rejected_a_day(),
        forced_a_day=judge.forced_a_day(),
        in_half_a_life=judge.sign_ins_a_span(),
        drops=events.count["outcome.dropped"],
        drifts=events.count["sink.drifted"],
        broken=tuple(judge.broken),
        processor_s=time.process_time() - began,
    )


def alone(seed: int, days: int, words: tuple[str, ...] = ()) -> None:
    """Play a year and print what was broken, or that all is ok; end once a verdict has ``words``."""
    gc.set_threshold(100_000, 20, 20)

    def stop(verdict: str) -> None:
        if any(word in verdict for word in words):
            print(verdict, flush=True)
            os._exit(1)

    print("\n".join(year(seed, days, broken=stop).broken) or "ok")
