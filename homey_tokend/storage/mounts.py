"""Files that are mounted by themselves: they cannot be replaced, as state and sinks must be."""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from homey_tokend.config import Config, FileSinkConfig
from homey_tokend.core.errors import ConfigFault
from homey_tokend.storage.atomic import MOUNTED_REMEDY

_MOUNTS = Path("/proc/self/mountinfo")


def is_mount_point(path: Path) -> bool:
    """Return whether something is mounted at this very path; False where that is unknown."""
    return _is_one_of(_mount_points(), path)


def mount_warnings(config: Config) -> Iterator[ConfigFault]:
    """Yield a warning for each file that the daemon writes and that is mounted by itself."""
    mounts = _mount_points()
    paths = {"state.path": config.state.path}
    for name, homey in config.homeys.items():
        for index, sink in enumerate(homey.sinks):
            if isinstance(sink, FileSinkConfig):
                paths[f"homeys.{name}.sinks[{index}].path"] = sink.path
    for key, path in paths.items():
        if path is not None and _is_one_of(mounts, path):
            message = f"{path} is mounted by itself and cannot be replaced"
            yield ConfigFault(config.source, 0, 0, key, message, MOUNTED_REMEDY)


def _mount_points() -> dict[str, set[Path]]:
    """Return the paths at which something is mounted, by their last part."""
    found: dict[str, set[Path]] = {}
    with suppress(OSError):
        for line in _MOUNTS.read_bytes().splitlines():
            path = Path(os.fsdecode(_unescaped(line.split(b" ")[4])))
            found.setdefault(path.name, set()).add(path)
    return found


def _is_one_of(mounts: Mapping[str, set[Path]], path: Path) -> bool:
    same_name = mounts.get(path.name)
    if same_name is None:
        return False
    # The directory's links are followed; the file itself is what would be replaced.
    return Path(os.path.realpath(path.parent), path.name) in same_name


def _unescaped(field: bytes) -> bytes:
    """Return a path of mountinfo, in which blanks and the like are octal numbers (proc(5))."""
    return re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), field)
