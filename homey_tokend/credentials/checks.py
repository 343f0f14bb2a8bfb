"""Check the files and programs of credentials, without reading or running them.

``check`` is often run by another user than the daemon's, so files that this user may not access
cause no warning. ``check --online``, run as the daemon's user, reads them.
"""

import stat
from collections.abc import Iterator, Mapping
from pathlib import Path

from homey_tokend.config import Config
from homey_tokend.config.files import reason_of
from homey_tokend.core.secret import SECRET_KEYS, SecretSource
from homey_tokend.runtime.process import child_environ
from homey_tokend.runtime.programs import program_fault


def warnings(config: Config, environ: Mapping[str, str]) -> list[str]:
    """Return one line for each doubtful file or program, with a place that names it and a remedy."""
    refs = [getattr(homey, key) for homey in config.homeys.values() for key in SECRET_KEYS]
    places: dict[str, str] = {}
    commands: dict[tuple[str, ...], str] = {}
    for ref in refs:
        if ref is not None and ref.source is SecretSource.FILE:
            places.setdefault(ref.argument, ref.place)
        elif ref is not None and ref.source is SecretSource.COMMAND:
            commands.setdefault(ref.argv, ref.place)
    inherited = child_environ(environ)
    return [
        *(f"{place}: {words}" for path, place in places.items() for words in _file_warnings(path)),
        *(
            f"{place}: the program {words[0]}. {words[1]}"
            for argv, place in commands.items()
            if (words := program_fault(argv, inherited))
        ),
    ]


def _file_warnings(path: str) -> Iterator[str]:
    try:
        found = Path(path).stat()
    except PermissionError:
        return
    except OSError as error:
        reason = reason_of(error)
        yield f"the file {path} cannot be read: {reason}. Write the value into it, or correct the path."
        return
    if not stat.S_ISREG(found.st_mode):
        yield f"{path} is not a plain file. Name one, or use {{command: …}}."
        return
    if found.st_size == 0:
        yield f"the file {path} is empty. Write the value into it."
    if found.st_mode & stat.S_IROTH:
        yield (
            f"the file {path} can be read by everybody on this machine."
            f" Remove that permission (chmod o-r {path})."
        )
