"""Is each rule watched? Broken once on purpose, the simulated year must find it.

python -m bench.mutations [--only WORD]

Each mutation is made in a copy of the package, never here; the copy's year is
played with the seed that is known to catch it, and must be called BROKEN for the
reason named. Unmutated, the same days are ok.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PARTS = ("homey_tokend", "bench")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One rule, and how it is broken; ``words`` are expected in the judge's verdict."""

    name: str
    file: str
    old: str
    new: str
    words: str
    seed: int = 1
    days: int = 60


MUTATIONS = (
    Mutation(
        "a token is served past its expiry",
        "model/tokens.py",
        "return now < self.expires_at",
        "return now < self.expires_at + timedelta(hours=1)",
        "past its expiry",
    ),
    Mutation(
        "refused values are tried every quarter of an hour",
        "account.py",
        "LADDER = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))",
        "LADDER = (timedelta(minutes=15),)",
        "refused sign-ins within a day",
    ),
    Mutation(
        "a token that must be renewed waits like any other",
        "spacing.py",
        "MUST_GAP = timedelta(seconds=60)",
        "MUST_GAP = timedelta(hours=1)",
        "although one could be had",
    ),
    Mutation(
        "after an outage nobody tries again",
        "spacing.py",
        "yield Gate(at + (min(gap, MUST_GAP) if must else gap)",
        "yield Gate(at + timedelta(days=2)",
        "although one could be had",
    ),
    Mutation(
        "an outage uses up the budget",
        "account.py",
        "return replace(self, sign_ins=self.sign_ins[:-1])",
        "return self",
        "although one could be had",
    ),
    Mutation(
        "there is no budget",
        "budget.py",
        "BUDGET, BUDGET_EACH = 10, 2",
        "BUDGET, BUDGET_EACH = 1000, 2",
        "within half of a token's life",
    ),
    Mutation(
        "a failed refresh drops the token",
        "state.py",
        "        return replace(self, failure=failure)\n",
        "        return replace(self, failure=failure, token=None)\n",
        "withheld",
    ),
    Mutation(
        "a revoked token stays",
        "state.py",
        "return replace(self, revoked=True, asked_at=at)",
        "return replace(self, asked_at=at)",
        "a revoked token is served on",
    ),
    Mutation(
        "a sink that was changed is not looked at",
        "upkeep.py",
        "    return last + plan.verify_every\n\n\ndef sink_due_at",
        "    return _NEVER\n\n\ndef sink_due_at",
        "the variable lags behind",
    ),
)


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ht") as made:
        for part in PARTS:
            shutil.copytree(
                ROOT / part, Path(made) / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        yield Path(made)


def _year(place: Path, seed: int, days: int) -> str:
    words = [sys.executable, "-m", "bench.year", "--seed", str(seed), "--days", str(days)]
    environ = {**os.environ, "PYTHONPATH": str(place)}
    done = subprocess.run(
        words, cwd=place, env=environ, capture_output=True, text=True, check=False
    )
    return done.stdout + done.stderr


def _caught(mutation: Mutation) -> tuple[bool, str]:
    with _copy() as place:
        path = place / "homey_tokend" / mutation.file
        text = path.read_text(encoding="utf-8")
        if text.count(mutation.old) != 1:
            return False, f"{mutation.file} does not have this text once: {mutation.old!r}"
        path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
        told = _year(place, mutation.seed, mutation.days)
    found = [line.strip() for line in told.splitlines() if mutation.words in line]
    return bool(found), found[0] if found else told.strip()[-600:]


def _unbroken(played: tuple[int, int]) -> tuple[bool, str]:
    with _copy() as place:
        told = _year(place, *played)
    return "1 passed, 0 failed" in told, told.strip().splitlines()[0]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutations with this in their name")
    parser.add_argument("--seed", type=int, help="look for another seed that catches them")
    parser.add_argument("--days", type=int, help="play more days")
    told = parser.parse_args()
    wanted = [one for one in MUTATIONS if told.only in one.name]
    if told.seed or told.days:
        wanted = [
            Mutation(
                one.name, one.file, one.old, one.new, one.words,
                told.seed or one.seed, told.days or one.days,
            )
            for one in wanted
        ]  # fmt: skip
    played = sorted({(one.seed, one.days) for one in wanted})
    failed = 0
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for (seed, days), (good, words) in zip(played, pool.map(_unbroken, played), strict=True):
            print(f"{'ok' if good else 'FAIL':6} seed {seed}, {days} days, unmutated: {words}")
            failed += not good
        for one, (good, words) in zip(wanted, pool.map(_caught, wanted), strict=True):
            print(f"{'caught' if good else 'MISSED':6} {one.name} (seed {one.seed}): {words}")
            failed += not good
    print(f"{len(wanted) + len(played) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
