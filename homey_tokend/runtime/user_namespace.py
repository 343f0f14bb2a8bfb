"""The ids that stand for unknown users and groups in this user namespace. Blocks.

In a container with users of its own, or in a unit with ``PrivateUsers=``, a process sees all other
users as one id, usually 65534 (user_namespaces(7)), which therefore does not identify anybody.
"""

from pathlib import Path
from typing import Literal, NamedTuple

#: The number of ids; a namespace that maps all of them has no unknown users.
_ALL = 2**32 - 1
_USUAL = 65534


class UnknownIds(NamedTuple):
    """The ids of unknown users and of unknown groups; None if all are known."""

    uid: int | None = None
    gid: int | None = None


def unknown_ids(proc: Path = Path("/proc")) -> UnknownIds:
    """Return the ids of unknown users and groups in the namespace of this process."""
    return UnknownIds(_unknown(proc, "uid"), _unknown(proc, "gid"))


def _unknown(proc: Path, kind: Literal["uid", "gid"]) -> int | None:
    try:
        ranges = (proc / "self" / f"{kind}_map").read_text().splitlines()
    except FileNotFoundError:  # a kernel without user namespaces
        return None
    except OSError:
        return _USUAL
    if sum(int(line.split()[2]) for line in ranges) >= _ALL:
        return None
    try:
        return int((proc / "sys" / "kernel" / f"overflow{kind}").read_text())
    except OSError:  # hidden by the sandbox of the unit
        return _USUAL
