"""The daemon stops cleanly within five seconds, whatever hangs."""

import json
import signal
import socket
import stat
from functools import partial
from pathlib import Path

import pytest

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import Clouds, met, until
from tests.end_to_end.processes.daemons import END_WITHIN_S, Daemon, Daemons, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

STEPS = (
    "login",
    "authorise",
    "consent",
    "token",
    "user",
    "delegation",
    "homey_login",
    "session",
    "variable",
)
VARIABLE = {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}


def script(folder: Path, text: str) -> str:
    """Write an executable shell script."""
    path = folder / "sink"
    path.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
    path.chmod(0o700)
    return str(path)


def runs(process: int) -> bool:
    """Return whether a process exists, and not only as a zombie."""
    try:
        text = Path(f"/proc/{process}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def numbers(folder: Path) -> list[int]:
    """Return the process ids that a script recorded; empty until then."""
    try:
        text = (folder / "pids").read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    return [int(each) for each in text.split()] if text.endswith("\n") else []


def left(daemon: Daemon) -> list[str]:
    """Return the content of the daemon's directory after its end."""
    return sorted(path.name for path in daemon.folder.iterdir())


@pytest.mark.parametrize(
    ("number", "steps"),
    [(signal.SIGTERM, STEPS), (signal.SIGINT, ("login", "homey_login", "variable"))],
)
def test_during_each_step(
    clouds: Clouds, daemons: Daemons, number: signal.Signals, steps: tuple[str, ...]
) -> None:
    """During any step it exits with 0 within 5 s, and leaves a valid state and no socket."""
    pairs: list[tuple[str, Simulator, Daemon]] = []
    for step in steps:
        cloud = clouds.start()
        cloud.add_fault(step=step, kind="hang")
        pairs.append((step, cloud, daemons.start(cloud, homey=VARIABLE)))
    for step, cloud, daemon in pairs:
        until(partial(met, cloud, step, "hang"), f"{step} hangs")
        daemon.up()
    ends = {step: daemon.end(number) for step, _, daemon in pairs}

    assert dict.fromkeys(steps, 0) == {step: status for step, (status, _) in ends.items()}
    assert [step for step, (_, took) in ends.items() if took > END_WITHIN_S] == []
    for _, _, daemon in pairs:
        beside = ["state.json", "state.json.lock", "state.json.reserve"]
        assert ["config.yaml", "d.sock.lock", "err", "out", *beside] == left(daemon)
        assert json.loads(daemon.state.read_bytes())
        assert stat.S_IMODE(daemon.state.stat().st_mode) == 0o600
        assert daemon.out == b""
        assert daemon.events()[-1]["event"] == "daemon.stopped"


def test_during_an_exec_sink(clouds: Clouds, daemons: Daemons) -> None:
    """A hanging command that ignores SIGTERM ends with its children before the daemon does."""
    folder = daemons.folder()
    text = f'trap "" TERM; sleep 300 & echo $$ $! > {folder}/pids; wait; sleep 300'
    sink = {"sinks": [{"type": "exec", "command": [script(folder, text)]}]}
    daemon = daemons.start(clouds.start(), folder=folder, homey=sink)
    children = until(lambda: numbers(folder))
    status, took = daemon.end()

    assert status == 0
    assert took < END_WITHIN_S
    until(lambda: not any(map(runs, children)), "the children are gone", 2)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_second_signal(clouds: Clouds, daemons: Daemons, number: signal.Signals) -> None:
    """After a second signal it does not wait for clients, as it does after the first."""
    cloud = clouds.start()
    cloud.add_fault(kind="hang")
    daemon = daemons.start(cloud).up()
    with socket.socket(socket.AF_UNIX) as waiting:
        waiting.connect(str(daemon.socket))
        waiting.sendall(b"GET /token?wait=60 HTTP/1.1\r\nHost: x\r\n\r\n")
        until(partial(met, cloud, "login", "hang"), "it waits for the login")
        daemon.send(number)
        until(lambda: b"signal.received" in daemon.err, "the first signal is heard")
        daemon.send(number)
        status = daemon.ended()

    assert {signal.SIGTERM: -signal.SIGTERM, signal.SIGINT: 130}[number] == status


def test_during_a_hanging_start(clouds: Clouds, daemons: Daemons) -> None:
    """It stops within 5 s even if a file hangs that it reads at the start."""
    folder = daemons.folder()
    config = write(folder, configuration(clouds.start(), folder))
    module = "tests.end_to_end.processes.hanging"
    daemon = daemons.run(folder, "-c", str(config), module=module)
    until(lambda: "the disk hangs" in daemon.said(), "the start hangs")
    status, took = daemon.end()

    assert status == 0
    assert took < END_WITHIN_S
    assert not daemon.socket.exists()


def test_during_two_commands(clouds: Clouds, daemons: Daemons) -> None:
    """With one command for the token and one for errors that both ignore SIGTERM, the waits do not add up."""
    folder = daemons.folder()
    cloud = clouds.start()
    cloud.add_fault(step="login", kind="status", status=503, times=1)
    text = f'trap "" TERM; echo $$ >> {folder}/pids; while :; do sleep 1; done'
    command = script(folder, text)
    sinks = [
        {"type": "exec", "command": [command], "on": ["token"]},
        {"type": "exec", "command": [command, "trouble"], "on": ["error"]},
    ]
    daemon = daemons.start(cloud, folder=folder, homey={"sinks": sinks})
    until(lambda: len(numbers(folder)) == len(sinks), "both run")
    status, took = daemon.end()

    assert status == 0
    assert took < 3.8
