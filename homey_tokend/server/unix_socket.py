"""The unix socket's file: in place with its mode and group before the first client can come.

A temporary name is bound in the same folder, gets group and mode, listens, and is
renamed into place, all under a lock that is held for the daemon's life. A dead
socket is replaced, a live one is somebody else's, and any other file is left alone.
Every call here may block for a moment: call it aside from the event loop.
"""

import errno
import fcntl
import grp
import os
import resource
import socket
import stat
from dataclasses import dataclass
from pathlib import Path

from homey_tokend.core.errors import AlreadyRunning, CannotServe

#: How long may a socket's path be? ``sun_path`` has 108 bytes, the last of them zero (unix(7)).
LONGEST_PATH = 107
#: How many clients may queue while the loop is busy? The kernel cuts it to net.core.somaxconn.
BACKLOG = 1024
#: The largest number of a group: chown(2) takes the one above, -1, for "leave it as it is".
_LARGEST_ID = 2**32 - 2
#: How long is a live socket given to take the probe? It is the kernel that answers.
_PROBE_S = 1.0


@dataclass(frozen=True, slots=True)
class SocketOptions:
    """Where the socket shall be, and who may enter.

    Args:
        path: The socket's file.
        mode: Its permission bits.
        group: Its group by name or number; None leaves the daemon's own.
    """

    path: Path
    mode: int = 0o660
    group: str | None = None


class UnixSocket:
    """A listening socket that owns its file and the lock beside it."""

    def __init__(self, place: SocketOptions, sock: socket.socket, lock: int) -> None:
        self.sock = sock
        self._path = place.path
        self._lock = lock
        self._inode = _inode(place.path)

    @classmethod
    def open(cls, place: SocketOptions) -> "UnixSocket":
        """Make the socket and put it in place.

        Args:
            place: Where, and who may enter.

        Returns:
            A socket that listens.

        Raises:
            AlreadyRunning: Another daemon holds the lock, or somebody answers on the socket.
            CannotServe: The socket cannot be made; the remedy says what to do.
        """
        _check_path(place.path)
        _make_folder(place.path.parent)
        lock = _take_lock(place.path)
        try:
            _check_occupant(place.path)
            sock = _put_in_place(place)
            return cls(place, sock, lock)
        except BaseException:
            os.close(lock)
            raise

    def change_rights(self, place: SocketOptions) -> None:
        """Give the socket's file another mode and group, in force for who comes next.

        Raises:
            CannotServe: the group is unknown, or the rights may not be changed.
        """
        try:
            _dress(self._path, place)
        except OSError as error:
            raise CannotServe(
                f"the rights of {self._path} cannot be changed: {error.strerror}",
                remedy="Is it still there, and does it belong to the daemon's user?",
            ) from error

    def put_back(self, place: SocketOptions) -> socket.socket | None:
        """Make the socket anew where somebody took its file away; who is connected stays so.

        Args:
            place: As before, perhaps with other rights.

        Returns:
            A socket that listens in place of ``sock``, which is the caller's to close; None
            where the file is still there.

        Raises:
            AlreadyRunning: Another daemon has taken the place meanwhile.
            CannotServe: The socket cannot be made.
        """
        if self._inode is None or _inode(self._path) == self._inode:
            return None
        _make_folder(self._path.parent)
        self._keep_lock()
        _check_occupant(self._path)
        self.sock = _put_in_place(place)
        self._inode = _inode(self._path)
        return self.sock

    def _keep_lock(self) -> None:
        """Where the lock's file is gone, too, lock a new one: ours would stop nobody."""
        held = os.fstat(self._lock)
        if _inode(_lock_of(self._path)) != (held.st_dev, held.st_ino):
            lock = _take_lock(self._path)
            os.close(self._lock)
            self._lock = lock

    def withdraw(self) -> None:
        """Remove the socket's file, if it is still ours: no new client finds it."""
        if self._inode is not None and _inode(self._path) == self._inode:
            self._path.unlink(missing_ok=True)
        self._inode = None

    def close(self) -> None:
        """Withdraw, close the socket and let go of the lock; a second time it does nothing."""
        self.withdraw()
        self.sock.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one.

    At the limit new clients wait, whatever the server does.

    Returns:
        The limit now in force.
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
    if len(raw) > LONGEST_PATH:
        raise CannotServe(
            f"the socket's path has {len(raw)} bytes, {LONGEST_PATH} are possible: {path}",
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
            f"the socket's folder {folder} is missing and cannot be made: {error.strerror}",
            remedy=f"Make it (install -d -m 0755 -o USER {folder}), or set socket.path.",
        ) from error
    folder.chmod(0o755)  # whatever the umask was


def _lock_of(path: Path) -> Path:
    return path.with_name(path.name + ".lock")


def _take_lock(path: Path) -> int:
    name = _lock_of(path)
    try:
        lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise CannotServe(
            f"the lock {name} cannot be made: {error.strerror}",
            remedy="Let the daemon's user write in this folder, or set socket.path.",
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        raise _another(path) from error
    return lock


def _another(path: Path) -> AlreadyRunning:
    return AlreadyRunning(
        f"another daemon is running on {path}",
        remedy="Stop it first, or give this one another socket.path.",
    )


def _check_occupant(path: Path) -> None:
    """Refuse what is alive or no socket; a dead socket may be replaced."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotServe(
            f"{path} is there and is no socket; it is left alone",
            remedy="Move it away, or set socket.path.",
        )
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(_PROBE_S)
        answer = probe.connect_ex(str(path))
    if answer in {0, errno.EAGAIN}:  # EAGAIN: alive, with a full queue
        raise _another(path)
    if answer not in {errno.ECONNREFUSED, errno.ENOENT}:
        raise CannotServe(
            f"{path} is a socket of somebody else: {os.strerror(answer)}",
            remedy="Move it away, or set socket.path.",
        )


def _put_in_place(place: SocketOptions) -> socket.socket:
    # As long as the name itself, so that whatever path fits, this one fits too. Left by a
    # crash it is found again, and the lock says that nobody else is at it.
    name = place.path.name
    first = "." if name[0] != "." and len(name) > 1 else "_" if name[0] != "_" else "-"
    aside = place.path.with_name(first + name[1:])
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        _check_occupant(aside)
        aside.unlink(missing_ok=True)
        sock.bind(str(aside))
        try:
            _dress(aside, place)
            sock.listen(BACKLOG)
            aside.rename(place.path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
    except OSError as error:
        sock.close()
        raise CannotServe(
            f"the socket {place.path} cannot be made: {error.strerror}",
            remedy="Let the daemon's user write in this folder, or set socket.path.",
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock


def _dress(aside: Path, place: SocketOptions) -> None:
    if place.group is not None:
        group = _group_id(place.group)
        try:
            os.chown(aside, -1, group)
        except PermissionError as error:
            raise CannotServe(
                f"the daemon may not give its socket to the group {place.group}",
                remedy=f"Add the daemon's user to that group (usermod -aG {place.group} USER). The "
                "sandbox of the systemd unit forbids it all the same: there, set SocketGroup= of "
                "homey-tokend.socket.",
            ) from error
    aside.chmod(place.mode)


def _group_id(group: str) -> int:
    if group.isascii() and group.isdigit():
        if int(group) > _LARGEST_ID:
            raise CannotServe(
                f"socket.group: no group has the number {group}",
                remedy=f"Numbers of groups end at {_LARGEST_ID}; or give its name.",
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
