"""Where the first configuration is written. All of it is written, or nothing. Blocks."""

import contextlib
import grp
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from homey_tokend import exit_codes
from homey_tokend.client.errors import ClientError
from homey_tokend.config.files import reason_of
from homey_tokend.config.locate import SYSTEM, SystemPaths, candidates, exists
from homey_tokend.core.secret import GUARDED_KEYS
from homey_tokend.core.value_text import trim
from homey_tokend.runtime.rights import exposure
from homey_tokend.storage.atomic import write_atomic

_GROUP = "homey-tokend"
#: How systemd/homey-tokend.service names a file of the directory ``credentials``.
_CREDENTIAL = "homey_{}"


@dataclass(frozen=True, slots=True)
class Destination:
    """The configuration file and the directory of the secrets.

    With ``unit`` the secrets become credentials of the systemd unit, which alone can read them.
    """

    config: Path
    folder: Path
    unit: bool

    def reference(self, key: str) -> Path | str:
        """Return where the configuration says that a secret is read."""
        return _CREDENTIAL.format(key) if self.unit else self._secret_file(key)

    def require_free(self) -> None:
        """Check that every file is new and can be created, and that nobody else can replace it.

        Raises:
            ClientError: A file exists, or a directory cannot be written, or by others, too.
        """
        secrets = [self._secret_file(key) for key in GUARDED_KEYS]
        if self.config in secrets:
            raise ClientError(
                f"{self.config} is the file of a secret",
                exit_codes.USAGE,
                "Name another file with --config, such as config.yaml.",
            )
        for folder in (self.folder, self.config.parent):
            existing = next(one for one in (folder, *folder.parents) if exists(one))
            if not (_is_folder(existing) and os.access(existing, os.W_OK | os.X_OK)):
                raise ClientError(
                    f"{existing} is not a folder that you can write to",
                    exit_codes.CANNOT_CREATE,
                    "Name a file in a folder of your own with --config, or run this as root.",
                )
            if words := exposure(folder):
                raise ClientError(words[0], exit_codes.CANNOT_CREATE, words[1])
        for path in (self.config, *secrets):
            if exists(path):
                raise ClientError(
                    f"{path} already exists; nothing was changed",
                    exit_codes.CANNOT_CREATE,
                    "Choose another folder (--config FOLDER/config.yaml), or move this one away.",
                )

    def write(self, config: str, secrets: Mapping[str, str]) -> list[Path]:
        """Write the secrets, readable by this user alone, and then the configuration.

        Returns:
            The files written.

        Raises:
            ClientError: A file exists by now or cannot be written; nothing is left behind.
        """
        self.require_free()
        group = _group() if self.unit else None
        files: list[tuple[Path, str, int | None]] = [
            (self._secret_file(key), f"{value}\n", None) for key, value in secrets.items()
        ]
        files.append((self.config, config, group))
        written: list[Path] = []
        created = [one for one in (self.folder, *self.folder.parents) if not exists(one)]
        path = self.folder
        try:
            for folder in reversed(created):
                folder.mkdir(mode=0o700)
            for path, text, owner in files:
                _create_empty(path)
                written.append(path)
                mode = 0o600 if owner is None else 0o640
                write_atomic(path, text.encode(), mode=mode, group=owner)
        except BaseException as error:
            for each in written:
                with contextlib.suppress(OSError):
                    each.unlink()
            for folder in created:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if isinstance(error, OSError):
                raise ClientError(
                    f"{path} cannot be written: {reason_of(error)}",
                    exit_codes.CANNOT_CREATE,
                    "With --config name a file where you may write and the disk has room.",
                ) from None
            raise
        return written

    def _secret_file(self, key: str) -> Path:
        return self.folder / (key if self.unit else key.replace("_", "-"))


def find_destination(
    explicit: str | None, environ: Mapping[str, str], system: SystemPaths = SYSTEM
) -> Destination:
    """Choose the file: the named one, else the system's if its directory is writable, else the user's.

    Args:
        explicit: The value of ``--config``, or None.
        environ: The environment.
        system: The machine's own paths.

    Raises:
        ClientError: The daemon would find another configuration, or the path is unprintable.
    """
    named = explicit or trim(environ.get("HOMEY_TOKEND_CONFIG", ""))
    if named:
        return _beside(Path(named).absolute())
    places = candidates(environ, system)
    found = next((path for path in places if exists(path)), None)
    if found is not None:
        raise ClientError(
            f"{found} already exists; nothing was changed",
            exit_codes.CANNOT_CREATE,
            "Add a Homey to it (docs/configuration.md), or choose another folder "
            "(--config FOLDER/config.yaml).",
        )
    writable = (path for path in places if os.access(path.parent, os.W_OK))
    return _beside(next(writable, places[-1]).absolute())


def _beside(config: Path) -> Destination:
    """Put the secrets into the unit's directory of credentials if it exists, else beside the file."""
    if not str(config).isprintable():
        raise ClientError(
            "the path of the configuration contains unprintable characters",
            exit_codes.USAGE,
            "Name another file with --config.",
        )
    credentials = config.parent / "credentials"
    if config.name == "config.yaml" and _is_folder(credentials):
        return Destination(config, credentials, unit=True)
    return Destination(config, config.parent, unit=False)


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _create_empty(path: Path) -> None:
    """Create a file for ``write_atomic`` to replace; OSError where one exists."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _group() -> int | None:
    try:
        return grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return None
