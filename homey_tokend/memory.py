"""Large blocks of memory go back to the system when they are freed."""

import ctypes

#: Of mallopt(3).
_M_MMAP_THRESHOLD = -3
#: glibc's own first value. A block beyond it is mapped by itself, and unmapped when freed.
_THRESHOLD = 128 * 1024


def give_back() -> None:
    """Keep glibc from holding on to what was large once.

    It raises the threshold to the largest block that was freed, and serves the next of that
    size from a heap that never shrinks: two threads that made a digest (16 MiB of scrypt
    each) left the daemon 32 MB larger for ever. A threshold that is set is not raised. Another
    C library has no such function, and is left as it is.
    """
    try:
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    except (OSError, AttributeError):
        return
