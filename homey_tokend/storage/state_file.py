"""The state file."""

import contextlib
import errno
import os
import re
import stat
from collections.abc import Callable
from pathlib import Path

import structlog

from homey_tokend.config.files import read_bounded, reason_of
from homey_tokend.core.errors import StateUnusable
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.atomic import (
    names_in,
    no_hook,
    open_folder,
    remedy_of,
    remove_leftovers,
    sync_folder,
    write_atomic,
)
from homey_tokend.storage.instance_lock import link_target
from homey_tokend.storage.reserve import Reserve, StateInReserve

log = structlog.get_logger()
#: The most bytes of a state file; a Homey needs a few KiB.
STATE_LIMIT = 4 * 1024 * 1024
#: How many damaged state files are kept for inspection: a crash loop must not fill the disk.
_DAMAGED_KEPT = 3
#: The rights of other users than the daemon's.
_OTHERS = 0o077
_FULL = {errno.ENOSPC, errno.EDQUOT}


class StateFile:
    """Keep the state in one private file, on a full disk in its reserve (``ports.BlobStore``).

    Saves run one after another. A save that waited writes the latest state, and those behind it
    have nothing left to do.

    Args:
        path: The state file. A missing directory is created, accessible only for the daemon's
            user. A symbolic link is followed when the file is read, and replaced when it is
            written.
        worker: One thread, where the blocking work runs.
        at: The hook of ``write_atomic``.
    """

    def __init__(
        self, path: Path, worker: WorkerPool, *, at: Callable[[str], None] = no_hook
    ) -> None:
        self._path = path
        self._worker = worker
        self._at = at
        self._reserve = Reserve(path)
        self._newest = (0, b"")
        self._written = 0

    async def load(self) -> bytes | None:
        """Return the stored blob, or None; remove temporary files of killed processes.

        Raises:
            StateUnusable: It cannot be read, is not a regular file, or exceeds ``STATE_LIMIT``.
        """
        return await self._worker.run(self._load)

    async def save(self, blob: bytes) -> None:
        """Store a blob durably: on return it is on the disk, or a newer one.

        Raises:
            StateInReserve: It is on the disk, but not in the state file.
            StateUnusable: It cannot be written; the previous state stays on the disk.
        """
        number = self._newest[0] + 1
        self._newest = (number, blob)
        await self._worker.run(self._save, number)

    async def set_aside(self) -> str:
        """Rename the file to ``<name>.damaged-<number>`` and return the new path.

        The number grows, and the latest three files are kept. Return "" if there is no file.

        Raises:
            StateUnusable: It cannot be renamed.
        """
        return await self._worker.run(self._set_aside)

    def _load(self) -> bytes | None:
        remove_leftovers(self._path)
        target = link_target(self._path) or self._path
        try:
            # A FIFO at the path must not block the start.
            blob, mode = read_bounded(self._path, STATE_LIMIT, plain_only=True)
        except FileNotFoundError:
            return self._reserve.read(b"", STATE_LIMIT)
        except OSError as error:
            raise self._unusable("read", error) from error
        if not stat.S_ISREG(mode) or len(blob) > STATE_LIMIT:
            raise StateUnusable(
                f"the state {self._path} is not a regular file of at most {STATE_LIMIT} bytes",
                remedy="Move it away; the daemon signs in again.",
            )
        if mode & _OTHERS:
            self._make_private(blob, mode, target)
        newer = self._reserve.read(blob, STATE_LIMIT)
        return blob if newer is None else newer

    def _make_private(self, blob: bytes, mode: int, target: Path) -> None:
        """Replace a state file that other users can read by a private one, and warn.

        A new file is written, because another user could replace the old one before a chmod.
        """
        with contextlib.suppress(OSError):
            write_atomic(self._path, blob, at=self._at)
        private = not target.stat().st_mode & _OTHERS
        log.warning(
            "state.exposed",
            path=str(target),
            mode=f"{stat.S_IMODE(mode):04o}",
            remedy=(
                "It is private now; users who have read it can use its token until it expires."
                if private
                else f"Run: chmod 0600 {target}"
            ),
        )

    def _save(self, number: int) -> None:
        if number <= self._written:
            return
        number, blob = self._newest
        if len(blob) > STATE_LIMIT:
            raise StateUnusable(f"the state is over {STATE_LIMIT} bytes and was not written")
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_atomic(self._path, blob, at=self._at)
        except OSError as error:
            if error.errno in _FULL and self._save_in_reserve(blob):
                self._written = number
                raise self._unusable("write", error, StateInReserve) from error
            raise self._unusable("write", error) from error
        self._written = number
        self._reserve.allocate(len(blob))

    def _save_in_reserve(self, blob: bytes) -> bool:
        try:
            base, _mode = read_bounded(self._path, STATE_LIMIT, plain_only=True)
        except FileNotFoundError:
            base = b""
        except OSError:
            return False
        try:
            self._reserve.write(base, blob)
        except OSError:
            return False
        return True

    def _set_aside(self) -> str:
        try:
            with open_folder(self._path) as folder:
                name = _next_damaged(self._path.name, folder)
                os.rename(self._path.name, name, src_dir_fd=folder, dst_dir_fd=folder)
                sync_folder(folder)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._unusable("set aside", error) from error
        return str(self._path.with_name(name))

    def _unusable(
        self, act: str, error: OSError, kind: type[StateUnusable] = StateUnusable
    ) -> StateUnusable:
        return kind(
            f"cannot {act} the state {self._path}: {reason_of(error)}", remedy=remedy_of(error)
        )


def _next_damaged(name: str, folder: int) -> str:
    """Return a free name for a damaged state; remove the oldest if there are too many."""
    form = re.compile(rf"{re.escape(name)}\.damaged-([0-9]{{1,9}})")
    numbers = sorted(int(found[1]) for found in map(form.fullmatch, names_in(folder)) if found)
    for number in numbers[: max(0, len(numbers) - _DAMAGED_KEPT + 1)]:
        with contextlib.suppress(OSError):
            os.unlink(f"{name}.damaged-{number}", dir_fd=folder)
    return f"{name}.damaged-{numbers[-1] + 1 if numbers else 1}"


class NoStateFile:
    """Keep nothing across restarts: ``state.path: null`` (``ports.BlobStore``)."""

    async def load(self) -> bytes | None:
        """Return None."""
        return None

    async def save(self, blob: bytes) -> None:
        """Do nothing."""

    async def set_aside(self) -> str:
        """Return "": there is no file."""
        return ""
