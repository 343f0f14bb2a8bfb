"""Standard output and error of the commands. Imports nothing heavy: ``token`` must start fast."""

import sys


def write(text: str) -> None:
    """Write text to stdout.

    Raises:
        OSError: stdout is closed or cannot be written.
    """
    if sys.stdout is None:
        raise OSError(0, "stdout is closed")
    sys.stdout.write(text)


def write_bytes(data: bytes) -> None:
    """Write bytes to stdout unchanged.

    Raises:
        OSError: stdout is closed or cannot be written.
    """
    write("")
    sys.stdout.flush()
    sys.stdout.buffer.write(data)


def report(message: str, hint: str, status: int) -> int:
    """Write an error message and a hint to stderr, and return the exit status."""
    tail = f"\n{hint}" if hint else ""
    sys.stderr.write(f"homey-tokend: {message}{tail}\n")
    return status
