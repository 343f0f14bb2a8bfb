"""Killed at any point of a refresh, the daemon restarts with its token or with a clean attempt."""

import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from homey_tokend.simulator import Simulator
from homey_tokend.storage.document import from_json
from tests.end_to_end.processes.cloud import Clouds, sign_ins, until
from tests.end_to_end.processes.daemons import Daemon, Daemons, Section, configuration, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(120)]

MODULE = "tests.end_to_end.crash.entry"
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
#: A write of the state has five points: opened, written, synced, renamed, folder_synced.
POINTS = 5
#: Writes of a first refresh: before the password is sent; with the token; after its delivery.
WRITES = 3
#: The wait after a sent password is a fraction of half of this, longer than a test can wait.
QUICK: dict[str, Section] = {
    "refresh": {"lifetime": "1m"},
    "homey": {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]},
}


@dataclass(frozen=True)
class After:
    """What was found after a kill and a restart."""

    killed: bool
    whole: bool
    tokens: tuple[str, str]
    left_over: list[str]
    sign_ins: int
    complaints: list[str]

    @property
    def well(self) -> bool:
        served, written = self.tokens
        return (
            self.killed
            and self.whole
            and bool(served)
            and served == written
            and not self.left_over
            and self.sign_ins <= 2
            and not self.complaints
        )


def _alone(daemons: Daemons, cloud: Simulator, die_at: str) -> Daemon:
    folder = daemons.folder()
    write(folder, configuration(cloud, folder, **QUICK))
    words = ("--config", str(folder / "config.yaml"))
    return daemons.run(folder, *words, environ={"DIE_AT": die_at}, module=MODULE)


def _after(daemons: Daemons, cloud: Simulator, dead: Daemon) -> After:
    """Restart a killed daemon, and examine it."""
    killed = dead.ended() == -signal.SIGKILL
    whole = not dead.state.exists() or bool(from_json(dead.state.read_bytes()))
    daemon = daemons.start(cloud, folder=dead.folder, **QUICK).up()
    served = daemon.token()
    homey, name = cloud.description()["cloudid"], "accesstoken"
    until(lambda: cloud.get_variable(name, homey) == served, "the variable has the token")
    daemon.end()
    bad = ("internal.error", "state.set_aside", "state.write_failed")
    return After(
        killed,
        whole,
        (served, str(cloud.get_variable(name, homey))),
        [each.name for each in dead.folder.glob(".*")],
        sign_ins(cloud),
        [event["event"] for event in daemon.events() if event["event"] in bad],
    )


def _matrix(points: Sequence[str], play: Callable[[str], After]) -> dict[str, After]:
    """Run them in parallel, and return what failed."""
    with ThreadPoolExecutor(6) as pool:
        found = dict(zip(points, pool.map(play, points), strict=True))
    return {point: after for point, after in found.items() if not after.well}


def test_disk(clouds: Clouds, daemons: Daemons) -> None:
    """A kill at any open, write, fsync or rename of the state leaves a valid file, and costs at most one sign-in."""

    def play(point: str) -> After:
        cloud = clouds.start()
        return _after(daemons, cloud, _alone(daemons, cloud, point))

    assert {} == _matrix([f"disk:{number}" for number in range(1, WRITES * POINTS + 1)], play)


def test_answered(clouds: Clouds, daemons: Daemons) -> None:
    """The same for a kill after each response, before it is processed."""

    def play(point: str) -> After:
        cloud = clouds.start()
        return _after(daemons, cloud, _alone(daemons, cloud, point))

    assert {} == _matrix([f"answered:{step}" for step in STEPS if step != "user"], play)


def test_unanswered(clouds: Clouds, daemons: Daemons) -> None:
    """The same for a kill after the cloud carried out a request, before its response arrives."""

    def play(step: str) -> After:
        cloud = clouds.start()
        cloud.add_fault(step=step, kind="hang", carried_out=True)
        folder = daemons.folder()
        daemon = daemons.start(cloud, folder=folder, **QUICK)
        until(lambda: cloud.seen(step), f"{step} is asked")
        daemon.send(signal.SIGKILL)
        daemon.ended()
        cloud.clear_faults()
        return _after(daemons, cloud, daemon)

    assert {} == _matrix([step for step in STEPS if step != "user"], play)
