"""The directory of the state is read-only or full, or the state file is mounted by itself."""

import os
import signal
from pathlib import Path

import pytest

from tests.end_to_end.processes.cloud import Clouds, sign_ins
from tests.end_to_end.processes.daemons import PROGRAM, Daemon, Daemons, configuration, write

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount"),
]


def in_namespace(daemons: Daemons, folder: Path, mount: str, config: Path) -> Daemon:
    """Start a daemon that sees mounts of its own."""
    shell = f'{mount} && exec "$@"'
    program = ("unshare", "--mount", "/bin/sh", "-euc", shell, "sh", *PROGRAM)
    return daemons.run(folder, "-c", str(config), program=program)


@pytest.mark.parametrize(
    ("options", "lock"),
    [("ro", "kept"), ("ro", "removed"), ("nr_inodes=2", "removed")],
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
    assert "another daemon is running" in second.said()
    assert sign_ins(cloud) == 1
    assert daemon.end(signal.SIGTERM)[0] == 0
