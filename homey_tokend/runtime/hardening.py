"""Keep the token out of core dumps and away from debuggers of the daemon's own user."""

import ctypes
import os
import resource

import structlog

#: prctl(2), linux/prctl.h.
_PR_SET_DUMPABLE = 4

log = structlog.get_logger()


def harden() -> None:
    """Disable core dumps, and prevent processes of the same user from inspecting this one.

    Call it last at the start: afterwards most of the process's own ``/proc/self``
    belongs to root (proc(5)), and ptrace(2) by the daemon's user is denied. It is a
    second line of defence, so a failure is only logged for debugging.
    """
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        _not_dumpable()
    except (OSError, ValueError, AttributeError) as error:
        log.debug("process.not_hardened", reason=type(error).__name__)


def _not_dumpable() -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
