"""Exit statuses, as in ``sysexits.h`` if it has a match, and the kinds of failure behind them.

Imports nothing, because ``client`` and ``homey-tokend token`` must start fast.
"""

OK = 0
#: Wrong usage, or a Homey that is not configured (EX_USAGE).
USAGE = 64
#: The daemon or the Homey is not reachable (EX_UNAVAILABLE).
UNREACHABLE = 69
#: The socket, the lock, the state file or a file of ``init`` cannot be created, or another daemon
#: is running (EX_CANTCREAT).
CANNOT_CREATE = 73
#: The output cannot be written, for example to a full disk (EX_IOERR).
CANNOT_WRITE = 74
#: No valid token at the moment; trying again later can help (EX_TEMPFAIL).
TRY_LATER = 75
#: Credentials, consent or access are rejected: a person has to act (EX_NOPERM).
ACTION_NEEDED = 77
#: The configuration is invalid (EX_CONFIG).
CONFIGURATION = 78
#: ``exec``: the command cannot be executed, or does not exist (as in POSIX shells).
CANNOT_EXECUTE, COMMAND_NOT_FOUND = 126, 127
#: Ended by SIGINT, SIGPIPE or SIGTERM (128 plus the signal's number, as in shells).
INTERRUPTED, BROKEN_PIPE, TERMINATED = 130, 141, 143

#: The status for each ``core.errors.TokendError.kind`` that does not mean TRY_LATER.
_BY_KIND = {
    "configuration_invalid": CONFIGURATION,
    "secret_unavailable": CONFIGURATION,
    "already_running": CANNOT_CREATE,
    "cannot_serve": CANNOT_CREATE,
    "state_unusable": CANNOT_CREATE,
    "unreachable": UNREACHABLE,
    "unreadable_response": UNREACHABLE,
    "homey_offline": UNREACHABLE,
    "rejected": ACTION_NEEDED,
    "account_rejected": ACTION_NEEDED,
    "client_rejected": ACTION_NEEDED,
    "consent_rejected": ACTION_NEEDED,
    "homey_rejected": ACTION_NEEDED,
    "bearer_rejected": ACTION_NEEDED,
    "sink_rejected": ACTION_NEEDED,
}


def for_kind(kind: str) -> int:
    """Return the exit status for a kind of failure (``core.errors``)."""
    return _BY_KIND.get(kind, TRY_LATER)
