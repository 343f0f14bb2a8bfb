"""Find out whether other users of the machine may change a file. Blocks."""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: What is wrong, without a full stop; and the remedy.
Words = tuple[str, str]

_ROOT = 0


def exposure(path: Path, user: int | None = None) -> Words | None:
    """Return how another user can change or replace a file, and the remedy; None if none can.

    All directories of its path are checked, too, and those of its target if the path has a
    symbolic link. What is missing or not visible is ignored.

    Args:
        path: A file or directory.
        user: The user who depends on it. For root it must belong to root; for another user, or
            None, it may belong to anybody, such as to a user who mounts or manages it.
    """
    found = (_exposure(each, user) for each in _way(path.absolute()))
    return next((words for words in found if words is not None), None)


def _way(path: Path) -> Iterator[Path]:
    yield path
    yield from path.parents
    with suppress(ValueError):  # a NUL character
        real = Path(os.path.realpath(path))
        if real != path:
            yield from (real, *real.parents)


def _exposure(path: Path, user: int | None) -> Words | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    name, mode = shlex.quote(str(path)), found.st_mode
    if user == _ROOT and found.st_uid != _ROOT:
        owner = _user_name(found.st_uid)
        return (
            f"{owner}, who owns {path}, can change it, and so what the daemon does",
            f"Make root the owner of it and its directories, or run the daemon as {owner}.",
        )
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return None  # like /tmp: only the owner of a file can replace it
    if mode & stat.S_IWOTH:
        return (
            f"everybody on this machine can change {path}, and so what the daemon does",
            f"Run: chmod o-w {name}",
        )
    if mode & stat.S_IWGRP and not _is_private(found.st_gid, found.st_uid):
        group = _group_name(found.st_gid)
        return (
            f"the group {group} can change {path}, and so what the daemon does",
            f"Run: chmod g-w {name}",
        )
    return None


def _is_private(group: int, owner: int) -> bool:
    """Return whether only the owner is in the group, which useradd(8) creates for each user."""
    if group != owner:
        return False
    try:
        return set(grp.getgrgid(group).gr_mem) <= {_user_name(owner)}
    except KeyError:
        return True


def _group_name(group: int) -> str:
    try:
        return grp.getgrgid(group).gr_name
    except KeyError:
        return str(group)


def _user_name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return f"the user {user}"
