"""The unix socket's file: in place with its mode and group before the first client can connect.

A temporary name is bound in the same directory, gets group and mode, listens, and is renamed into
place, all under a lock that is held for the daemon's life. A dead socket is replaced; a live one
belongs to another daemon, and any other file is left alone. Every call here may block for a
moment: call it in a thread.
"""

import grp
import hashlib
import os
import resource
import socket
import stat
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import NamedTuple

from homey_tokend.core.errors import CannotServe
from homey_tokend.server.socket_folder import Inode, SocketFolder, lock_name, path_of
from homey_tokend.storage.atomic import remedy_of

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
    """A listening socket that owns its file, the directory of it and the lock beside it."""

    def __init__(self, options: SocketOptions, folder: SocketFolder, lock: int) -> None:
        self._path = options.path
        self._folder = folder
        self._lock = lock
        self._inode: Inode | None
        self.sock, self._inode = _put_in_place(folder, options)

    @classmethod
    def open(cls, options: SocketOptions) -> "UnixSocket":
        """Make the socket and put it in place.

        Raises:
            AlreadyRunning: Another daemon holds the lock, or answers on the socket.
            CannotServe: The socket cannot be made; the remedy says what to do.
        """
        _check_path(options.path)
        with ExitStack() as undo:
            folder = SocketFolder(options.path.parent)
            undo.callback(folder.close)
            lock = folder.take_lock(options.path.name)
            undo.callback(os.close, lock)
            folder.check_occupant(options.path.name)
            made = cls(options, folder, lock)
            undo.pop_all()
        return made

    def change_rights(self, options: SocketOptions) -> None:
        """Give the socket's file another mode and group, in force for the next client.

        Raises:
            CannotServe: The group is unknown, or the rights may not be changed.
        """
        try:
            _set_rights(self._folder, self._path.name, options)
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
        if self._inode is None:
            return None
        name = self._path.name
        with ExitStack() as undo:
            folder = SocketFolder(self._path.parent)
            undo.callback(folder.close)
            if folder.inode(name) == self._inode:
                return None
            held = os.fstat(self._lock)
            if folder.inode(lock_name(name)) != (held.st_dev, held.st_ino):
                lock = folder.take_lock(name)  # its file is gone too, so ours would exclude nobody
                os.close(self._lock)
                self._lock = lock
            folder.check_occupant(name)
            self.sock, self._inode = _put_in_place(folder, options)
            undo.pop_all()
        self._folder.close()
        self._folder = folder
        return self.sock

    def withdraw(self) -> None:
        """Remove the socket's file, if it is still ours: no new client finds it.

        Where that is not permitted any more, it stays: the next daemon replaces a dead socket.
        """
        if self._inode is not None and self._folder.inode(self._path.name) == self._inode:
            with suppress(OSError):
                self._folder.remove(self._path.name)
        self._inode = None

    def close(self) -> None:
        """Remove the file, close the socket and release the lock; a second call does nothing."""
        self.withdraw()
        self.sock.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        self._folder.close()


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


def _put_in_place(folder: SocketFolder, options: SocketOptions) -> tuple[socket.socket, Inode]:
    # Short, since its path in /proc must fit. One left by a crash is found again, and the lock
    # says that no other daemon uses it.
    name = options.path.name
    temporary = f".{hashlib.sha256(os.fsencode(name)).hexdigest()[:16]}.sock"
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        folder.check_occupant(temporary)
        folder.remove(temporary)
        sock.bind(str(folder.entry(temporary)))
        try:
            inode = _set_rights(folder, temporary, options)
            sock.listen(BACKLOG)
            folder.rename(temporary, name)
        except BaseException:
            folder.remove(temporary)
            raise
        if folder.inode(name) != inode:
            raise _replaced(options.path)  # noqa: TRY301  the socket is closed below
    except OSError as error:
        sock.close()
        raise CannotServe(
            f"the socket {options.path} cannot be created: {error.strerror}",
            remedy=f"{remedy_of(error)} Or set socket.path.".lstrip(),
        ) from error
    except BaseException:
        sock.close()
        raise
    return sock, inode


def _set_rights(folder: SocketFolder, name: str, options: SocketOptions) -> Inode:
    """Set group and mode of a socket's file, and return which one it is.

    Another file in its place is left alone, and so is a second name of a socket elsewhere.
    """
    with folder.opened(name) as opened:
        found = os.fstat(opened)
        if not stat.S_ISSOCK(found.st_mode) or found.st_nlink > 1:
            raise _replaced(options.path)
        if options.group is not None:
            _set_group(path_of(opened), options.group)
        path_of(opened).chmod(options.mode)
    return found.st_dev, found.st_ino


def _set_group(path: Path, group: str) -> None:
    try:
        os.chown(path, -1, _group_id(group))
    except PermissionError as error:
        raise CannotServe(
            f"the daemon may not give its socket to the group {group}",
            remedy=f"Add the daemon's user to that group (usermod -aG {group} USER). The "
            "sandbox of the systemd unit forbids it all the same: there, set SocketGroup= of "
            "homey-tokend.socket.",
        ) from error


def _replaced(path: Path) -> CannotServe:
    return CannotServe(
        f"somebody else has replaced the file of the socket {path}",
        remedy=f"Let nobody but the daemon's user write in {path.parent}, or set socket.path.",
    )


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
