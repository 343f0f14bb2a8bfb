"""Find the configuration file, and the machine's folders for socket and state.

Looked for, in this order: what is named explicitly, ``$HOMEY_TOKEND_CONFIG``,
``config.yaml`` in ``$CONFIGURATION_DIRECTORY``, ``/etc/homey-tokend`` and
``~/.config/homey-tokend`` (or in ``$XDG_CONFIG_HOME``). A file that is there and cannot
be read is an error, not skipped: another one in its place would be a surprise.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from homey_tokend.config.model import DefaultPaths

_NAME = "homey-tokend"
_SYSTEM = Path("/etc") / _NAME / "config.yaml"
_RUN = Path("/run") / _NAME
_STATE = Path("/var/lib") / _NAME


def find(explicit: str | None, environ: Mapping[str, str], home: Path) -> Path | None:
    """Find the configuration file to read.

    Args:
        explicit: What the command line names, or None.
        environ: The environment.
        home: The person's home folder.

    Returns:
        One that is named or there, whether it can be read or not; None where none is there.
    """
    named = explicit or environ.get("HOMEY_TOKEND_CONFIG")
    return Path(named) if named else next(filter(exists, candidates(environ, home)), None)


def candidates(environ: Mapping[str, str], home: Path | None = None) -> tuple[Path, ...]:
    """Return where a file is looked for that nobody names, in this order.

    Args:
        environ: The environment.
        home: The person's home folder; None: what the environment says.
    """
    given = _systemd(environ, "CONFIGURATION_DIRECTORY")
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config", home) / _NAME / "config.yaml"
    return (*([given / "config.yaml"] if given else []), _SYSTEM, own)


def default_paths(environ: Mapping[str, str]) -> DefaultPaths:
    """Return where socket and state are if the configuration does not say.

    Args:
        environ: The environment; systemd's variables win, then the system's folders where
            they can be written, then the person's own (XDG base directories).
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    state_home = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    own_run = Path(runtime) / _NAME if runtime.startswith("/") else _RUN
    run = _systemd(environ, "RUNTIME_DIRECTORY") or (_RUN if _is_writable(_RUN) else own_run)
    state = _systemd(environ, "STATE_DIRECTORY") or (
        _STATE if _is_writable(_STATE) else state_home / _NAME
    )
    return DefaultPaths(socket=run / f"{_NAME}.sock", state=state / "state.json")


def home_of(environ: Mapping[str, str]) -> Path:
    """Return the person's home folder; ``/`` for a container's user that has none."""
    given = environ.get("HOME", "")
    if given:
        return Path(given)
    try:
        return Path.home()
    except RuntimeError:
        return Path("/")


def exists(path: Path) -> bool:
    """Tell whether something is at ``path``; what cannot be looked at counts as there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _systemd(environ: Mapping[str, str], name: str) -> Path | None:
    """The first folder of a systemd variable, which lists them with colons (systemd.exec(5))."""
    first = environ.get(name, "").partition(":")[0]
    return Path(first) if first else None


def _xdg(environ: Mapping[str, str], name: str, below: str, home: Path | None = None) -> Path:
    """A base directory; a relative one is to be ignored (XDG Base Directory Specification)."""
    given = environ.get(name, "")
    return Path(given) if given.startswith("/") else (home or home_of(environ)) / below


def _is_writable(folder: Path) -> bool:
    return os.access(folder, os.W_OK | os.X_OK) and folder.is_dir()
