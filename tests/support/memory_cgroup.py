"""A memory cgroup of version 1 or 2 for one process: what it takes, and whether it was killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

#: The files of each version: the limit, what is used (the buffers of TCP are apart in version 1),
#: and the processes that were killed.
_VERSION_1 = (
    "memory.limit_in_bytes",
    ("memory.usage_in_bytes", "memory.kmem.tcp.usage_in_bytes"),
    "memory.oom_control",
)
_VERSION_2 = ("memory.max", ("memory.current",), "memory.events")


class NoCgroup(Exception):
    """No memory cgroup can be made here, and why."""


@dataclass(frozen=True)
class MemoryCgroup:
    """A cgroup below one that this process may write to."""

    folder: Path
    usage_files: tuple[str, ...]
    kills_file: str

    def add(self, process: int) -> None:
        """Move a process into it; what that has taken already is counted elsewhere."""
        (self.folder / "cgroup.procs").write_text(str(process), encoding="ascii")

    def usage(self) -> int:
        """Return the bytes in use, those of the kernel included."""
        return sum(int(self._read(name)) for name in self.usage_files)

    def kills(self) -> int:
        """Return how many processes were killed because the limit was reached."""
        counts = dict(line.split() for line in self._read(self.kills_file).splitlines())
        return int(counts["oom_kill"])

    def _read(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="ascii")


@contextmanager
def memory_cgroup(limit: int) -> Iterator[MemoryCgroup]:
    """Make a cgroup with a limit in bytes, and remove it after its processes have ended.

    Raises:
        NoCgroup: None can be made here.
    """
    parent, (limit_file, usage_files, kills_file) = _parent()
    folder = parent / f"homey-tokend-test-{os.getpid()}"
    try:
        folder.mkdir()
        (folder / limit_file).write_text(str(limit), encoding="ascii")
    except OSError as error:
        if folder.exists():
            folder.rmdir()
        raise NoCgroup(f"{folder}: {error.strerror}") from error
    try:
        yield MemoryCgroup(folder, usage_files, kills_file)
    finally:
        folder.rmdir()


def _parent() -> tuple[Path, tuple[str, tuple[str, ...], str]]:
    """Return where a cgroup with a limit of memory can be made, and the names of its files."""
    mounts = [line.split() for line in _lines("/proc/self/mountinfo")]
    for line in _lines("/proc/self/cgroup"):
        number, controllers, own = line.rstrip("\n").split(":", 2)
        for fields in mounts:
            kind = fields[fields.index("-") + 1]
            if kind == "cgroup" and "memory" in controllers.split(","):
                if "memory" in fields[-1].split(","):
                    return Path(fields[4]), _VERSION_1
            elif kind == "cgroup2" and number == "0":
                found = _delegating(Path(fields[4]), own)
                if found is not None:
                    return found, _VERSION_2
    raise NoCgroup("no hierarchy has the controller memory")


def _delegating(mount: Path, own: str) -> Path | None:
    """Return the nearest cgroup above this process whose children have a limit of memory."""
    folder = mount / own.strip("/")
    while folder.is_relative_to(mount):
        control = folder / "cgroup.subtree_control"
        if control.exists() and "memory" in control.read_text(encoding="ascii").split():
            return folder
        folder = folder.parent
    return None


def _lines(path: str) -> list[str]:
    return Path(path).read_text(encoding="utf-8").splitlines()
