"""The error of the client, and the two cases without a usable response of the daemon.

``token`` imports this module at its start, so it imports nothing that costs time.
"""

import errno
import os
import stat

from homey_tokend import exit_codes


class ClientError(Exception):
    """A request to the daemon did not succeed.

    Args:
        message: What happened.
        exit_status: The exit status for a command (``exit_codes``).
        hint: What to do about it, or "".
        problem: The daemon's problem document (RFC 9457), or the Homey's error document.
    """

    def __init__(
        self,
        message: str,
        exit_status: int,
        hint: str = "",
        problem: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_status = exit_status
        self.hint = hint
        self.problem = problem or {}


def unusable_response(message: str) -> ClientError:
    """Return the error for a response that cannot be used; it counts as not reachable."""
    return ClientError(message, exit_codes.UNREACHABLE, "See: journalctl -u homey-tokend")


def unreachable_error(tried: list[tuple[str, Exception]]) -> ClientError:
    """Return the error for a daemon that answers on no socket.

    Args:
        tried: Each path that was tried, with its error.
    """
    lines = "".join(f"\n  {path}: {_reason(error)}" for path, error in tried)
    denied = [path for path, error in tried if isinstance(error, PermissionError)]
    hint = (
        _permission_hint(denied[0])
        if denied
        else "Is the daemon running? See: systemctl status homey-tokend, or start it: homey-tokend run"
    )
    return ClientError(f"the daemon is not reachable; tried:{lines}", exit_codes.UNREACHABLE, hint)


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer"
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return "no process listens on this socket"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _permission_hint(path: str) -> str:
    """Name the group that may use a socket, but never root's group."""
    try:
        found = os.stat(path)  # noqa: PTH116  pathlib would be one import more
    except OSError:
        return "Ask for access to the directory of the socket."
    if not stat.S_ISSOCK(found.st_mode):
        return "It is not a socket. Use the daemon's: --socket, or $HOMEY_TOKEND_SOCKET."
    if found.st_gid == 0 or not found.st_mode & stat.S_IWGRP:
        return (
            "No group has access: socket.group and socket.mode in the configuration decide on it."
        )
    import grp  # noqa: PLC0415  only for this message

    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"The group {group} has access: sudo usermod -aG {group} $USER, then log in again."
