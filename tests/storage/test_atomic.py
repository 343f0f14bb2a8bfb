"""Private files: old or new and never mixed, even if the writer is killed or the disk is full."""

import errno
import os
from pathlib import Path

import pytest

from homey_tokend.storage.atomic import remedy_of, remove_leftovers, sync_folder, write_atomic
from tests.storage.files import ended, failing, mode_of, names, started

POINTS = ("opened", "written", "synced", "renamed", "folder_synced")
OLD, NEW = b"old " * 4000, b"new " * 5000

#: Writes a file and blocks at one point, with its temporary file open.
_WRITER = """
import sys, time
from pathlib import Path
from homey_tokend.storage.atomic import write_atomic
def at(point):
    if point == sys.argv[2]:
        print(point, flush=True)
        time.sleep(60)
write_atomic(Path(sys.argv[1]), b"new " * 5000, at=at)
"""
#: Writes more than the limit of a file's size allows.
_TOO_LARGE = """
import resource, signal, sys
from pathlib import Path
from homey_tokend.storage.atomic import write_atomic
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    write_atomic(Path(sys.argv[1]), b"new " * 5000)
except OSError as error:
    print(error.errno)
"""


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o666])
def test_the_umask_does_not_affect_the_mode(tmp_path: Path, mode: int) -> None:
    """The file gets exactly the requested mode."""
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "token", NEW, mode=mode)
    finally:
        os.umask(before)

    assert mode_of(tmp_path / "token") == mode
    assert (tmp_path / "token").read_bytes() == NEW


def test_the_temporary_file_is_private_until_it_is_complete(tmp_path: Path) -> None:
    """With an open umask and an open mode, it has mode 0600 while it is written."""
    seen: dict[str, list[int]] = {}

    def at(point: str) -> None:
        seen[point] = [mode_of(one) for one in tmp_path.iterdir()]

    before = os.umask(0)
    try:
        write_atomic(tmp_path / "token", NEW, mode=0o644, at=at)
    finally:
        os.umask(before)

    assert tuple(seen) == POINTS
    assert seen["opened"] == [0o600]
    assert seen["written"] == [0o600]
    assert seen["renamed"] == [0o644]


def test_the_group_is_set_if_one_is_given(tmp_path: Path) -> None:
    """The group is set before anybody else can read the file."""
    group = os.getgroups()[-1] if os.getgroups() else os.getgid()

    write_atomic(tmp_path / "token", NEW, mode=0o640, group=group)

    assert (tmp_path / "token").stat().st_gid == group


@pytest.mark.parametrize("point", POINTS)
def test_a_failure_leaves_old_or_new_and_no_temporary_file(tmp_path: Path, point: str) -> None:
    """Until the rename the old content stays; nothing is left next to it."""
    path = tmp_path / "token"
    path.write_bytes(OLD)

    with pytest.raises(OSError, match="No space left"):
        write_atomic(path, NEW, at=failing(point, errno.ENOSPC))

    assert path.read_bytes() == (OLD if POINTS.index(point) < 3 else NEW)
    assert names(tmp_path) == ["token"]


def test_an_interrupt_removes_the_temporary_file_too(tmp_path: Path) -> None:
    """Ctrl-C in the middle is a failure like any other."""

    def at(_point: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "token", NEW, at=at)

    assert names(tmp_path) == []


@pytest.mark.slow
@pytest.mark.parametrize("point", POINTS)
def test_a_kill_leaves_old_or_new_and_the_next_start_cleans_up(tmp_path: Path, point: str) -> None:
    """SIGKILL at any point: never a mixture, and no token is left behind."""
    path = tmp_path / "token"
    path.write_bytes(OLD)
    writer = started(_WRITER, path, point)
    held = names(tmp_path)

    remove_leftovers(path)
    swept_while_alive = names(tmp_path)
    ended(writer)
    remove_leftovers(path)

    assert swept_while_alive[-1] == "token"
    if point in {"opened", "written"}:
        assert swept_while_alive == held
        assert len(held) == 2
    assert path.read_bytes() == (OLD if POINTS.index(point) < 3 else NEW)
    assert names(tmp_path) == ["token"]


@pytest.mark.slow
def test_a_write_beyond_what_fits_is_a_failure(tmp_path: Path) -> None:
    """A real short write (a limit of the file's size) leaves the old file alone."""
    path = tmp_path / "token"
    path.write_bytes(OLD)

    process = started(_TOO_LARGE, path)
    ended(process)

    assert path.read_bytes() == OLD
    assert names(tmp_path) == ["token"]


def test_a_symbolic_link_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A symbolic link is replaced, and its target stays as it was."""
    (tmp_path / "elsewhere").write_bytes(OLD)
    (tmp_path / "token").symlink_to("elsewhere")

    write_atomic(tmp_path / "token", NEW)

    assert not (tmp_path / "token").is_symlink()
    assert (tmp_path / "elsewhere").read_bytes() == OLD


def test_a_missing_folder_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    """No directory is created."""
    with pytest.raises(FileNotFoundError) as caught:
        write_atomic(tmp_path / "no" / "token", NEW)

    assert (
        remedy_of(caught.value)
        == "Create the directory, and give the daemon's user write access to it."
    )


def test_a_folder_that_cannot_be_synced_is_no_failure() -> None:
    """EINVAL of fsync (from a pipe, as from some network file systems) is ignored."""
    reading, writing = os.pipe()
    try:
        sync_folder(reading)
    finally:
        os.close(reading)
        os.close(writing)


def test_any_other_failure_to_sync_a_folder_is_raised() -> None:
    """EBADF is not ignored."""
    reading, writing = os.pipe()
    os.close(writing)
    os.close(reading)

    with pytest.raises(OSError, match="Bad file descriptor"):
        sync_folder(reading)


def test_cleaning_up_removes_only_our_files(tmp_path: Path) -> None:
    """Sweeping leaves other files alone, with similar names or behind a link."""
    kept = [".other.0123456789abcdef.tmp", ".token.0123.tmp", "token", "token.tmp", "victim"]
    for name in [*kept, ".token.0123456789abcdef.tmp"]:
        (tmp_path / name).touch()
    (tmp_path / ".token.aaaaaaaaaaaaaaaa.tmp").symlink_to("victim")

    remove_leftovers(tmp_path / "token")
    remove_leftovers(tmp_path / "no" / "folder")

    assert names(tmp_path) == sorted([*kept, ".token.aaaaaaaaaaaaaaaa.tmp"])
