"""The exit statuses, in the meaning of ``sysexits.h`` where it has one. Imports nothing."""

#: All is well.
OK = 0
#: Wrong usage, or a Homey that is not configured.
USAGE = 64
#: The daemon or the Homey is not reachable.
UNREACHABLE = 69
#: The socket, the lock or the state cannot be made, or another daemon runs.
CANNOT_CREATE = 73
#: What was asked for cannot be written to where it belongs (a full disk behind ``>``).
CANNOT_WRITE = 74
#: No valid token now; trying later can help.
TRY_LATER = 75
#: Credentials or consent are refused, or access is denied: a person is needed.
ACTION_NEEDED = 77
#: The configuration is bad.
CONFIGURATION = 78
#: Ended by Ctrl-C, as shells count it (128 + SIGINT).
INTERRUPTED = 130
#: Ended by SIGTERM before its time, as shells count it (128 + SIGTERM).
TERMINATED = 143
#: The reader of our output went away, as shells count it (128 + SIGPIPE).
BROKEN_PIPE = 141

_KINDS = {
    "configuration_invalid": CONFIGURATION,
    "secret_unavailable": CONFIGURATION,
    "already_running": CANNOT_CREATE,
    "cannot_serve": CANNOT_CREATE,
    "state_unusable": CANNOT_CREATE,
    "unreachable": UNREACHABLE,
    "homey_offline": UNREACHABLE,
}


def for_kind(kind: str) -> int:
    """The exit status for a failure by its ``errors.TokendError.kind``."""
    return ACTION_NEEDED if kind.endswith("rejected") else _KINDS.get(kind, TRY_LATER)
