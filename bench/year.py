"""A simulated year of trouble: is a valid token held whenever one could be had?

python -m bench.year --seeds 8          # the figures of eight years
python -m bench.year --seed 3 --log     # one of them again, with its event log

A year takes at most 15 s on a core of its own. ``valid`` is the share of the
process's running time in which a reader got a good token, whatever the hosts were
like; ``gap`` the longest time without one; ``missed`` the part of such a time in
which nothing stood in the way of a new one.
"""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from bench.simyear.cloud import Cloud
from bench.simyear.judge import STRETCH, Judge
from bench.simyear.loop import JumpingLoop, YearClock
from bench.simyear.machine import Machine
from bench.simyear.troubles import DAY_S, YEAR_DAYS, Act, Troubles

#: How often does a reader look, in seconds? Drawn around this, so that no rhythm hides anything.
LOOK_S = 480.0
#: And while no good token is served, at first and later?
LOOK_IN_GAP_S, LOOK_IN_LONG_GAP_S = 2.0, 30.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One year."""

    seed: int
    judge: Judge
    sign_ins: int
    seconds: float


class Year:
    """Plays a machine, its troubles and its judge to the end."""

    def __init__(self, seed: int, days: int) -> None:
        chance = Random(seed)
        self.loop = JumpingLoop()
        clock = YearClock(self.loop, Random(chance.random()))
        self.cloud = Cloud(clock, Random(chance.random()))
        self.machine = Machine(self.loop, self.cloud, clock, Random(chance.random()))
        self.troubles = Troubles(self.machine, self.cloud, Random(chance.random()))
        self.judge = Judge(self.machine, self.cloud)
        self.machine.before = self.cloud.before = self.judge.look
        self._days = days
        self._chance = Random(chance.random())

    async def play(self) -> None:
        acts: set[asyncio.Task[None]] = set()
        await self.machine.start()
        plan = self.troubles.plan(self._days)
        while self.loop.time() < self._days * DAY_S:
            await asyncio.sleep(self._until_next_look())
            while plan and plan[0][0] <= self.loop.time():
                acts.add(asyncio.create_task(_act(plan.pop(0)[1])))
            self.judge.look()
            if self._refusing():
                await self.machine.beat()
        self.judge.end()
        for act in acts:
            act.cancel()
        await asyncio.gather(*acts, return_exceptions=True)
        await self.machine.kill()

    def _until_next_look(self) -> float:
        """Seldom while all is well, often in a gap; never long after the served token's end."""
        gap = self.judge.in_gap
        if gap is not None:
            often = LOOK_IN_GAP_S if gap < STRETCH else LOOK_IN_LONG_GAP_S
            return self._chance.uniform(0.2, 1.8) * often
        seconds = self._chance.uniform(0.2, 1.8) * LOOK_S
        session = self.cloud.sessions.get(self.machine.served() or "")
        if session is not None:
            left = (session.expires_at - self.cloud.clock.truth()).total_seconds()
            seconds = min(seconds, max(left, 0.0) + self._chance.random())
        return seconds

    def _refusing(self) -> bool:
        keeper = self.machine.keeper
        return keeper is not None and keeper.view.refusing_until is not None


async def _act(act: Act) -> None:
    try:
        await act()
    except TimeoutError:
        return


def year(seed: int, days: int = YEAR_DAYS) -> Outcome:
    """Play one year, or a part of one."""
    began = time.process_time()
    played = Year(seed, days)
    asyncio.set_event_loop(played.loop)
    try:
        played.loop.run_until_complete(played.play())
    finally:
        played.loop.close()
        asyncio.set_event_loop(None)
    return Outcome(seed, played.judge, len(played.cloud.logins), time.process_time() - began)


def quiet() -> None:
    """Without the daemon's event log."""

    def drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> Any:
        raise structlog.DropEvent

    structlog.configure(
        processors=[drop], wrapper_class=structlog.make_filtering_bound_logger("error")
    )


def _told(outcome: Outcome) -> str:
    judge = outcome.judge
    return (
        f"seed {outcome.seed:4}  valid {judge.had / judge.ran:9.5%}  gap {judge.longest_gap!s:.7}"
        f"  missed {judge.longest_miss!s:.7}  variable lag {judge.longest_lag!s:.7}"
        f"  sign-ins {outcome.sign_ins:4}, refused a day {judge.refused_a_day()},"
        f" in half a life {judge.sign_ins_a_span():2}  {'BROKEN' if judge.broken else 'ok'}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=1, help="how many years, from seed 1")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--days", type=int, default=YEAR_DAYS, help="of each year")
    parser.add_argument("--log", action="store_true", help="with the daemon's event log")
    told = parser.parse_args()
    if not told.log:
        quiet()
    gc.set_threshold(100_000, 20, 20)
    seeds = [told.seed] if told.seed is not None else range(1, told.seeds + 1)
    failed, seconds = 0, 0.0
    for seed in seeds:
        outcome = year(seed, told.days)
        print(_told(outcome), flush=True)
        for line in outcome.judge.broken:
            print(f"    {line}")
        failed += bool(outcome.judge.broken)
        seconds = max(seconds, outcome.seconds)
    print(f"at most {seconds:.1f} s of processor a year", file=sys.stderr)
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
