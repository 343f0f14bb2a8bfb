"""The numbers that every user and group has that is unknown in this user namespace. Blocks.

A process sees all of them as one, usually 65534 (user_namespaces(7)): in a container with users
of its own, or in a unit with ``PrivateUsers=``. So that number says nothing about who it is.
"""

from pathlib import Path
from typing import Literal, NamedTuple

#: As many numbers are there; a namespace that maps them all knows everybody.
_ALL = 2**32 - 1
_USUAL = 65534


class UnknownIds(NamedTuple):
    """The number of unknown users and of unknown groups; None where all are known."""

    uid: int | None = None
    gid: int | None = None


def unknown_ids(proc: Path = Path("/proc")) -> UnknownIds:
    """Return the numbers for the namespace of this process."""
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
