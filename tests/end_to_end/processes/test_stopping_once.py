"""``once`` and ``check --online``, stopped before their end."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from tests.end_to_end.processes.cloud import Clouds, met, until
from tests.end_to_end.processes.daemons import (
    PROGRAM,
    ROOT,
    Daemons,
    configuration,
    environment,
    write,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def begun(path: Path, *words: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, *words, "-c", str(path)],
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: "subprocess.Popen[str]", number: signal.Signals) -> tuple[int, float, str]:
    """Return the status, the seconds that it took, and the output."""
    at = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, time.monotonic() - at, out + err


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("words", [("once",), ("check", "--online")], ids=["once", "check"])
@pytest.mark.parametrize(
    ("number", "status"),
    [(signal.SIGTERM, exit_codes.TERMINATED), (signal.SIGINT, exit_codes.INTERRUPTED)],
)
def test_during_a_secret_command(
    clouds: Clouds, daemons: Daemons, words: tuple[str, ...], number: signal.Signals, status: int
) -> None:
    """It stops within 5 s with its command, and releases the lock."""
    folder = daemons.folder()
    pid = folder / "pid"
    asked = {"command": ["/bin/sh", "-c", f"echo $$ > {pid}.new; mv {pid}.new {pid}; sleep 300"]}
    document = configuration(clouds.start(), folder, homey={"password": asked})
    path = write(folder, document)
    process = begun(path, *words)
    until(pid.exists, "the command runs")
    got, took, said = ended(process, number)
    child = int(pid.read_text(encoding="ascii"))

    assert status == got
    assert took < 5
    assert "Traceback" not in said
    until(lambda: not alive(child), "the command is gone", 2)


def test_during_a_step(clouds: Clouds, daemons: Daemons) -> None:
    """A hanging request is cancelled; the password that was sent is in the budget."""
    folder, cloud = daemons.folder(), clouds.start()
    cloud.add_fault(step="delegation", kind="hang")
    process = begun(write(folder, configuration(cloud, folder)), "once")
    until(lambda: met(cloud, "delegation", "hang"), "it hangs")
    got, took, said = ended(process, signal.SIGTERM)
    (account,) = json.loads((folder / "state.json").read_bytes())["accounts"].values()

    assert exit_codes.TERMINATED == got
    assert took < 5
    assert "Traceback" not in said
    assert 1 == len(account["sign_ins"])
