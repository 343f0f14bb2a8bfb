"""The end of ``homey-tokend run`` when a thread hangs."""

import subprocess
import sys
import time

import pytest

#: Ends as ``run`` does, with threads that hang for so many seconds.
PROGRAM = """
import sys, threading, time
from homey_tokend.cli import run
for hanging in (float(word) for word in sys.argv[1:]):
    threading.Thread(target=time.sleep, args=(hanging,)).start()
run.abandon_stuck_threads(1)
print("all ended", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hanging", "output"),
    [((), "all ended\n"), (("0.05",), "all ended\n"), (("60", "60"), "")],
    ids=["none", "a moment", "for ever"],
)
def test_a_thread_in_a_write_to_a_dead_mount(hanging: tuple[str, ...], output: str) -> None:
    """The process waits for a moment, then exits; Python itself would wait for the thread."""
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", PROGRAM, *hanging], capture_output=True, text=True, check=False
    )

    assert (0, output, "") == (done.returncode, done.stdout, done.stderr)
    assert time.monotonic() - begun < 30
