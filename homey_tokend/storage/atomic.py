"""Write private files atomically.

A file is written under a temporary name, synced and renamed, so that a reader sees either the
old content or the new one, even after a power failure. A symbolic link at the path is replaced,
not followed. Temporary files of killed processes are removed at the next start. All functions
here block: call them on a ``WorkerPool``.
"""

import contextlib
import errno
import fcntl
import os
import re
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

MOUNTED_REMEDY = "Mount the folder, not the file: a file that is mounted cannot be replaced."
_REMEDIES = {
    errno.ENOSPC: "Free space on the file system.",
    errno.EDQUOT: "Free space: the quota is used up.",
    errno.EROFS: "The file system is read-only here: under systemd, name the folder in "
    "ReadWritePaths=.",
    errno.EACCES: "Give the daemon's user write access to the directory.",
    errno.EPERM: "Give the daemon's user write access to the directory.",
    errno.ENOENT: "Create the directory, and give the daemon's user write access to it.",
    errno.ENOTDIR: "A part of the path is a file; correct the path.",
    errno.EEXIST: "A part of the path is a file; correct the path.",
    errno.EISDIR: "The path is a directory; use a file in it.",
    errno.EBUSY: MOUNTED_REMEDY,
    errno.EIO: "The disk or its connection fails; see the kernel's log.",
}


def no_hook(_point: str) -> None:
    """Do nothing: the default of ``at``."""


def remedy_of(error: OSError) -> str:
    """Return the remedy for an error of the file system, or ""."""
    return _REMEDIES.get(error.errno or 0, "")


@contextlib.contextmanager
def open_folder(path: Path) -> Iterator[int]:
    """Open the directory of a file, so that it cannot be replaced between two steps."""
    fd = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def names_in(fd: int) -> list[str]:
    """Return the names in an open directory."""
    with os.scandir(fd) as entries:
        return [entry.name for entry in entries]


def sync_folder(fd: int) -> None:
    """Make a rename in a directory durable."""
    try:
        os.fsync(fd)
    except OSError as error:
        # Some network file systems cannot sync a directory; the rename is still valid.
        if error.errno != errno.EINVAL:
            raise


def write_atomic(
    path: Path,
    data: bytes,
    *,
    mode: int = 0o600,
    group: int | None = None,
    at: Callable[[str], None] = no_hook,
) -> None:
    """Write a file completely, or not at all.

    Until it is complete, only the daemon's user can read the temporary file.

    Args:
        path: The file; its directory must exist. A symbolic link is replaced.
        data: The whole content.
        mode: The permissions; the umask does not apply.
        group: The group's id, or None to leave it.
        at: Called with "opened", "written", "synced", "renamed", "folder_synced", for tests; an
            exception ends the write there.

    Raises:
        OSError: If from before the rename, the old file is unchanged and no temporary file
            remains. If from the fsync of the directory, the new file is in place.
    """
    with open_folder(path) as folder:
        name = f".{path.name}.{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(name, flags, 0o600, dir_fd=folder)
        try:
            with os.fdopen(fd, "wb") as file:
                _claim(fd)
                at("opened")
                file.write(data)
                file.flush()
                at("written")
                if group is not None:
                    os.fchown(fd, -1, group)
                os.fchmod(fd, mode)
                os.fsync(fd)
                at("synced")
            os.replace(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(name, dir_fd=folder)
            raise
        at("renamed")
        sync_folder(folder)
        at("folder_synced")


def _claim(fd: int) -> None:
    """Lock a temporary file while it is written, so that ``remove_leftovers`` leaves it."""
    with contextlib.suppress(OSError):  # some network file systems have no locks
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files that killed writers of ``path`` left behind.

    A file that is still being written is locked and stays. Errors are ignored: what cannot be
    removed now is removed another time.
    """
    left_over = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}\.tmp")
    with contextlib.suppress(OSError), open_folder(path) as folder:
        for name in names_in(folder):
            if left_over.fullmatch(name):
                _remove_unclaimed(name, folder)


def _remove_unclaimed(name: str, folder: int) -> None:
    with contextlib.suppress(OSError):
        fd = os.open(
            name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder
        )
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(name, dir_fd=folder)
        finally:
            os.close(fd)
