"""A simulated year of trouble: is a valid token held whenever one could be had?

python -m bench.year --seeds 8          # the figures of eight years
python -m bench.year --seed 3 --log     # one of them again, with its event log
"""

import argparse
import asyncio
import sys
import time
from collections.abc import MutableMapping
from dataclasses import dataclass
from random import Random
from typing import Any

import structlog

from bench.simyear.cloud import Cloud
from bench.simyear.judge import Judge
from bench.simyear.loop import JumpingLoop, YearClock
from bench.simyear.machine import Machine
from bench.simyear.troubles import YEAR_S, Troubles

#: How often does a reader look, in seconds? Drawn around this, so that no rhythm hides anything.
LOOK_S = 240.0
SECONDS_A_YEAR = 15.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """One year."""

    seed: int
    judge: Judge
    sign_ins: int
    seconds: float


async def _play(machine: Machine, troubles: Troubles, judge: Judge, chance: Random) -> None:
    loop = asyncio.get_running_loop()
    acts: set[asyncio.Task[None]] = set()
    await machine.start()
    plan = troubles.plan()
    while loop.time() < YEAR_S:
        await asyncio.sleep(chance.uniform(0.2, 1.8) * LOOK_S)
        while plan and plan[0][0] <= loop.time():
            acts.add(asyncio.create_task(_act(plan.pop(0)[1])))
        judge.look()
        if machine.keeper is not None and machine.keeper.view.refusing_until is not None:
            await machine.beat()
    judge.end()
    for act in acts:
        act.cancel()
    await asyncio.gather(*acts, return_exceptions=True)
    await machine.kill()


async def _act(act: Any) -> None:
    try:
        await act()
    except TimeoutError:
        return


def year(seed: int) -> Outcome:
    """Play one year."""
    began = time.perf_counter()
    chance = Random(seed)
    loop = JumpingLoop()
    asyncio.set_event_loop(loop)
    try:
        clock = YearClock(loop, Random(chance.random()))
        cloud = Cloud(clock, Random(chance.random()))
        machine = Machine(loop, cloud, clock, Random(chance.random()))
        troubles = Troubles(machine, cloud, Random(chance.random()))
        judge = Judge(machine, cloud)
        loop.run_until_complete(_play(machine, troubles, judge, Random(chance.random())))
    finally:
        loop.close()
        asyncio.set_event_loop(None)
    return Outcome(seed, judge, len(cloud.logins), time.perf_counter() - began)


def _quiet() -> None:
    def drop(_logger: object, _method: str, _event: MutableMapping[str, Any]) -> Any:
        raise structlog.DropEvent

    structlog.configure(
        processors=[drop], wrapper_class=structlog.make_filtering_bound_logger("error")
    )


def _told(outcome: Outcome) -> str:
    judge = outcome.judge
    could = judge.had + judge.could
    share = judge.had / could if could else 1.0
    return (
        f"seed {outcome.seed:4}  valid {share:9.5%}  longest gap {judge.longest_gap!s:>16.10}"
        f"  sign-ins {outcome.sign_ins:5}  refused a day {judge.refused_a_day()}"
        f"  variable lag {judge.lag!s:>16.10}  {outcome.seconds:5.1f} s"
        f"  {'ok' if not judge.broken else 'BROKEN'}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="how many years, from seed 1")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--log", action="store_true", help="with the daemon's event log")
    told = parser.parse_args()
    if not told.log:
        _quiet()
    seeds = [told.seed] if told.seed is not None else range(1, told.seeds + 1)
    failed = 0
    for seed in seeds:
        outcome = year(seed)
        print(_told(outcome), flush=True)
        for line in outcome.judge.broken:
            print(f"    {line}")
        failed += bool(outcome.judge.broken)
    print(f"{len(seeds) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
