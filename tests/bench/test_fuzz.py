"""Each fuzzer runs, and finds nothing in its first inputs."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("target", ["secrets", "configuration", "environment", "answers"])
def test_a_few_inputs(target: str) -> None:
    """`.ci/run` tries many more, with another seed each time."""
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-m", "bench.fuzz", target, "--seed", "1", "--inputs", "25", "--seconds", "50"],
        cwd=ROOT, capture_output=True, text=True, timeout=55, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{target}: seed 1, " in done.stdout
    assert " 0 faults" in done.stdout
