"""Random inputs for the code that reads what others wrote, and what must hold for each of them.

python -m bench.fuzz [--seconds N] [--seed S] [--first N] [--inputs N] [TARGET…]

Targets: secrets, configuration, environment, answers. Each input is drawn from the seed, the name
of the target and its number alone, so one is repeated with --seed, --first and --inputs 1.
"""

import argparse
import asyncio
import secrets as chance
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import FrameType
from typing import Any, Protocol

import structlog

from bench.fuzz import answers, configuration, environment, secrets
from bench.fuzz.mutate import FaultFound

#: The longest time for one input: far more than any takes on a busy machine.
HANG_S = 40
#: The most different faults that are shown for a target.
_MOST_FAULTS = 5


class Target(Protocol):
    """What is tried: an input is drawn, and what the code does with it is checked."""

    def draw(self, rng: Random) -> Any: ...

    async def check(self, given: Any) -> None:
        """Raise any exception if something does not hold."""


TARGETS: dict[str, Callable[[Path], Target]] = {
    "secrets": secrets.Target,
    "configuration": configuration.Target,
    "environment": environment.Target,
    "answers": answers.Target,
}


async def fuzz(
    name: str, target: Target, seed: int, *, seconds: float, first: int, inputs: int
) -> int:
    """Try one target; print its faults and a summary, and return the number of faults."""
    faults: set[str] = set()
    slowest, number, began = (0.0, first), first, time.monotonic()
    while number < first + inputs and len(faults) < _MOST_FAULTS:
        if time.monotonic() - began > seconds:
            break
        given = target.draw(Random(f"{seed} {name} {number}"))
        started = time.monotonic()
        signal.alarm(2 * HANG_S)  # for a loop that never awaits
        try:
            async with asyncio.timeout(HANG_S):
                await target.check(given)
        except Exception as error:  # noqa: BLE001  any other error is a fault
            where = repr(traceback.extract_tb(error.__traceback__)[-1]) + type(error).__name__
            if where not in faults:
                faults.add(where)
                print(
                    f"FAULT {name}: python -m bench.fuzz {name} --seed {seed} --first {number} --inputs 1"
                )
                print(f"input: {_short(given)}")
                traceback.print_exception(error, file=sys.stdout)
        finally:
            signal.alarm(0)
        slowest = max(slowest, (time.monotonic() - started, number))
        number += 1
    print(
        f"{name}: seed {seed}, {number - first} inputs from {first} on in "
        f"{time.monotonic() - began:.0f} s, {len(faults)} faults, "
        f"slowest {slowest[0]:.2f} s (input {slowest[1]})",
        flush=True,
    )
    return len(faults)


def _short(given: object) -> str:
    text = repr(given)
    return text if len(text) < 20_000 else f"{text[:10_000]} … {text[-10_000:]}"


def _hangs(_: int, __: FrameType | None) -> None:
    raise FaultFound(f"no end within {2 * HANG_S} s")


async def run(args: argparse.Namespace) -> int:
    """Try the targets one after the other; return the number of faults."""
    found = 0
    for name in args.targets or TARGETS:
        with tempfile.TemporaryDirectory(prefix="fuzz") as folder:
            target = TARGETS[name](Path(folder))
            found += await fuzz(
                name, target, args.seed,
                seconds=args.seconds, first=args.first, inputs=args.inputs,
            )  # fmt: skip
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=float, default=15, help="for each target (15)")
    parser.add_argument("--seed", type=int, default=chance.randbelow(10**6), help="(random)")
    parser.add_argument("--first", type=int, default=0, help="the number of the first input")
    parser.add_argument("--inputs", type=int, default=10**9, help="the most inputs of a target")
    args = parser.parse_args()
    if unknown := set(args.targets) - set(TARGETS):
        parser.error(f"no target: {', '.join(sorted(unknown))}")
    signal.signal(signal.SIGALRM, _hangs)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    return 1 if asyncio.run(run(args)) else 0


if __name__ == "__main__":
    sys.exit(main())
