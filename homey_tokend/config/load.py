"""Load the configuration, from a file or from the environment: the only I/O of this package."""

import codecs
import re
import stat
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from homey_tokend.config.environment import from_environment, ignored_variables
from homey_tokend.config.files import read_bounded, reason_of
from homey_tokend.config.locate import SYSTEM, SystemPaths, candidates, default_paths, find
from homey_tokend.config.model import Config, DefaultPaths
from homey_tokend.config.nesting import nest
from homey_tokend.config.pasted import repair
from homey_tokend.config.tree import Mark, invalid
from homey_tokend.config.validate import validate
from homey_tokend.config.yaml_tree import read_yaml
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.secret import GUARDED_KEYS, SecretSource

#: The most bytes of a configuration; a hundred Homeys fit into a twentieth of it.
MAX_BYTES = 1024 * 1024
#: The most bytes of the file that ``HOMEY_CLOUDID_FILE`` and the like name.
_MAX_VALUE_BYTES = 64 * 1024

_NOWHERE = Mark(0, 0)
#: What YAML 1.1 does not allow in a stream (5.1), apart from the byte order mark.
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")
_AS_UTF8 = "Save it as UTF-8."
_WRONG_FILE = "Check that it is the right file."


def load(explicit: str | None, environ: Mapping[str, str], system: SystemPaths = SYSTEM) -> Config:
    """Load the configuration, from a file or from the environment.

    Args:
        explicit: The path on the command line, or None.
        environ: The environment.
        system: The machine's own paths.

    Raises:
        ConfigurationInvalid: There is none, it cannot be read, or it has faults.
    """
    defaults = default_paths(environ, system)
    found = find(explicit, environ, system)
    if found is not None:
        text, mode = _read(found, MAX_BYTES)
        path = str(found.absolute())
        config = parse(text, str(found), defaults=defaults, environ=environ, path=path)
        return _with_mode(config, mode)
    made = from_environment(environ, defaults=defaults, read_text=_read_text)
    if made is not None:
        return made
    looked = ", ".join(map(str, candidates(environ, system)))
    raise invalid(
        "configuration",
        _NOWHERE,
        f"there is none: looked for --config, $HOMEY_TOKEND_CONFIG, {looked} and HOMEY_EMAIL "
        "in the environment",
        "Call homey-tokend init, which asks for the values, or copy config.example.yaml to one "
        "of these places.",
    )


def parse(
    data: bytes,
    source: str,
    *,
    defaults: DefaultPaths,
    environ: Mapping[str, str],
    path: str = "",
) -> Config:
    """Check the text of a configuration file, without I/O.

    Args:
        data: The whole file, or its first ``MAX_BYTES`` + 1 bytes.
        source: Its name for messages.
        defaults: The machine's default paths.
        environ: The environment; a file takes precedence over ``HOMEY_…`` variables, and
            ``Config.warnings`` names the ignored ones.
        path: The absolute path of the file, which no other key may name; empty: no file.

    Raises:
        ConfigurationInvalid: With all faults that can be found at once.
    """

    def check(text: str) -> Config:
        tree = read_yaml(text, source)
        nest(tree)
        return validate(
            tree,
            defaults=defaults,
            path=path,
            warn=lambda document: ignored_variables(document, environ, source),
        )

    text = _decode(data, source)
    try:
        return check(text)
    except ConfigurationInvalid as error:
        raise _with_cause(error, text, source, check) from None


def _with_cause(
    error: ConfigurationInvalid, text: str, source: str, check: Callable[[str], Config]
) -> ConfigurationInvalid:
    """Return the cause of the faults, if one is found, and the faults that remain without it."""
    repaired, causes = repair(text, source, quotes=not any(fault.key for fault in error.faults))
    if not causes:
        return error
    remaining: Sequence[ConfigFault] = ()
    try:
        check(repaired)
    except ConfigurationInvalid as other:
        remaining = other.faults
    if _places(error.faults) <= _places(remaining):
        return error
    return ConfigurationInvalid([*causes, *remaining])


def _places(faults: Iterable[ConfigFault]) -> set[tuple[int, int, str]]:
    return {(fault.line, fault.column, fault.key) for fault in faults}


def _decode(data: bytes, source: str) -> str:
    if len(data) > MAX_BYTES:
        raise invalid(source, _NOWHERE, "is larger than 1 MiB", _WRONG_FILE)
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise invalid(source, _NOWHERE, "is UTF-16", _AS_UTF8)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", "replace")
        raise invalid(source, _mark_after(before), "is not UTF-8 here", _AS_UTF8) from None
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        raise invalid(
            source,
            _mark_after(text[: bad.start()]),
            f"contains the character U+{ord(bad[0]):04X}, as binary files do",
            "Check that it is the right file, or remove the character.",
        )
    return text


def _mark_after(text: str) -> Mark:
    lines = _LINE_END.split(text)
    return Mark(len(lines), len(lines[-1]) + 1)


def _read(path: Path, limit: int) -> tuple[bytes, int]:
    try:
        return read_bounded(path, limit)
    except IsADirectoryError:
        raise invalid(str(path), _NOWHERE, "is a folder", "Name the file in it.") from None
    except OSError as exc:
        raise invalid(
            str(path),
            _NOWHERE,
            f"cannot be read: {reason_of(exc)}",
            "Check the path, and that the daemon's user may read the file and access its directories.",
        ) from None
    except ValueError:
        words = "contains a NUL character", "Write a path without it."
        raise invalid("--config", _NOWHERE, *words) from None


def _read_text(path: str) -> str:
    data, _ = _read(Path(path), _MAX_VALUE_BYTES)
    if len(data) > _MAX_VALUE_BYTES:
        raise invalid(path, _NOWHERE, f"the file {path} is larger than 64 KiB", _WRONG_FILE)
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise invalid(path, _NOWHERE, f"the file {path} is not UTF-8", _WRONG_FILE) from None


def _with_mode(config: Config, mode: int) -> Config:
    """Add a warning if everybody can read a secret in the file itself."""
    plain = [
        f"homeys.{name}.{key}"
        for name, homey in config.homeys.items()
        for key in GUARDED_KEYS
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
        f"Remove that permission (chmod o-r {config.source}), or move the secret to its own file.",
    )
    return replace(config, warnings=(*config.warnings, warning))
