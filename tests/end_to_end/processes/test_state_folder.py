"""The directory of the state is read-only or full, or the state file is mounted by itself."""

import os
import signal
import subprocess
from functools import partial
from pathlib import Path

import pytest

from homey_tokend.storage.atomic import MOUNTED_REMEDY
from tests.end_to_end.processes.cloud import Clouds, sign_ins, until
from tests.end_to_end.processes.daemons import (
    PROGRAM,
    ROOT,
    Daemon,
    Daemons,
    command,
    configuration,
    write,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
]


#: A shell that sees mounts of its own.
NAMESPACE = ("unshare", "--mount", "/bin/sh", "-euc")


def logged(daemon: Daemon, event: str, times: int) -> bool:
    """Return whether the log has an event so often."""
    return [each["event"] for each in daemon.events()].count(event) >= times


def in_namespace(daemons: Daemons, folder: Path, mount: str, config: Path) -> Daemon:
    """Start a daemon that sees mounts of its own."""
    shell = f'{mount} && exec "$@"'
    return daemons.run(folder, "-c", str(config), program=(*NAMESPACE, shell, "sh", *PROGRAM))


@pytest.mark.parametrize(
    ("options", "lock"),
    [("ro", "kept"), ("ro", "removed"), ("nr_inodes=3", "removed")],
    ids=["read-only", "read-only without its lock", "full without its lock"],
)
def test_a_held_token_is_served_from_a_disk_that_takes_nothing(
    clouds: Clouds, daemons: Daemons, options: str, lock: str
) -> None:
    """Without a sign-in, and a second daemon on the same state is turned away."""
    cloud = clouds.start()
    folder = daemons.folder()
    state = folder / "state"
    document = configuration(cloud, folder, state={"path": str(state / "state.json")})
    config = write(folder, document)
    first = daemons.run(folder, "-c", str(config)).up()
    token = first.token()
    first.end()
    if lock == "removed":
        (state / "state.json.lock").unlink()

    mount = (
        f"cp -a {state} {folder}/saved && mount -t tmpfs -o nr_inodes=9 none {state} "
        f"&& cp -a {folder}/saved/. {state} && mount -o remount,{options} {state}"
    )
    daemon = in_namespace(daemons, folder, mount, config).up()
    assert daemon.token() == token
    inside = f"/proc/{daemon.process.pid}/ns/mnt"
    document["socket"]["path"] = str(folder / "second.sock")
    other = folder / "other"
    other.mkdir()
    second = daemons.run(
        other,
        "-c",
        str(write(other, document)),
        program=("nsenter", f"--mount={inside}", *PROGRAM),
    )

    assert second.ended() == 73
    assert "the daemon is already running" in second.said()
    assert sign_ins(cloud) == 1
    assert daemon.end(signal.SIGTERM)[0] == 0


def test_a_state_file_that_is_mounted_by_itself(clouds: Clouds, daemons: Daemons) -> None:
    """Six starts send no password; check, log, status and readiness name the mount."""
    cloud = clouds.start()
    folder = daemons.folder()
    mounted = {name: folder / "volume" / name for name in ("state.json", "token")}
    (folder / "volume").mkdir()
    for name, path in mounted.items():
        path.touch()
        (folder / name).touch()
    mount = " && ".join(f"mount --bind {path} {folder / name}" for name, path in mounted.items())
    sink = {"type": "file", "path": str(folder / "token")}
    document = configuration(cloud, folder, homey={"password": "wrong", "sinks": [sink]})
    config = write(folder, document)
    for start in range(1, 6):
        daemon = in_namespace(daemons, folder, mount, config)
        until(partial(logged, daemon.up(), "refresh.failed", start), "an attempt")
        assert daemon.end()[0] == 0
    daemon = in_namespace(daemons, folder, mount, config)
    until(lambda: daemon.up().status()["last_error"], "an attempt")
    homey, ready, token = daemon.status(), daemon.get("/readyz").json, daemon.get("/token").json
    shown = command("status", "--socket", str(daemon.socket))
    probed = {each["remedy"] for each in daemon.events() if each["event"] == "sink.unusable"}
    assert daemon.end()[0] == 0
    words = [*NAMESPACE, f'{mount} && exec "$@"', "sh", *PROGRAM, "check", "-c", str(config)]
    checked = subprocess.run(  # noqa: S603  our own program
        words, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert sign_ins(cloud) == 0
    for error in (homey["last_error"], ready["errors"]["home"], token):
        assert (error["kind"], error["remedy"]) == ("state_unusable", MOUNTED_REMEDY)
    assert "device or resource busy; until sign-ins" in ready["errors"]["home"]["message"]
    assert "Mount the folder, not the file" in shown.out
    assert probed == {MOUNTED_REMEDY}
    for key in ("state.path", "homeys.home.sinks[0].path"):
        assert f"{key}: {folder}/" in checked.stderr
        assert f"warning: {config}: {key}" in checked.stderr
    assert checked.stderr.count(MOUNTED_REMEDY) == 2


def test_a_file_sink_that_is_mounted_by_itself(clouds: Clouds, daemons: Daemons) -> None:
    """It is rejected with the remedy, and the token is served and kept."""
    folder = daemons.folder()
    for name in ("volume", "token"):
        (folder / name).touch()
    sink = {"type": "file", "path": str(folder / "token")}
    config = write(folder, configuration(clouds.start(), folder, homey={"sinks": [sink]}))
    mount = f"mount --bind {folder / 'volume'} {folder / 'token'}"
    daemon = in_namespace(daemons, folder, mount, config).up()
    daemon.token()
    error = until(lambda: daemon.status()["sinks"][0]["last_error"], "the sink has failed")

    assert (error["kind"], error["remedy"]) == ("sink_rejected", MOUNTED_REMEDY)
    assert daemon.state.exists()
    assert not [each for each in folder.iterdir() if each.suffix == ".tmp"]
    assert daemon.end()[0] == 0
