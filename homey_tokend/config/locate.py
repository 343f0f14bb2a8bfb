"""Find the configuration file, and the system's directories for socket and state.

The order is: the file on the command line, ``$HOMEY_TOKEND_CONFIG``, ``config.yaml`` in
``$CONFIGURATION_DIRECTORY``, ``/etc/homey-tokend`` and ``~/.config/homey-tokend`` (or in
``$XDG_CONFIG_HOME``). A file that exists but cannot be read is an error, not skipped: another one
in its place would be a surprise.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homey_tokend.config.model import DefaultPaths
from homey_tokend.core.value_text import trim

_NAME = "homey-tokend"


@dataclass(frozen=True, slots=True)
class SystemPaths:
    """The file and the directories of a system service."""

    config: Path = Path("/etc") / _NAME / "config.yaml"
    run: Path = Path("/run") / _NAME
    state: Path = Path("/var/lib") / _NAME


SYSTEM = SystemPaths()


def find(
    explicit: str | None, environ: Mapping[str, str], system: SystemPaths = SYSTEM
) -> Path | None:
    """Return the configuration file to read, which may be unreadable; None if there is none.

    Args:
        explicit: The path on the command line, or None.
        environ: The environment.
        system: The machine's own paths.
    """
    named = explicit or trim(environ.get("HOMEY_TOKEND_CONFIG", ""))
    return Path(named) if named else next(filter(exists, candidates(environ, system)), None)


def candidates(environ: Mapping[str, str], system: SystemPaths = SYSTEM) -> tuple[Path, ...]:
    """Return the paths that are searched if no file is named, in this order."""
    given = _systemd(environ, "CONFIGURATION_DIRECTORY")
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config") / _NAME / "config.yaml"
    return (*([given / "config.yaml"] if given else []), system.config, own)


def default_paths(environ: Mapping[str, str], system: SystemPaths = SYSTEM) -> DefaultPaths:
    """Return the paths of socket and state if they are not configured.

    Args:
        environ: The environment; systemd's variables take precedence, then the system's
            directories if they are writable, then the user's (XDG base directories).
        system: The machine's own paths.
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    own_run = Path(runtime) / _NAME if runtime.startswith("/") else system.run
    own_state = _xdg(environ, "XDG_STATE_HOME", ".local/state") / _NAME
    run = _systemd(environ, "RUNTIME_DIRECTORY") or _writable(system.run) or own_run
    state = _systemd(environ, "STATE_DIRECTORY") or _writable(system.state) or own_state
    return DefaultPaths(socket=run / f"{_NAME}.sock", state=state / "state.json")


def exists(path: Path) -> bool:
    """Return whether ``path`` exists; True if it cannot be inspected."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _systemd(environ: Mapping[str, str], name: str) -> Path | None:
    """Return the first directory of a colon-separated list (systemd.exec(5))."""
    first = environ.get(name, "").partition(":")[0]
    return Path(first) if first else None


def _xdg(environ: Mapping[str, str], name: str, below: str) -> Path:
    """Return a base directory, ignoring a relative one (XDG Base Directory Specification)."""
    given, home = environ.get(name, ""), environ.get("HOME", "")
    if given.startswith("/"):
        return Path(given)
    try:
        return (Path(home) if home else Path.home()) / below
    except RuntimeError:
        # A container's user may be missing from the user database, and has no home then.
        return Path("/") / below


def _writable(folder: Path) -> Path | None:
    usable = os.access(folder, os.W_OK | os.X_OK) and folder.is_dir()
    return folder if usable else None
