"""What an unsuccessful response means for the caller: message, hint and exit status."""

import json
import re
from http import HTTPStatus

from homey_tokend import exit_codes
from homey_tokend.client.errors import ClientError
from homey_tokend.client.transport import Response

#: Characters of the daemon's or the Homey's text that are repeated.
_MAX_TEXT = 1000
#: The longest wait that is repeated, in seconds.
_MAX_RETRY_S = 366 * 86400
#: The prefix of the daemon's own problem types.
_PROBLEM_TYPES = "urn:homey-tokend:problem:"
#: A refresh came too soon after the last one: the daemon's own next attempt may come earlier.
_TOO_SOON = "too_soon"
#: In a Homey's response, with status 500, to a path that it does not know (docs/wire.md C).
_NO_METHOD = "missing_api_method"
#: A long text without blanks or slashes may be the bearer, repeated by the Homey: a bearer has 114
#: of these characters (docs/wire.md C), an id has 36.
_OPAQUE = re.compile(r"[A-Za-z0-9_.:+=~-]{60,}")


def daemon_error(response: Response) -> ClientError:
    """Return the error for a response of the daemon that is not 2xx.

    Args:
        response: Its body is a problem document, unless another program answered.
    """
    problem = _document(response)
    detail = _printable(problem.get("detail")) or _phrase(response.status)
    hint = _printable(problem.get("remedy"))
    retry = problem.get("retry_after")
    known = isinstance(retry, int) and 0 < retry <= _MAX_RETRY_S
    if known and not hint and problem.get("kind") != _TOO_SOON:
        hint = f"The next attempt is in {retry} s."
    return ClientError(detail, _exit_status(response.status, problem), hint, problem)


def is_daemon_problem(response: Response) -> bool:
    """Return whether a response that came through the API proxy is the daemon's own problem."""
    kind = _document(response).get("type")
    content_type = response.headers.get("content-type", "")
    # The answer to HEAD has no document; a Homey's errors have another content type.
    named = isinstance(kind, str) and kind.startswith(_PROBLEM_TYPES)
    ours = named or not response.body
    return content_type.startswith("application/problem+json") and ours


def homey_error(response: Response) -> ClientError:
    """Return the error for a response of the Homey of status 300 or more."""
    document = _document(response)
    words = [document.get("error_description"), document.get("error"), document.get("message")]
    text = next((_printable(_flat(each)) for each in words if each), "")
    text = text or _printable(response.body.decode("utf-8", "replace")) or "nothing"
    text = _OPAQUE.sub("…", text)
    status, hint = response.status, ""
    if _NO_METHOD in text:
        hint = "This kind of Homey has no such path: homey-tokend call --list shows which has what."
        exit_status = exit_codes.USAGE
    elif status == 401:
        hint = "If the token is valid (homey-tokend status), this path does not accept it."
        exit_status = exit_codes.ACTION_NEEDED
    elif status == 403:
        hint = "The client's scopes or the account's role do not cover it."
        exit_status = exit_codes.ACTION_NEEDED
    elif status in {408, 425, 429}:
        exit_status = exit_codes.TRY_LATER
    else:
        exit_status = exit_codes.USAGE if 400 <= status < 500 else exit_codes.UNREACHABLE
    return ClientError(f"the Homey answered {status}: {text}", exit_status, hint, document)


def _flat(value: object) -> str:
    """Return text, even if a Homey sends an object instead (docs/wire.md A1)."""
    try:
        return value if isinstance(value, str) else json.dumps(value)
    except RecursionError:
        return ""


def _exit_status(status: int, problem: dict[str, object]) -> int:
    if status in {400, 404, 405, 501}:
        return exit_codes.USAGE
    if status == 403 or problem.get("action_needed") is True:
        return exit_codes.ACTION_NEEDED
    if status in {429, 503}:
        return exit_codes.TRY_LATER
    return exit_codes.UNREACHABLE


def _document(response: Response) -> dict[str, object]:
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _phrase(status: int) -> str:
    try:
        return f"the daemon answered {status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"the daemon answered {status}"


def _printable(text: object) -> str:
    start = text[: 4 * _MAX_TEXT] if isinstance(text, str) else ""
    return "".join(filter(str.isprintable, start))[:_MAX_TEXT]
