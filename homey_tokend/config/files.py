"""Read files of unknown kind and size."""

import errno
import os
import stat
from pathlib import Path

_CHUNK = 256 * 1024


def read_bounded(path: Path | str, limit: int, *, plain_only: bool = False) -> tuple[bytes, int]:
    """Read a file that may be endless, a pipe or a device.

    Blocks, but does not wait for a pipe to get a writer: without one it reads as empty.

    Args:
        path: The file.
        limit: The most bytes that it may have; of a larger one, one byte more is read.
        plain_only: Read nothing if it is not a regular file.

    Returns:
        The content, and the file's type and mode (``st_mode``).

    Raises:
        OSError: It cannot be read; IsADirectoryError for a directory.
        ValueError: The path contains a NUL character.
    """
    # Not blocking: opening a pipe would wait for its writer.
    opened = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(opened).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if plain_only and not stat.S_ISREG(mode):
            return b"", mode
        # Wait for the data of a pipe that has a writer, as the shell's <(…) does.
        os.set_blocking(opened, True)
        data = b""
        while len(data) <= limit and (more := os.read(opened, min(_CHUNK, limit + 1 - len(data)))):
            data += more
    finally:
        os.close(opened)
    return data, mode


def reason_of(error: OSError) -> str:
    """Return the system's text for an error, without the path: lower case, no full stop."""
    return os.strerror(error.errno or errno.EIO).lower()
