"""What to tell, and how to end, when the daemon cannot be asked or says no.

Apart from ``talk.py``, because a token that is had needs none of it.
"""

import errno
import grp
import json
import os
import re
import stat
from http import HTTPStatus

from homey_tokend import exit_codes
from homey_tokend.client.transport import ClientError, Response

#: How much of the daemon's own words is told on.
_CUT = 1000
#: How the types of the daemon's own problems begin.
_OURS = "urn:homey-tokend:problem:"
#: The refresh asked for is too soon after the last: the daemon's own next try may come earlier.
_SPACED = "too_soon"
#: What a Homey says, with status 500, to a path that it does not know (docs/wire.md C).
_NO_METHOD = "missing_api_method"
#: What is long and without a blank or slash may be the bearer, repeated by what answered: of 114
#: characters it is (docs/wire.md C), an id of 36.
_OPAQUE = re.compile(r"[A-Za-z0-9_.:+=~-]{60,}")


def daemon_error(answer: Response) -> ClientError:
    """What an answer other than 2xx means for a command.

    Args:
        answer: The daemon's answer; a problem document where all is well with the daemon.

    Returns:
        The error, with the daemon's words and the exit status.
    """
    problem = _problem(answer)
    detail = _printable(problem.get("detail")) or _phrase(answer.status)
    hint = _printable(problem.get("remedy"))
    retry = problem.get("retry_after")
    if isinstance(retry, int) and not hint and problem.get("kind") != _SPACED:
        hint = f"The next try is in {retry} s."
    return ClientError(detail, _exit_status(answer.status, problem), hint, problem)


def is_daemon_problem(answer: Response) -> bool:
    """Whether an answer is the daemon's word, not the Homey's.

    Args:
        answer: What came through the forwarding door.
    """
    kind = str(_problem(answer).get("type", ""))
    told = answer.headers.get("content-type", "")
    # Of a refused HEAD the form alone is told; a Homey has another one for its errors.
    ours = kind.startswith(_OURS) or not answer.body
    return told.startswith("application/problem+json") and ours


def homey_error(answer: Response) -> ClientError:
    """What a Homey's refusal of a call means for a command.

    Args:
        answer: The Homey's answer, of 300 or more.

    Returns:
        The error, with the Homey's words and the exit status.
    """
    told = _problem(answer)
    words = [told.get("error_description"), told.get("error"), told.get("message")]
    text = next((_printable(_flat(each)) for each in words if each), "")
    text = text or _printable(answer.body.decode("utf-8", "replace")) or "nothing"
    text = _OPAQUE.sub("…", text)
    status, hint = answer.status, ""
    if _NO_METHOD in text:
        hint = "This kind of Homey has no such path: homey-tokend call --list tells which has what."
        exit_status = exit_codes.USAGE
    elif status == 401:
        hint = "If the token is good (homey-tokend status), this path does not take it."
        exit_status = exit_codes.ACTION_NEEDED
    elif status == 403:
        hint = "The client's scopes or the account's role do not cover it."
        exit_status = exit_codes.ACTION_NEEDED
    elif status in {408, 425, 429}:
        exit_status = exit_codes.TRY_LATER
    else:
        exit_status = exit_codes.USAGE if 400 <= status < 500 else exit_codes.UNREACHABLE
    return ClientError(f"the Homey answered {status}: {text}", exit_status, hint, told)


def _flat(value: object) -> str:
    """Words, also where a Homey sends an object of them (docs/wire.md A1)."""
    return value if isinstance(value, str) else json.dumps(value)


def unreachable_error(tried: list[tuple[str, Exception]]) -> ClientError:
    """No socket could be entered: which were tried, and what to do.

    Args:
        tried: Each path with what was met there.
    """
    lines = "".join(f"\n  {path}: {_reason(error)}" for path, error in tried)
    denied = [path for path, error in tried if isinstance(error, PermissionError)]
    hint = (
        _may_not(denied[0])
        if denied
        else "Is the daemon running? See: systemctl status homey-tokend, or start it: homey-tokend run"
    )
    return ClientError(f"the daemon is not reachable; tried:{lines}", exit_codes.UNREACHABLE, hint)


def _exit_status(status: int, problem: dict[str, object]) -> int:
    if status in {400, 404, 405, 501}:
        return exit_codes.USAGE
    if status == 403 or str(problem.get("kind", "")).endswith("rejected"):
        return exit_codes.ACTION_NEEDED
    if status in {429, 503}:
        return exit_codes.TRY_LATER
    return exit_codes.UNREACHABLE


def _problem(answer: Response) -> dict[str, object]:
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _phrase(status: int) -> str:
    try:
        return f"the daemon answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"the daemon answered {status}"


def _printable(text: object) -> str:
    return "".join(filter(str.isprintable, text))[:_CUT] if isinstance(text, str) else ""


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it did not answer"
    if isinstance(error, OSError) and error.errno == errno.ECONNREFUSED:
        return "a socket that nobody serves"
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _may_not(path: str) -> str:
    """Which group opens a socket that this user may not enter; nobody is sent to root's."""
    try:
        found = os.stat(path)  # noqa: PTH116  pathlib would be one import more
    except OSError:
        return "Ask for access to the socket's folder."
    if not stat.S_ISSOCK(found.st_mode):
        return "It is no socket. Name the daemon's: --socket, or $HOMEY_TOKEND_SOCKET."
    if found.st_gid == 0 or not found.st_mode & stat.S_IWGRP:
        return "No group may enter: socket.group and socket.mode in the configuration say which."
    try:
        group = grp.getgrgid(found.st_gid).gr_name
    except KeyError:
        group = str(found.st_gid)
    return f"It is open to the group {group}: sudo usermod -aG {group} $USER, then log in anew."
