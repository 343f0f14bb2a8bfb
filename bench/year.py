"""A simulated year of failures: is a valid token held whenever one is obtainable?

python -m bench.year --seeds 8          # the figures of the years 1 to 8
python -m bench.year --fresh 20         # new years: their seeds are drawn and printed
python -m bench.year --seed 3 --log     # one of them again, with its event log

Each year has its own process, as many at a time as there are cores. ``valid`` is the share of time
in which a reader got a valid token, of the time in which one was obtainable: the process ran, and
either a valid one was held or nothing prevented a new one; in parentheses the share of all the time
in which the process ran. ``gap`` is the longest time without one, ``missed`` the part of such a time
in which nothing prevented a new one. ``drops`` are results that came after a newer token and were
discarded; ``drifts`` are variables that a person had changed or deleted, and that were corrected.
"""

import argparse
import gc
import multiprocessing
import os
import secrets
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta
from functools import partial

from bench.simyear.incidents import YEAR_DAYS
from bench.simyear.play import Outcome, year

#: Fresh seeds are drawn below this: short enough to be read out.
SEEDS = 10**9


def figures(ones: Sequence[Outcome]) -> str:
    """Return the figures of one year, or of several together, in one line."""
    running, obtainable, served = (
        sum((getattr(one, name) for one in ones), timedelta(0))
        for name in ("running_time", "obtainable_time", "served_time")
    )
    gap, missed, lag = (
        max(getattr(one, name) for one in ones) for name in ("gap", "missed", "lag")
    )
    rejected, forced, spent = (
        max(getattr(one, name) for one in ones)
        for name in ("rejected_a_day", "forced_a_day", "sign_ins_in_half_life")
    )
    return (
        f"valid {served / obtainable:.4%} ({served / running:.2%} of all)  gap {_hours(gap)}"
        f"  missed {missed.total_seconds():.0f} s  variable lag {lag.total_seconds() / 60:.0f} min"
        f"  sign-ins {sum(one.sign_ins for one in ones)}, in half a life {spent},"
        f" rejected a day {rejected} + {forced} forced"
        f"  drops {sum(one.drops for one in ones)}  drifts {sum(one.drifts for one in ones)}"
    )


def _hours(span: timedelta) -> str:
    return f"{span.total_seconds() / 3600:.1f} h"


def play_all(seeds: Sequence[int], days: int) -> Iterator[Outcome]:
    """Yield the outcomes in order; each year is played in its own process."""
    spawn = multiprocessing.get_context("spawn")
    cores = len(os.sched_getaffinity(0))
    with ProcessPoolExecutor(cores, mp_context=spawn, max_tasks_per_child=1) as pool:
        yield from pool.map(partial(_year, days=days), seeds)


def _year(seed: int, days: int) -> Outcome:
    # Collecting garbage less often saves a tenth of the time.
    gc.set_threshold(100_000, 20, 20)
    return year(seed, days)


def _play_with_log(seed: int, days: int) -> Outcome:
    return year(seed, days, echo=print)


def select_seeds(args: argparse.Namespace) -> list[int]:
    """Return the seeds to play: one, some drawn by the system, or the first ones."""
    if args.seed is not None:
        return [args.seed]
    if args.fresh:
        return [secrets.randbelow(SEEDS) for _ in range(args.fresh)]
    return list(range(1, args.seeds + 1))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--seeds", type=int, default=1, help="how many years, from seed 1")
    which.add_argument("--fresh", type=int, default=0, help="how many years with drawn seeds")
    which.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--days", type=int, default=YEAR_DAYS, help="of each year")
    parser.add_argument("--log", action="store_true", help="with the event log")
    args = parser.parse_args()
    seeds = select_seeds(args)
    if args.fresh:
        print("seeds:", *seeds, flush=True)
    ones = []
    years = (
        (_play_with_log(seed, args.days) for seed in seeds)
        if args.log
        else play_all(seeds, args.days)
    )
    for one in years:
        ones.append(one)
        verdict = "BROKEN" if one.broken else "ok"
        print(f"seed {one.seed:<9} {figures([one])}  {verdict}", flush=True)
        for line in one.broken:
            print(f"    {line}")
        if one.broken:
            print(f"    again: python -m bench.year --seed {one.seed} --days {args.days} --log")
    failed = [one.seed for one in ones if one.broken]
    print(f"all {len(ones):<10} {figures(ones)}")
    print(f"at most {max(one.processor_s for one in ones):.1f} s of processor a year")
    print(f"{len(ones) - len(failed)} passed, {len(failed)} failed", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
