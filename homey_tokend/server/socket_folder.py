"""The directory of the unix socket, held open: somebody else may be able to write in it.

Its path can be swapped for another one, the open directory cannot. No symbolic link in it is
followed. bind(2), connect(2), chmod(2) and chown(2) reach an open directory or file by its path
in /proc. Everything here blocks for a moment.
"""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from homey_tokend.core.errors import AlreadyRunning, CannotServe
from homey_tokend.storage.atomic import remedy_of

#: The device and the number of a file.
Inode = tuple[int, int]


def path_of(descriptor: int) -> Path:
    """Return the path of an open directory or file."""
    return Path(f"/proc/self/fd/{descriptor}")


class SocketFolder:
    """An open directory; it is made if it is missing, accessible to others.

    Raises:
        CannotServe: It cannot be made or opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = _open(path)

    def entry(self, name: str) -> Path:
        """Return the path of a name in it."""
        return path_of(self._fd) / name

    def inode(self, name: str) -> Inode | None:
        """Return which file has a name; None if there is none."""
        return inode_of(self.entry(name))

    def remove(self, name: str) -> None:
        """Remove a name, if it is there."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._fd)

    def rename(self, old: str, new: str) -> None:
        """Give a file another name in the same directory."""
        os.rename(old, new, src_dir_fd=self._fd, dst_dir_fd=self._fd)

    @contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Open a file itself: not what a link names, and not its content."""
        found = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._fd)
        try:
            yield found
        finally:
            os.close(found)

    def take_lock(self, name: str) -> int:
        """Lock the file beside a socket's name, and return its descriptor.

        Raises:
            AlreadyRunning: Another daemon holds it.
            CannotServe: It cannot be created.
        """
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            lock = os.open(lock_name(name), flags, 0o600, dir_fd=self._fd)
        except OSError as error:
            raise CannotServe(
                f"the lock {self._path / lock_name(name)} cannot be created: {error.strerror}",
                remedy=f"{remedy_of(error)} Or set socket.path.".lstrip(),
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise self._already_running(name) from error
        return lock

    def check_occupant(self, name: str) -> None:
        """Accept a dead socket, which may be replaced, or nothing.

        Raises:
            AlreadyRunning: The socket is alive.
            CannotServe: It is another file, or a socket of another program.
        """
        path = self._path / name
        try:
            with self.opened(name) as found:
                is_socket = stat.S_ISSOCK(os.fstat(found).st_mode)
                result = _connect(found) if is_socket else 0
        except FileNotFoundError:
            return
        if not is_socket:
            raise CannotServe(
                f"{path} exists and is not a socket; it is left alone",
                remedy="Move it away, or set socket.path.",
            )
        if result in {0, errno.EAGAIN}:  # EAGAIN: alive, with a full queue
            raise self._already_running(name)
        if result not in {errno.ECONNREFUSED, errno.ENOENT}:
            raise CannotServe(
                f"{path} is a socket of another program: {os.strerror(result)}",
                remedy="Move it away, or set socket.path.",
            )

    def close(self) -> None:
        """Close the directory; a second call does nothing."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _already_running(self, name: str) -> AlreadyRunning:
        return AlreadyRunning(
            f"another daemon is running on {self._path / name}",
            remedy="Stop it first, or give this one another socket.path.",
        )


def inode_of(path: Path) -> Inode | None:
    """Return which file a path leads to, itself if it is a link; None if there is none."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def lock_name(name: str) -> str:
    """Return the name of the lock beside a socket."""
    return f"{name}.lock"


def _open(folder: Path) -> int:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        try:
            folder.mkdir(mode=0o755)
        except FileExistsError:
            return os.open(folder, flags)
        made = os.open(folder, flags | os.O_NOFOLLOW)
    except OSError as error:
        raise CannotServe(
            f"the directory of the socket {folder} cannot be created or opened: {error.strerror}",
            remedy=f"Make it (install -d -m 0755 -o USER {folder}), or set socket.path.",
        ) from error
    # Whatever the umask was. One with files in it somebody has put in the place of ours.
    if os.fstat(made).st_uid == os.geteuid() and not any(path_of(made).iterdir()):
        path_of(made).chmod(0o755)
    return made


def _connect(found: int) -> int:
    """Return the error of connecting to an open socket's file, or 0."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # the kernel answers at once
        return probe.connect_ex(str(path_of(found)))
