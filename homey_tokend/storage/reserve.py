"""A file beside the state that takes the state when the disk is full.

It is allocated while there is space, and overwritten in place, which needs no more. It belongs to
one content of the state file: as soon as that is replaced, the reserve is out of date. All
functions here block.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from homey_tokend.core.errors import StateUnusable

#: The size is a multiple of this, in bytes, and at least twice that of the state.
_STEP = 64 * 1024
_DIGEST_SIZE = hashlib.sha256().digest_size
_LENGTH_SIZE = 8
#: A digest of all that follows it, the digest of the state file, and the length of the state.
_HEADER_SIZE = 2 * _DIGEST_SIZE + _LENGTH_SIZE


class StateInReserve(StateUnusable):
    """The state file cannot be written; the state is on the disk, in the reserve beside it."""


class Reserve:
    """The reserve of a state file.

    Args:
        path: The state file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(f"{path.name}.reserve")
        self._size = 0

    def allocate(self, size: int) -> None:
        """Allocate space for a state of this many bytes, if there is any."""
        wanted = -(-2 * size // _STEP) * _STEP
        if wanted <= self._size:
            return
        with contextlib.suppress(OSError), self._open(os.O_RDWR | os.O_CREAT) as fd:
            os.posix_fallocate(fd, 0, wanted)
            self._size = wanted

    def write(self, base: bytes, blob: bytes) -> None:
        """Write a state that cannot replace the content ``base`` of the state file.

        Raises:
            OSError: It cannot be written without more space.
        """
        body = hashlib.sha256(base).digest() + len(blob).to_bytes(_LENGTH_SIZE, "big") + blob
        with self._open(os.O_RDWR) as fd:
            os.pwrite(fd, hashlib.sha256(body).digest() + body, 0)
            os.fdatasync(fd)

    def read(self, base: bytes, limit: int) -> bytes | None:
        """Return what was written for this content of the state file; None if nothing was.

        Args:
            base: The content of the state file; empty if there is none.
            limit: The most bytes of a state.
        """
        try:
            with self._open(os.O_RDONLY) as fd, os.fdopen(os.dup(fd), "rb") as file:
                return _parse(file.read(limit + _HEADER_SIZE), base)
        except OSError:
            return None

    @contextlib.contextmanager
    def _open(self, flags: int) -> Iterator[int]:
        fd = os.open(self._path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
        try:
            found = os.fstat(fd)
            # Another user could have put the file there, or a second name of it.
            own = found.st_uid == os.geteuid() and found.st_nlink == 1
            if not (own and stat.S_ISREG(found.st_mode)):
                raise PermissionError
            yield fd
        finally:
            os.close(fd)


def _parse(content: bytes, base: bytes) -> bytes | None:
    digest, body = content[:_DIGEST_SIZE], content[_DIGEST_SIZE:]
    start = _DIGEST_SIZE + _LENGTH_SIZE
    end = start + int.from_bytes(body[_DIGEST_SIZE:start], "big")
    whole = hashlib.sha256(body[:end]).digest() == digest
    if not whole or body[:_DIGEST_SIZE] != hashlib.sha256(base).digest():
        return None
    return body[start:end]
