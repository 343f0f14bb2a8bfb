"""Settings of the daemon's own process: no core dumps, no unused memory."""

import ctypes
import gc
import os
import resource

import structlog

#: prctl(2), linux/prctl.h.
_PR_SET_DUMPABLE = 4
#: mallopt(3): the size from which on a block is mapped separately, and unmapped when it is freed;
#: and the free memory to keep at the end of the heap.
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1
#: mallopt(3): the number of heaps. With one for each thread, half a megabyte is unused.
_M_ARENA_MAX = -8
#: Larger than the buffer of each read from a socket (asyncio: 256 KiB), which should not be
#: mapped, and far smaller than the memory for a digest.
_THRESHOLD = 1024 * 1024

log = structlog.get_logger()


def harden() -> None:
    """Disable core dumps, and prevent processes of the same user from inspecting this one.

    Call it at the end of the start: afterwards most files of the process's own ``/proc/self``
    belong to root (proc(5)), and ptrace(2) by the daemon's user is denied. It is a second line
    of defence, so a failure is only logged, for debugging.
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
    """Make glibc return freed memory to the system.

    By default it raises its threshold to the largest block that was freed, and then allocates
    blocks of that size on a heap that never shrinks: after two digests on two threads (16 MiB of
    scrypt each) the daemon stayed 32 MB larger. A threshold that is set is not raised. Other C
    libraries do not have this function.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(_M_ARENA_MAX, 1)
    mallopt(_M_MMAP_THRESHOLD, _THRESHOLD)
    mallopt(_M_TRIM_THRESHOLD, 2 * _THRESHOLD)


def collect_garbage() -> None:
    """Free the garbage of the start, and exempt what remains from later collections.

    ``cli.main`` disables collections during the start, when they find almost nothing and make it
    a tenth slower. This one takes 50 ms, and so would each later one without the exemption.
    """
    gc.collect()
    gc.freeze()
    gc.enable()
