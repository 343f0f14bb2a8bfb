"""Return large blocks of memory to the system, and spare the garbage collector the rest."""

import ctypes
import gc

#: mallopt(3): a larger block is mapped by itself and unmapped when it is freed; and how
#: much free memory is kept at the end of the heap.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
#: More than each read of a socket allocates (asyncio: 256 KiB), which must cost no mapping, and
#: far less than a digest.
_THRESHOLD = 1024 * 1024


def limit_heap() -> None:
    """Keep glibc from retaining memory that was needed once.

    It raises the threshold to the largest freed block, and allocates the next one of that
    size from a heap that never shrinks: two threads that computed a digest (16 MiB of scrypt
    each) left the daemon 32 MB larger for ever. An explicit threshold is not raised. Another
    C library without this function is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, 2 * _THRESHOLD)


def freeze_objects() -> None:
    """Exclude imported objects from full collections, which would take 20 ms longer each."""
    gc.collect()
    gc.freeze()
