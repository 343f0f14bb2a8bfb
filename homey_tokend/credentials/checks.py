"""Warnings about the files that secrets are read from, without reading them.

``check`` is often run by another user than the daemon: what that user may not see is
nothing to warn about; ``check --online``, as the daemon's user, reads them.
"""

import stat
from collections.abc import Iterator
from pathlib import Path

from homey_tokend.config import Config
from homey_tokend.config.files import reason_of
from homey_tokend.core.secret import SECRET_KEYS, SecretSource


def warnings(config: Config) -> list[str]:
    """Return one line for each doubtful file, with the key that names it and what to do."""
    return [
        f"{place}: {words}" for path, place in _named(config).items() for words in _doubtful(path)
    ]


def _named(config: Config) -> dict[str, str]:
    """Return the files, each with the first key that names it."""
    found: dict[str, str] = {}
    for homey in config.homeys.values():
        for key in SECRET_KEYS:
            ref = getattr(homey, key)
            if ref is not None and ref.source is SecretSource.FILE:
                found.setdefault(ref.argument, ref.place or f"homeys.{homey.name}.{key}")
    return found


def _doubtful(path: str) -> Iterator[str]:
    try:
        found = Path(path).stat()
    except PermissionError:
        return
    except OSError as error:
        yield f"the file {path} cannot be read: {reason_of(error)}. Write the value into it, or correct the path."
        return
    if not stat.S_ISREG(found.st_mode):
        yield f"{path} is not a plain file. Name one, or use {{command: …}}."
        return
    if found.st_size == 0:
        yield f"the file {path} is empty. Write the value into it."
    if found.st_mode & stat.S_IROTH:
        yield (
            f"the file {path} can be read by everybody on this machine."
            f" Take the right away (chmod o-r {path})."
        )
