"""The unix socket's file: in place with its mode and group before the first client can connect.

A temporary name is bound in the same directory, gets group and mode, listens, and is renamed into
place, all under a lock that is held for the daemon's life. A dead socket is replaced; a live one
belongs to another daemon, and any other file is left alone. Every call here may block for a
moment: call it in a thread.
"""

import errno
import fcntl
import grp
import os
import resource
import socket
import stat
from pathlib import Path
from typing import NamedTuple

from homey_tokend.core.errors import AlreadyRunning, CannotServe

#: The most bytes of a socket's path: ``sun_path`` has 108, the last of them zero (unix(7)).
MAX_PATH = 107
#: Clients that may queue while the loop is busy; the kernel limits it to net.core.somaxconn.
BACKLOG = 1024
#: The largest group number: chown(2) takes the next one, -1, for "leave it as it is".
_MAX_GID = 2**32 - 2


class SocketOptions(NamedTuple):
    """The unix socket as configured.

    ``mode`` has its permission bits; ``group`` is a name or a number, None leaves the daemon's.
    """

    path: Path
    mode: int = 0o660
    group: str | None = None


class UnixSocket:
    """A listening socket that owns its file and the lock beside it."""

    def __init__(self, options: SocketOptions, sock: socket.socket, lock: int) -> None:
        self.sock = sock
        self._path = options.path
        self._lock = lock
        self._inode = _inode(options.path)

    @classmethod
    def open(cls, options: SocketOptions) -> "UnixSocket":
        """Make the socket and put it in place.

        Raises:
            AlreadyRunning: Another daemon holds the lock, or answers on the socket.
            CannotServe: The socket cannot be made; the remedy says what to do.
        """
        _check_path(options.path)
        _make_folder(options.path.parent)
        lock = _take_lock(options.path)
        try:
            _check_occupant(options.path)
            return cls(options, _put_in_place(options), lock)
        except BaseException:
            os.close(lock)
            raise

    def change_rights(self, options: SocketOptions) -> None:
        """Give the socket's file another mode and group, in force for the next client.

        Raises:
            CannotServe: The group is unknown, or the rights may not be changed.
        """
        try:
            _set_rights(self._path, options)
        except OSError as error:
            raise CannotServe(
                f"the rights of {self._path} cannot be changed: {error.strerror}",
                remedy="Is it still there, and does it belong to the daemon's user?",
            ) from error

    def restore(self, options: SocketOptions) -> socket.socket | None:
        """Make the socket again where its file was removed; connections stay open.

        Args:
            options: With the same path as before.

        Returns:
            The new listening socket, while the caller closes the old one; None if the file is
            still there.

        Raises:
            AlreadyRunning: Another daemon has taken the path meanwhile.
            CannotServe: The socket cannot be made.
        """
        if self._inode is None or _inode(self._path) == self._inode:
            return None
        _make_folder(self._path.parent)
        held = os.fstat(self._lock)
        if _inode(_lock_path(self._path)) != (held.st_dev, held.st_ino):
            lock = _take_lock(self._path)  # its file is gone too, so ours would exclude nobody
            os.close(self._lock)
            self._lock = lock
        _check_occupant(self._path)
        self.sock = _put_in_place(options)
        self._inode = _inode(self._path)
        return self.sock

    def withdraw(self) -> None:
        """Remove the socket's file, if it is still ours: no new client finds it."""
        if self._inode is not None and _inode(self._path) == self._inode:
            self._path.unlink(missing_ok=True)
        self._inode = None

    def close(self) -> None:
        """Remove the file, close the socket and release the lock; a second call does nothing."""
        self.withdraw()
        self.sock.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one and return the limit in force.

    At the limit new clients wait, whatever the server does.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == hard:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):  # a kernel with fs.nr_open below the hard limit
        return soft
    return hard


def _check_path(path: Path) -> None:
    raw = os.fsencode(path)
    if len(raw) > MAX_PATH:
        raise CannotServe(
            f"the socket's path has {len(raw)} bytes, {MAX_PATH} are possible: {path}",
            remedy="Choose a shorter socket.path.",
        )
    if not path.name or b"\0" in raw:
        raise CannotServe("socket.path names no file", remedy="Set socket.path to a file's path.")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o755)
    except FileExistsError:
        return
    except OSError as error:
        raise CannotServe(
            f"the directory of the socket {folder} is missing and cannot be created: {error.strerror}",
            remedy=f"Make it (install -d -m 0755 -o USER {folder}), or set socket.path.",
        ) from error
    folder.chmod(0o755)  # whatever the umask was


def _lock_path(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _take_lock(path: Path) -> int:
    name = _lock_path(path)
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CannotServe(
            f"the lock {name} cannot be created: {error.strerror}",
            remedy="Let the daemon's user write in this directory, or set socket.path.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise _already_running(path) from error
    return lock


def _already_running(path: Path) -> AlreadyRunning:
    return AlreadyRunning(
        f"another daemon is running on {path}",
        remedy="Stop it first, or give this one another socket.path.",
    )


def _check_occupant(path: Path) -> None:
    """Reject a live socket and any other file; a dead socket may be replaced."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe(
            f"{path} exists and is not a socket; it is left alone",
            remedy="Move it away, or set socket.path.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # the kernel answers at once
        result = probe.connect_ex(str(path))
    if result in {0, errno.EAGAIN}:  # EAGAIN: alive, with a full queue
        raise _already_running(path)
    if result not in {errno.ECONNREFUSED, errno.ENOENT}:
        raise CannotServe(
            f"{path} is a socket of another program: {os.strerror(result)}",
            remedy="Move it away, or set socket.path.",
        )


def _put_in_place(options: SocketOptions) -> socket.socket:
    # As long as the name itself, so that it fits wherever the path fits. One left by a crash is
    # found again, and the lock says that no other daemon uses it.
    name = options.path.name
    first = "." if name[0] != "." and len(name) > 1 else "_" if name[0] != "_" else "-"
    temporary = options.path.with_name(first + name[1:])
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _check_occupant(temporary)
        temporary.unlink(missing_ok=True)
        sock.bind(str(temporary))
        try:
            _set_rights(temporary, options)
            sock.listen(BACKLOG)
            temporary.rename(options.path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        sock.close()
        raise CannotServe(
            f"the socket {options.path} cannot be created: {error.strerror}",
            remedy="Let the daemon's user write in this directory, or set socket.path.",
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _set_rights(path: Path, options: SocketOptions) -> None:
    if options.group is not None:
        try:
            os.chown(path, -1, _group_id(options.group))
        except PermissionError as error:
            raise CannotServe(
                f"the daemon may not give its socket to the group {options.group}",
                remedy=f"Add the daemon's user to that group (usermod -aG {options.group} USER). The "
                "sandbox of the systemd unit forbids it all the same: there, set SocketGroup= of "
                "homey-tokend.socket.",
            ) from error
    path.chmod(options.mode)


def _group_id(group: str) -> int:
    if group.isascii() and group.isdigit():
        if int(group) > _MAX_GID:
            raise CannotServe(
                f"socket.group: no group has the number {group}",
                remedy=f"Numbers of groups end at {_MAX_GID}; or give its name.",
            )
        return int(group)
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError as error:
        raise CannotServe(
            f"socket.group: there is no group {group!r}",
            remedy=f"Make it (groupadd --system {group}), or name another.",
        ) from error


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
