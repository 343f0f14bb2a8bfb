"""Where the first configuration goes, and writing it: whole, or not at all. Blocks."""

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
from homey_tokend.storage.atomic import write_atomic

_GROUP = "homey-tokend"
#: What systemd calls a file of the folder ``credentials`` (systemd/homey-tokend.service).
_CREDENTIAL = "homey_{}"


@dataclass(frozen=True, slots=True)
class Destination:
    """The configuration file, and the folder of the secrets.

    ``unit``: the secrets become credentials of the systemd unit, which alone can read them.
    """

    config: Path
    folder: Path
    unit: bool

    def secret(self, key: str) -> Path | str:
        """What the configuration names a secret by."""
        return _CREDENTIAL.format(key) if self.unit else self._file(key)

    def must_be_free(self) -> None:
        """Nothing that is there is written over.

        Raises:
            ClientError: The configuration or a secret's file is there, or the folder cannot
                be written.
        """
        secrets = [self._file(key) for key in GUARDED_KEYS]
        if self.config in secrets:
            raise ClientError(
                f"{self.config} is where a secret goes",
                exit_codes.USAGE,
                "Name another file with --config, such as config.yaml.",
            )
        for folder in (self.folder, self.config.parent):
            existing = next(one for one in (folder, *folder.parents) if exists(one))
            if not (_is_folder(existing) and os.access(existing, os.W_OK | os.X_OK)):
                raise ClientError(
                    f"nothing can be written in {existing}",
                    exit_codes.CANNOT_CREATE,
                    "Name a file of your own with --config, or be root.",
                )
        for path in (self.config, *secrets):
            if exists(path):
                raise ClientError(
                    f"{path} is there already; nothing was changed",
                    exit_codes.CANNOT_CREATE,
                    "Name another file with --config, or move this one away.",
                )

    def write(self, config: str, secrets: Mapping[str, str]) -> list[Path]:
        """Write the secrets, readable for this user alone, and then the configuration.

        Returns:
            What was written.

        Raises:
            ClientError: Something is there by now, or it could not be; then nothing is left of it.
        """
        self.must_be_free()
        written: list[Path] = []
        made = [one for one in (self.folder, *self.folder.parents) if not exists(one)]
        at = self.folder
        try:
            for folder in reversed(made):
                folder.mkdir(mode=0o700)
            for key, value in secrets.items():
                at = self._file(key)
                _claim(at)
                written.append(at)
                write_atomic(at, f"{value}\n".encode())
            group = _group() if self.unit else None
            mode = 0o600 if group is None else 0o640
            at = self.config
            _claim(at)
            written.append(at)
            write_atomic(at, config.encode(), mode=mode, group=group)
        except BaseException as error:
            for path in written:
                with contextlib.suppress(OSError):
                    path.unlink()
            for folder in made:
                with contextlib.suppress(OSError):
                    folder.rmdir()
            if isinstance(error, OSError):
                raise ClientError(
                    f"{at} cannot be written: {reason_of(error)}",
                    exit_codes.CANNOT_CREATE,
                    "Name another file with --config, where you may write and there is room.",
                ) from None
            raise
        return written

    def _file(self, key: str) -> Path:
        return self.folder / (key if self.unit else key.replace("_", "-"))


def find_destination(
    explicit: str | None, environ: Mapping[str, str], system: SystemPaths = SYSTEM
) -> Destination:
    """Where a first configuration belongs: as named, else the system's for its owner, else one's own.

    Args:
        explicit: What the command line names, or None.
        environ: The environment.
        system: The machine's own paths.

    Raises:
        ClientError: One that would be read is there already.
    """
    named = explicit or environ.get("HOMEY_TOKEND_CONFIG")
    if named:
        return _in(Path(named).absolute())
    places = candidates(environ, system)
    there = next((path for path in places if exists(path)), None)
    if there is not None:
        raise ClientError(
            f"{there} is there already; nothing was changed",
            exit_codes.CANNOT_CREATE,
            "See: homey-tokend check; for a further one name a file with --config.",
        )
    config = next((path for path in places if os.access(path.parent, os.W_OK)), places[-1])
    return _in(config.absolute())


def _in(config: Path) -> Destination:
    """The secrets go where the unit's credentials are, if that is there."""
    if not str(config).isprintable():
        raise ClientError(
            "the path of the configuration holds characters that cannot be written in it",
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


def _claim(path: Path) -> None:
    """Make an empty file, for ``write_private`` to replace; OSError where something is there."""
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))


def _group() -> int | None:
    try:
        return grp.getgrnam(_GROUP).gr_gid
    except KeyError:
        return None
