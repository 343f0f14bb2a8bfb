"""Finds and reads the configuration: the only I/O that it needs.

Looked for, in this order: what is named explicitly, ``$HOMEY_TOKEND_CONFIG``,
``config.yaml`` in ``$CONFIGURATION_DIRECTORY``, ``/etc/homey-tokend`` and
``~/.config/homey-tokend`` (or in ``$XDG_CONFIG_HOME``); without any, the environment
alone. A file that is there and cannot be read is an error, not skipped: another one in
its place would be a surprise.
"""

import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from homey_tokend.config import Config, DefaultPaths, from_environment, parse
from homey_tokend.config.decode import MOST_BYTES
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import SecretSource

_NAME = "homey-tokend"
_SYSTEM = Path("/etc") / _NAME / "config.yaml"
_RUN = Path("/run") / _NAME
_STATE = Path("/var/lib") / _NAME

#: How large may the file behind ``HOMEY_CLOUDID_FILE`` and the like be?
_MOST_VALUE_BYTES = 64 * 1024
_CHUNK = 256 * 1024

#: The keys whose value nobody else may read.
_GUARDED = ("password", "client_secret", "totp_secret")


def find(explicit: str | None, environ: Mapping[str, str], home: Path) -> Path | None:
    """The configuration file to read.

    Args:
        explicit: What the command line names, or None.
        environ: The environment.
        home: The person's home folder.

    Returns:
        None where none is there.

    Raises:
        ConfigurationInvalid: One is named or there, and cannot be read.
    """
    named = explicit or environ.get("HOMEY_TOKEND_CONFIG")
    if named:
        _try(Path(named))
        return Path(named)
    for path in candidates(environ, home):
        if exists(path):
            _try(path)
            return path
    return None


def load(explicit: str | None, environ: Mapping[str, str]) -> Config:
    """The configuration, from a file or from the environment.

    Args:
        explicit: What the command line names, or None.
        environ: The environment.

    Raises:
        ConfigurationInvalid: There is none, it cannot be read, or it has faults.
    """
    home = _home(environ)
    found = find(explicit, environ, home)
    if found is not None:
        text, mode = _read(found, MOST_BYTES)
        config = parse(
            text,
            str(found),
            defaults=default_paths(environ),
            environ=environ,
            path=str(found.absolute()),
        )
        return _with_mode(config, mode)
    config_or_none = from_environment(
        environ, defaults=default_paths(environ), read_text=_read_text
    )
    if config_or_none is not None:
        return config_or_none
    looked = ", ".join(map(str, candidates(environ, home)))
    raise _invalid(
        "configuration",
        f"there is none: looked for --config, $HOMEY_TOKEND_CONFIG, {looked} and HOMEY_EMAIL "
        "in the environment",
        "Call homey-tokend init, which asks for the values, or copy config.example.yaml to one "
        "of these places.",
    )


def default_paths(environ: Mapping[str, str]) -> DefaultPaths:
    """Where socket and state are if the configuration does not say.

    Args:
        environ: The environment; systemd's variables win, then the system's folders where
            they can be written, then the person's own (XDG base directories).
    """
    runtime = environ.get("XDG_RUNTIME_DIR", "")
    state_home = _xdg(environ, "XDG_STATE_HOME", ".local/state")
    own_run = Path(runtime) / _NAME if runtime.startswith("/") else _RUN
    run = _systemd(environ, "RUNTIME_DIRECTORY") or (_RUN if _writable(_RUN) else own_run)
    state = _systemd(environ, "STATE_DIRECTORY") or (
        _STATE if _writable(_STATE) else state_home / _NAME
    )
    return DefaultPaths(socket=run / f"{_NAME}.sock", state=state / "state.json")


def candidates(environ: Mapping[str, str], home: Path | None = None) -> tuple[Path, ...]:
    """Where a file is looked for that nobody names, in this order.

    Args:
        environ: The environment.
        home: The person's home folder; None: what the environment says.
    """
    given = _systemd(environ, "CONFIGURATION_DIRECTORY")
    own = _xdg(environ, "XDG_CONFIG_HOME", ".config", home) / _NAME / "config.yaml"
    return (*([given / "config.yaml"] if given else []), _SYSTEM, own)


def _systemd(environ: Mapping[str, str], name: str) -> Path | None:
    """The first folder of a systemd variable, which lists them with colons (systemd.exec(5))."""
    first = environ.get(name, "").partition(":")[0]
    return Path(first) if first else None


def _xdg(environ: Mapping[str, str], name: str, below: str, home: Path | None = None) -> Path:
    """A base directory; a relative one is to be ignored (XDG Base Directory Specification)."""
    given = environ.get(name, "")
    return Path(given) if given.startswith("/") else (home or _home(environ)) / below


def _home(environ: Mapping[str, str]) -> Path:
    given = environ.get("HOME", "")
    if given:
        return Path(given)
    try:
        return Path.home()
    except RuntimeError:
        # A container's user need not be in the user database: it has no home, then.
        return Path("/")


def _writable(folder: Path) -> bool:
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


def exists(path: Path) -> bool:
    """Whether something is at ``path``; what cannot be looked at counts as there."""
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True
    return True


def _try(path: Path) -> None:
    os.close(_open(path))


def _open(path: Path) -> int:
    try:
        # Not blocking: a pipe without a writer would hold the start up for ever.
        opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as exc:
        reason = (exc.strerror or "it failed").lower()
        raise _invalid(str(path), f"cannot be read: {reason}", _REMEDY) from None
    except ValueError:
        raise _invalid("--config", "holds a NUL character", "Write a path without it.") from None
    if stat.S_ISDIR(os.fstat(opened).st_mode):
        os.close(opened)
        raise _invalid(str(path), "is a folder", "Name the file in it.")
    return opened


_REMEDY = "Check the path, and that the daemon's user may read the file and enter its folders."


def _read(path: Path, most: int) -> tuple[bytes, int]:
    """At most ``most`` + 1 bytes of a file, and its mode.

    Raises:
        ConfigurationInvalid: It cannot be read.
    """
    opened = _open(path)
    try:
        mode = os.fstat(opened).st_mode
        # A pipe that has a writer, as the shell's <(…) makes, is waited for.
        os.set_blocking(opened, True)
        data = b""
        while len(data) <= most and (more := os.read(opened, min(_CHUNK, most + 1 - len(data)))):
            data += more
    except OSError as exc:
        reason = (exc.strerror or "it failed").lower()
        raise _invalid(str(path), f"cannot be read: {reason}", _REMEDY) from None
    finally:
        os.close(opened)
    return data, mode


def _read_text(path: str) -> str:
    data, _ = _read(Path(path), _MOST_VALUE_BYTES)
    if len(data) > _MOST_VALUE_BYTES:
        raise _invalid(path, f"the file {path} is larger than 64 KiB", _WRONG_FILE)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise _invalid(path, f"the file {path} is not UTF-8", _WRONG_FILE) from None


_WRONG_FILE = "Check that it is the right file."


def _with_mode(config: Config, mode: int) -> Config:
    """A warning where everybody can read a secret that stands in the file itself."""
    plain = [
        f"homeys.{name}.{key}"
        for name, homey in config.homeys.items()
        for key in _GUARDED
        if (ref := getattr(homey, key)) is not None and ref.source is SecretSource.PLAIN
    ]
    if not plain or not stat.S_ISREG(mode) or not mode & stat.S_IROTH:
        return config
    warning = ConfigFault(
        config.source,
        0,
        0,
        plain[0],
        "is a secret in a file that everybody on this machine can read",
        f"Take the right away (chmod o-r {config.source}), or move the secret to its own file.",
    )
    return replace(config, warnings=(*config.warnings, warning))


def _invalid(source: str, message: str, remedy: str) -> ConfigurationInvalid:
    return ConfigurationInvalid([ConfigFault(source, 0, 0, "", message, remedy)])
