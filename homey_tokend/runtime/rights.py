"""Find out whether other users of the machine may change a file. Blocks."""

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

#: What is wrong, without a full stop; and what to do.
Words = tuple[str, str]

_ROOT = 0


def exposure(path: Path, user: int | None = None) -> Words | None:
    """Return by which right another user may change or replace a file, and what to do.

    Each directory on the way to it counts, and with a symbolic link on the way those of the link
    and those of its target. What is missing or cannot be seen does not.

    Args:
        path: A file or directory.
        user: Who depends on it. What root depends on must be root's own; another user, or None,
            can depend on what is another's: of somebody who mounts or manages it.
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
            f"{owner}, to whom {path} belongs, can change it, and so what the daemon does",
            f"Let it belong to root, in directories of root's, or run the daemon as {owner}.",
        )
    if stat.S_ISDIR(mode) and mode & stat.S_ISVTX:
        return None  # as /tmp: only its owner can replace what is in it
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
    """Return whether a group is that of its owner alone, as useradd(8) makes one for each user."""
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
