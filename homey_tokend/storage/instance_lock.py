"""The lock against a second daemon on the same state."""

import errno
import fcntl
import os
import re
import stat
from contextlib import ExitStack, suppress
from pathlib import Path

from homey_tokend.config.files import reason_of
from homey_tokend.core.errors import AlreadyRunning, StateUnusable
from homey_tokend.storage.atomic import remedy_of

#: Errors after which an existing lock file, or its directory, is locked without writing.
_NO_ROOM = frozenset({errno.EROFS, errno.ENOSPC, errno.EDQUOT})


class InstanceLock:
    """The lock against a second daemon on the same state.

    The kernel releases it when the process ends, so there is no stale lock. The file is not
    removed, otherwise two daemons could lock two files. Blocks for a few system calls.
    """

    def __init__(self, state: Path) -> None:
        self._state = state
        self._held = ExitStack()

    def acquire(self) -> None:
        """Acquire the lock next to the state file and write our process id into it.

        If the state file is a symbolic link, this also acquires the lock next to its target,
        which another daemon may use by another name.

        Raises:
            AlreadyRunning: Another process holds it; the message has its id if it is known.
            StateUnusable: The lock file cannot be created.
        """
        with ExitStack() as undo:
            self._take(undo, self._state)
            with suppress(StateUnusable):  # a target that is not followed or written is not used
                target = link_target(self._state)
                if target is not None:
                    self._take(undo, target)
            self._held = undo.pop_all()

    def release(self) -> None:
        """Release the lock, if it is held."""
        self._held.close()

    def _take(self, undo: ExitStack, state: Path) -> None:
        path = state.with_name(f"{state.name}.lock")
        try:
            if state is self._state:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = _open(path)
            undo.callback(os.close, fd)
            holder = _lock_and_sign(fd)
        except OSError as error:
            remedy = f"{remedy_of(error)} The key is state.path."
            raise StateUnusable(
                f"cannot lock {path}: {reason_of(error)}", remedy=remedy.strip()
            ) from error
        if holder is not None:
            raise AlreadyRunning(
                f"the daemon is already running{holder}",
                remedy=f"Stop it first; it has the lock {path}.",
            )


def link_target(path: Path) -> Path | None:
    """Return the target of a symbolic link; None if the path is not one.

    Raises:
        StateUnusable: The link belongs to another user.
    """
    try:
        found = path.lstat()
    except OSError:
        return None
    if not stat.S_ISLNK(found.st_mode):
        return None
    if found.st_uid not in {0, os.geteuid()}:
        raise StateUnusable(
            f"the state {path} is a symbolic link of another user, which is not followed",
            remedy="Remove the write access of other users to its directory.",
        )
    return Path(os.path.realpath(path))


def _open(path: Path) -> int:
    """Open the lock file, for writing if the disk allows that; without one, open its directory.

    A token on a full or read-only disk must be served.
    """
    flags = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        if error.errno not in _NO_ROOM:
            raise
        try:
            fd = os.open(path, flags | os.O_RDONLY)
        except FileNotFoundError:
            return os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    found = os.fstat(fd)
    # Not a pipe, nor a hard link to another file, whose content would be lost.
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        os.close(fd)
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
    return fd


def _lock_and_sign(fd: int) -> str | None:
    """Lock the file and write our process id into it; if it is locked, return by which process."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        with suppress(OSError):  # a directory
            text = os.pread(fd, 32, 0).strip()
            return f" (process {text.decode()})" if re.fullmatch(rb"[0-9]{1,10}", text) else ""
        return ""
    # The id is only informative: a full disk must not keep a valid token from being served.
    with suppress(OSError):
        os.ftruncate(fd, 0)
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return None
