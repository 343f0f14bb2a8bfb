"""What the daemon asks of the operating system for itself: no core dumps, little memory."""

import ctypes
import gc
import os
import resource

import structlog

#: prctl(2), linux/prctl.h.
_PR_SET_DUMPABLE = 4
#: mallopt(3): larger blocks are mapped by themselves, and unmapped when they are freed; and
#: how much free memory at the end of the heap is kept.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
#: How many heaps: with one for each thread, half a megabyte of them stays unused.
_M_ARENA_MAX = -8
#: Above what each read of a socket takes (asyncio: 256 KiB), which must cost no mapping, and
#: far below a digest.
_THRESHOLD = 1024 * 1024

log = structlog.get_logger()


def harden() -> None:
    """Disable core dumps, and prevent processes of the same user from inspecting this one.

    Call it last at the start: afterwards most of the process's own ``/proc/self`` belongs to
    root (proc(5)), and ptrace(2) by the daemon's user is denied. It is a second line of
    defence, so a failure is only logged for debugging.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _forbid_dumps()
    except (OSError, ValueError, AttributeError) as error:
        log.debug("process.not_hardened", reason=type(error).__name__)


def _forbid_dumps() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def limit_heap() -> None:
    """Keep glibc from holding on to memory that was needed once.

    It raises its threshold to the largest block that was freed, and serves the next of that
    size from a heap that never shrinks: two threads that made a digest (16 MiB of scrypt
    each) left the daemon 32 MB larger for ever. A threshold that is set is not raised. Other
    C libraries have no such function and are left as they are.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, 2 * _THRESHOLD)


def freeze_objects() -> None:
    """Exempt all that is imported from garbage collection: a full one costs 20 ms each time.

    Collections begin here: during the imports ``cli.main`` disables them, since they would find
    next to nothing and make the start a tenth slower.
    """
    gc.freeze()
    gc.enable()
