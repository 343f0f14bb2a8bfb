"""What the measurements share: figures, pairs, pinning, and the table with PASS or FAIL."""

import json
import os
import statistics
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

#: A file to which the figures are added as JSON lines; ``bench/run`` makes its table of them.
COLLECT = "BENCH_FIGURES"


@dataclass(frozen=True)
class Figure:
    """One measured figure, and the mark that it must not exceed (or must reach)."""

    name: str
    value: float
    mark: float | None = None
    unit: str = ""
    at_least: bool = False

    @property
    def passed(self) -> bool:
        if self.mark is None:
            return True
        return self.value >= self.mark if self.at_least else self.value <= self.mark


def report(figures: Sequence[Figure]) -> int:
    """Print the table; return the exit status, 1 if a figure fails its mark."""
    if COLLECT in os.environ:
        with open(os.environ[COLLECT], "a", encoding="utf-8") as lines:  # noqa: PTH123  a line each
            lines.writelines(json.dumps(asdict(figure)) + "\n" for figure in figures)
    width = max(len(figure.name) for figure in figures)
    for figure in figures:
        sign = ">=" if figure.at_least else "<="
        mark = "" if figure.mark is None else f"{sign} {figure.mark:g} {figure.unit}"
        verdict = "" if figure.mark is None else ("PASS" if figure.passed else "FAIL")
        print(f"{figure.name:<{width}}  {figure.value:10.3f} {figure.unit:<5} {mark:<14} {verdict}")
    sys.stdout.flush()
    return 0 if all(figure.passed for figure in figures) else 1


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the value that this percentage of all is at or below."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))]


def paired(count: int, ours: Callable[[], float], bare: Callable[[], float]) -> list[float]:
    """Return ratios of ours to bare, measured alternately so that a drift affects both."""
    ratios = []
    for number in range(count):
        if number % 2:
            mine, floor = ours(), bare()
        else:
            floor, mine = bare(), ours()
        ratios.append(mine / floor)
    return ratios


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def pin(core: int) -> None:
    """Keep this process on one core, if there are several."""
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[core % len(cores)]})
