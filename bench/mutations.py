"""Whether each rule is checked: if it is broken on purpose, a simulated year must find it.

python -m bench.mutations [--only WORD]

Each mutation is made in a copy of the package; the copy's year is played with the seed that is
known to find it, and must end with the verdict named. Unmutated, the same days are ok. If the known
seed no longer finds it, because a changed daemon draws random values at other moments, other seeds
are tried; the one that finds it is printed, for ``bench/simyear/rules.py``.
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
from dataclasses import replace
from pathlib import Path

from bench.simyear.rules import MUTATIONS, Mutation

ROOT = Path(__file__).parents[1]
PARTS = ("homey_tokend", "bench")
#: A year is over after a tenth of this.
TIMEOUT_S = 400
#: Tried where the known seed finds nothing, the cheapest first.
OTHER_YEARS = [(seed, days) for days in (60, 120, 365) for seed in range(1, 5)]


@contextmanager
def _copy() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="ht") as made:
        for part in PARTS:
            shutil.copytree(
                ROOT / part, Path(made) / part, ignore=shutil.ignore_patterns("__pycache__")
            )
        yield Path(made)


def _year(place: Path, seed: int, days: int, *words: str) -> str:
    play = f"from bench.simyear.play import play_and_print; play_and_print({seed}, {days}, {words})"
    environ = {**os.environ, "PYTHONPATH": str(place)}
    try:
        done = subprocess.run(
            [sys.executable, "-c", play],
            cwd=place, env=environ, capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return f"not over within {TIMEOUT_S} s"
    return done.stdout + done.stderr


def _try_year(mutation: Mutation) -> tuple[bool, str]:
    with _copy() as place:
        found = mutate(place / "homey_tokend", mutation)
        if found != mutation.times:
            return False, f"the package has {found} of this text: {mutation.old!r}"
        output = _year(place, mutation.seed, mutation.days, mutation.words)
    lines = [line.strip() for line in output.splitlines() if mutation.words in line]
    return bool(lines), lines[0] if lines else output.strip()[-600:]


def mutate(package: Path, mutation: Mutation) -> int:
    """Replace the text everywhere; return how often it was found."""
    found = 0
    for path in package.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if count := text.count(mutation.old):
            found += count
            path.write_text(text.replace(mutation.old, mutation.new), encoding="utf-8")
    return found


def _check_unmutated(played: tuple[int, int]) -> tuple[bool, str]:
    with _copy() as place:
        output = _year(place, *played)
    return output == "ok\n", output.strip()[-600:]


def _find_year(mutation: Mutation) -> tuple[bool, str]:
    """Return whether a mutation is caught, and by which year; the known one is tried first."""
    words = ""
    for seed, days in [(mutation.seed, mutation.days), *OTHER_YEARS]:
        found, words = _try_year(replace(mutation, seed=seed, days=days))
        if found or "of this text" in words:
            moved = "" if (seed, days) == (mutation.seed, mutation.days) else ", another one"
            return found, f"(seed {seed}, {days} days{moved}): {words}"
    return False, words


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="mutations with this in their name")
    args = parser.parse_args()
    wanted = [one for one in MUTATIONS if args.only in one.name]
    played = sorted({(one.seed, one.days) for one in wanted})
    failed = 0
    # The longest first, so that no core is idle at the end.
    wanted.sort(key=lambda one: -one.days)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        unmutated = pool.map(_check_unmutated, played)
        caught = pool.map(_find_year, wanted)
        for (seed, days), (good, words) in zip(played, unmutated, strict=True):
            print(f"{'ok' if good else 'FAIL':6} seed {seed}, {days} days, unmutated: {words}")
            failed += not good
        for one, (good, words) in zip(wanted, caught, strict=True):
            print(f"{'caught' if good else 'MISSED':6} {one.name} {words}", flush=True)
            failed += not good
    print(f"{len(wanted) + len(played) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
