"""Warn about files that other users of the machine may change, or learn secrets from. Blocks."""

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from homey_tokend.config import Config, ExecSinkConfig, FileSinkConfig, HomeyConfig
from homey_tokend.config.environment import SOURCE
from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.secret import SECRET_KEYS, SecretSource
from homey_tokend.runtime.rights import exposure

#: A place in the configuration, the path that it names, and the user to whom it has to belong.
_Entry = tuple[str, Path, int | None]
_KEY_LOG = (
    "is ignored: with the keys in that file, a recording of the traffic shows the password",
    "Unset it.",
)


def rights_warnings(
    config: Config, environ: Mapping[str, str], user: int | None
) -> Iterator[ConfigFault]:
    """Find the configuration, secrets, programs and directories that others may change.

    Args:
        config: The configuration.
        environ: The environment; of it, PATH and what OpenSSL reads.
        user: Who runs the daemon; None if it is not known.

    Yields:
        One warning for each file or directory that has to be changed.
    """
    if "SSLKEYLOGFILE" in environ:
        yield ConfigFault("environment", 0, 0, "SSLKEYLOGFILE", *_KEY_LOG)
    known = set()
    paths = (*_authorities(environ, user), *_paths(config, environ.get("PATH", os.defpath), user))
    for place, path, owner in paths:
        words = exposure(path, owner)
        if words is not None and words not in known:
            known.add(words)
            yield ConfigFault(place, 0, 0, "", *words)


def _authorities(environ: Mapping[str, str], user: int | None) -> Iterator[_Entry]:
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        for path in filter(None, environ.get(name, "").split(os.pathsep)):
            yield f"environment: {name}", Path(path), user


def _paths(config: Config, path: str, user: int | None) -> Iterator[_Entry]:
    if config.source != SOURCE:
        yield config.source, Path(config.source), user
    for homey in config.homeys.values():
        yield from _secret_paths(homey, path, user)
        for index, sink in enumerate(homey.sinks):
            place = f"{config.source}: homeys.{homey.name}.sinks[{index}]"
            if isinstance(sink, ExecSinkConfig):
                programs = _programs(sink.command, path)
                yield from ((f"{place}.command", each, user) for each in programs)
            elif isinstance(sink, FileSinkConfig):
                yield f"{place}.path", sink.path.parent, None  # it may be the reader's own
    if config.state.path is not None:
        yield f"{config.source}: state.path", config.state.path.parent, user
    yield f"{config.source}: socket.path", config.socket.path.parent, user


def _secret_paths(homey: HomeyConfig, path: str, user: int | None) -> Iterator[_Entry]:
    for ref in (getattr(homey, key) for key in SECRET_KEYS):
        if ref is not None and ref.source is SecretSource.FILE:
            yield ref.place, Path(ref.argument), user
        elif ref is not None and ref.source is SecretSource.COMMAND:
            yield from ((ref.place, each, user) for each in _programs(ref.argv, path))


def _programs(argv: Sequence[str], path: str) -> Iterator[Path]:
    """Yield the program of a command, and the script where the program is its interpreter."""
    program = argv[0] if "/" in argv[0] else shutil.which(argv[0], path=path)
    if program is not None:
        yield Path(program)
    if len(argv) > 1 and argv[1].startswith("/"):
        yield Path(argv[1])
