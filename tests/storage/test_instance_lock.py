"""One daemon at a time writes the state."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homey_tokend.core.errors import AlreadyRunning, StateUnusable
from homey_tokend.storage.instance_lock import InstanceLock
from tests.storage.files import ended, mode_of, names, started

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
#: Acquires a lock and keeps it.
_HOLDER = """
import sys, time
from pathlib import Path
from homey_tokend.storage.instance_lock import InstanceLock
lock = InstanceLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""
#: Acquires a lock while nothing can be written: ENOSPC for a full disk, EFBIG for the limit.
_FULL = """
import resource, signal, sys
from pathlib import Path
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.storage.instance_lock import InstanceLock
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
free = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (0, free[1]))
lock = InstanceLock(Path(sys.argv[1]))
lock.acquire()
try:
    InstanceLock(Path(sys.argv[1])).acquire()
except AlreadyRunning as error:
    print(error.message)
resource.setrlimit(resource.RLIMIT_FSIZE, free)  # coverage writes at the end
"""


def test_a_lock_is_taken_once_and_again_after_its_release(tmp_path: Path) -> None:
    """The error of the second process names the first one; the file is private."""
    first, second = (
        InstanceLock(tmp_path / "run" / "state"),
        InstanceLock(tmp_path / "run" / "state"),
    )
    first.acquire()

    with pytest.raises(
        AlreadyRunning, match=f"the daemon is already running .process {os.getpid()}"
    ):
        second.acquire()
    first.release()
    second.acquire()
    second.release()
    second.release()

    assert mode_of(tmp_path / "run" / "state.lock") == 0o600
    assert mode_of(tmp_path / "run") == 0o700


@pytest.mark.slow
def test_a_killed_daemon_leaves_no_stale_lock(tmp_path: Path) -> None:
    """The kernel releases the lock."""
    holder = started(_HOLDER, tmp_path / "state")

    with pytest.raises(AlreadyRunning, match=str(holder.pid)):
        InstanceLock(tmp_path / "state").acquire()
    ended(holder)
    lock = InstanceLock(tmp_path / "state")
    lock.acquire()
    lock.release()


def test_a_lock_file_without_a_process_id_is_still_a_lock(tmp_path: Path) -> None:
    """Malformed content of the lock file is not shown."""
    first = InstanceLock(tmp_path / "state")
    first.acquire()
    (tmp_path / "state.lock").write_bytes(b"\x1b[31mgarbage")

    with pytest.raises(AlreadyRunning) as caught:
        InstanceLock(tmp_path / "state").acquire()
    first.release()

    assert caught.value.message == "the daemon is already running"


@pytest.mark.slow
def test_a_lock_is_taken_on_a_full_disk(tmp_path: Path) -> None:
    """On a full disk the daemon starts and serves its token; only its process id is missing."""
    done = subprocess.run(  # noqa: S603  our own script
        [sys.executable, "-c", _FULL, str(tmp_path / "state")],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.stdout, done.stderr) == ("the daemon is already running\n", "")


def test_a_lock_file_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """A directory, a link or a pipe at the path causes an error without a traceback."""
    (tmp_path / "folder.lock").mkdir()
    (tmp_path / "link.lock").symlink_to("folder.lock")
    os.mkfifo(tmp_path / "pipe.lock")

    for name in ("folder", "link", "pipe"):
        with pytest.raises(StateUnusable, match="cannot lock"):
            InstanceLock(tmp_path / name).acquire()


def test_a_lock_that_is_a_second_name_of_a_file_changes_nothing(tmp_path: Path) -> None:
    """Another user may put a hard link at the path of the lock, into which our process id is written."""
    (tmp_path / "file").write_bytes(b"precious")
    (tmp_path / "state.lock").hardlink_to(tmp_path / "file")

    with pytest.raises(StateUnusable, match="cannot lock"):
        InstanceLock(tmp_path / "state").acquire()

    assert (tmp_path / "file").read_bytes() == b"precious"


@pytest.mark.parametrize("order", [(0, 1), (0, 2), (2, 0), (1, 2), (2, 1)])
def test_links_to_one_state(tmp_path: Path, order: tuple[int, int]) -> None:
    """Two daemons on one state are detected by any names: two links, or a link and the file."""
    folders = [tmp_path / name for name in ("one", "two", "data")]
    for folder in folders:
        folder.mkdir()
    paths = [folder / "state.json" for folder in folders]
    paths[2].write_bytes(b"{}")
    paths[0].symlink_to(paths[2])
    paths[1].symlink_to("../data/state.json")
    first, second = (InstanceLock(paths[number]) for number in order)
    first.acquire()
    with pytest.raises(AlreadyRunning, match=f"process {os.getpid()}") as caught:
        second.acquire()
    if paths[order[0]].is_symlink():  # the first has written its state, which replaces a link
        paths[order[0]].unlink()
        paths[order[0]].write_bytes(b"{}")
    with pytest.raises(AlreadyRunning):
        second.acquire()
    first.release()
    second.acquire()
    second.release()

    assert str(paths[2]) in caught.value.remedy


def test_a_link_into_a_missing_directory(tmp_path: Path) -> None:
    """There is no lock for the target, and its directory is not created."""
    (tmp_path / "state").symlink_to("nowhere/state")
    lock = InstanceLock(tmp_path / "state")
    lock.acquire()
    lock.release()

    assert names(tmp_path) == ["state", "state.lock"]


@ROOT_NEEDED
def test_a_link_of_another_user_is_not_followed(tmp_path: Path) -> None:
    """No file is created next to a file that another user chooses."""
    (tmp_path / "theirs").mkdir()
    (tmp_path / "state").symlink_to("theirs/state")
    os.chown(tmp_path / "state", 12345, 12345, follow_symlinks=False)
    lock = InstanceLock(tmp_path / "state")
    lock.acquire()
    lock.release()

    assert names(tmp_path / "theirs") == []
