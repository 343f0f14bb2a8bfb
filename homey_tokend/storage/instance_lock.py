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
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            if state is self._state:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            fd = os.open(path, flags, 0o600)
            undo.callback(os.close, fd)
            _require_own_file(fd)
            holder = _lock_and_sign(fd)
        except OSError as error:
            remedy = f"{remedy_of(error)} The key is state.path."
            raise StateUnusable(
                f"cannot lock {path}: {reason_of(error)}", remedy=remedy.strip()
            ) from error
        if holder is not None:
            raise AlreadyRunning(
                f"another daemon is running{holder}",
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


def _require_own_file(fd: int) -> None:
    """Reject a pipe, and a hard link to another file, whose content would be lost."""
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
        raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))


def _lock_and_sign(fd: int) -> str | None:
    """Lock the file and write our process id into it; if it is locked, return by which process."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.pread(fd, 32, 0).strip()
        return f" (process {text.decode()})" if re.fullmatch(rb"[0-9]{1,10}", text) else ""
    os.ftruncate(fd, 0)
    # The id is only informative: a full disk must not keep a valid token from being served.
    with suppress(OSError):
        os.pwrite(fd, b"%d\n" % os.getpid(), 0)
    return None
