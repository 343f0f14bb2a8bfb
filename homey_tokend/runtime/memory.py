"""Large blocks of memory go back to the system, and what stays is not looked through in vain."""

import ctypes
import gc

#: Of mallopt(3): beyond it a block is mapped by itself, and unmapped when it is freed; and how
#: much free memory at the end of the heap is kept.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
#: Above what each read of a socket takes (asyncio: 256 KiB), which must cost no mapping, and
#: far below a digest.
_THRESHOLD = 1024 * 1024


def limit_heap() -> None:
    """Keep glibc from holding on to what was large once.

    It raises the threshold to the largest block that was freed, and serves the next of that
    size from a heap that never shrinks: two threads that made a digest (16 MiB of scrypt
    each) left the daemon 32 MB larger for ever. A threshold that is set is not raised. Another
    C library has no such function, and is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, 2 * _THRESHOLD)


def freeze_objects() -> None:
    """Call when all is imported: a full collection would look through it for 20 ms each time."""
    gc.collect()
    gc.freeze()
