"""The token in a file, which is replaced atomically (``docs/sinks.md``, "file")."""

import asyncio
import contextlib
import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Literal, ParamSpec, TypeVar

from homey_tokend.config.files import reason_of
from homey_tokend.core.documents import json_line, token_document
from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery, DeliveryResult
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.atomic import (
    no_hook,
    open_folder,
    remedy_of,
    remove_leftovers,
    write_atomic,
)
from homey_tokend.storage.mounts import is_mount_point

Format = Literal["raw", "env", "json"]
P = ParamSpec("P")
T = TypeVar("T")

#: The longest time for a write: a local disk needs milliseconds, but a network file system may
#: hang.
_DEADLINE = timedelta(seconds=30)
#: Errors that a person has to fix; others, such as a full disk, may pass.
_ACTION_NEEDED = frozenset(
    {
        errno.EACCES,
        errno.EBUSY,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EPERM,
        errno.EROFS,
    }
)
#: What needs no quotes in sh and for systemd; ``docker --env-file`` does not support quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
#: The characters that need a backslash within double quotes, in sh and for systemd.
_SPECIAL = re.compile(r'(["\\$`])')


class FileSink:
    """Write the token to a file.

    Args:
        path: The file; its directory must exist. A symbolic link is replaced.
        mode: The permissions of the file.
        format: "raw" (token and newline), "env" or "json".
        worker: One thread, where the blocking work runs; a write that hangs occupies it.
        deadline: The longest time for a write.
        at: The hook of ``write_atomic``.
    """

    def __init__(
        self,
        path: Path,
        mode: int,
        format: Format,  # noqa: A002  the name of the key in the configuration
        worker: WorkerPool,
        *,
        deadline: timedelta = _DEADLINE,
        at: Callable[[str], None] = no_hook,
    ) -> None:
        self.reports_expiry = format != "raw"
        self._path = path
        self._mode = mode
        self._format = format
        self._worker = worker
        self._deadline = deadline
        self._at = at

    @property
    def target(self) -> str:
        """``file:`` and the path."""
        return f"file:{self._path}"

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Write the token.

        Raises:
            SinkRejected: The directory is missing or not writable, or the path is not that of a
                regular file.
            SinkFailed: The disk is full or fails, or the write hangs.
        """
        made = await self._run("write", self._write, self._content(delivery))
        # Some file systems (FAT, SMB) have modes of their own, which do not count as drift.
        memory = {} if made == self._mode else {f"{self._mode:04o}": f"{made:04o}"}
        return DeliveryResult(detail=f"mode {self._mode:04o}", memory=memory)

    async def check(self, delivery: Delivery) -> bool:
        """Return whether the file has the delivery's content and the mode.

        It may be missing, such as in ``/run`` after a reboot, or have the format of an earlier
        configuration. A file that may not be read counts as right.

        Raises:
            SinkRejected, SinkFailed: As for ``write``.
        """
        wanted = f"{self._mode:04o}"
        modes = {wanted, delivery.memory.get(wanted, wanted)}
        return await self._run("read", self._holds, self._content(delivery), modes)

    async def probe(self) -> None:
        """Check that the file can be written, without changing it.

        This creates and removes a temporary file next to it, and removes those of killed processes.

        Raises:
            SinkRejected, SinkFailed: As for ``write``.
        """
        await self._run("write", self._try_out)

    def _content(self, delivery: Delivery) -> bytes:
        if self._format == "raw":
            return delivery.token.value.reveal().encode() + b"\n"
        if self._format == "env":
            return _env_lines(delivery)
        return json_line(token_document(delivery.homey, delivery.token))

    async def _run(self, act: str, fn: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        try:
            async with asyncio.timeout(self._deadline.total_seconds()):
                return await self._worker.run(fn, *args, **kwargs)
        except TimeoutError:
            raise SinkFailed(
                f"cannot {act} {self._path} within {self._deadline.total_seconds():g} s",
                remedy="Check the disk, or the server if it is on a network file system.",
            ) from None
        except OSError as error:
            raise self._failure(act, error) from error

    def _write(self, content: bytes) -> int:
        """Write the file, and return its mode, which may differ from the requested one."""
        self._require_plain_file()
        write_atomic(self._path, content, mode=self._mode, at=self._at)
        with contextlib.suppress(OSError):
            return stat.S_IMODE(self._path.lstat().st_mode)
        return self._mode

    def _holds(self, content: bytes, modes: set[str]) -> bool:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            found = self._path.lstat()
            if not stat.S_ISREG(found.st_mode) or f"{stat.S_IMODE(found.st_mode):04o}" not in modes:
                return False
            with os.fdopen(os.open(self._path, flags), "rb") as file:
                return file.read(len(content) + 1) == content
        except (FileNotFoundError, NotADirectoryError):
            return False
        except PermissionError:
            # The mode may not even allow the owner to read; a write shows whether that is a problem.
            return True

    def _try_out(self) -> None:
        self._require_plain_file()
        if is_mount_point(self._path):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))
        remove_leftovers(self._path)
        trial = f".{self._path.name}.{secrets.token_hex(8)}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        with open_folder(self._path) as folder:
            os.close(os.open(trial, flags, 0o600, dir_fd=folder))
            with contextlib.suppress(FileNotFoundError):
                os.unlink(trial, dir_fd=folder)

    def _require_plain_file(self) -> None:
        # A rename would replace a device; for root, this could be the machine's /dev/stdout.
        with contextlib.suppress(FileNotFoundError):
            kind = self._path.stat().st_mode
            if stat.S_ISDIR(kind):
                raise OSError(errno.EISDIR, os.strerror(errno.EISDIR))
            if not stat.S_ISREG(kind):
                raise SinkRejected(
                    f"{self._path} is a device, pipe or socket", remedy="Name a plain file."
                )

    def _failure(self, act: str, error: OSError) -> SinkRejected | SinkFailed:
        message = f"cannot {act} {self._path}: {reason_of(error)}"
        if error.errno in _ACTION_NEEDED:
            return SinkRejected(message, remedy=remedy_of(error))
        return SinkFailed(message, remedy=remedy_of(error))


def _env_lines(delivery: Delivery) -> bytes:
    """Return assignments that systemd's ``EnvironmentFile=`` and ``. file`` in sh can read."""
    token = delivery.token
    pairs = (
        ("HOMEY_TOKEN", token.value.reveal()),
        ("HOMEY_URL", token.url),
        ("HOMEY_TOKEN_EXPIRES_AT", rfc3339(token.expires_at)),
    )
    return "".join(f"{name}={_quoted(value)}\n" for name, value in pairs).encode()


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _SPECIAL.sub(r"\\\1", value) + '"'
