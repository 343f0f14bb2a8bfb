"""The end of ``homey-tokend run``, when a thread does not come back."""

import subprocess
import sys
import time

import pytest

#: Ends as ``run`` does, with threads that hang for a minute and for a moment.
PROGRAM = """
import sys, threading, time
from homey_tokend.cli import run
for hanging in (float(word) for word in sys.argv[1:]):
    threading.Thread(target=time.sleep, args=(hanging,)).start()
run.abandon_stuck_threads(1)
print("all came back", flush=True)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("hanging", "told"),
    [((), "all came back\n"), (("0.05",), "all came back\n"), (("60", "60"), "")],
    ids=["none", "a moment", "for ever"],
)
def test_a_thread_in_a_write_to_a_dead_mount(hanging: tuple[str, ...], told: str) -> None:
    """It is waited for a moment, then left behind: Python by itself would wait for ever."""
    begun = time.monotonic()
    done = subprocess.run(  # noqa: S603  our own program
        [sys.executable, "-c", PROGRAM, *hanging], capture_output=True, text=True, check=False
    )

    assert (0, told, "") == (done.returncode, done.stdout, done.stderr)
    assert time.monotonic() - begun < 30
