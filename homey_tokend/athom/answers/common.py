"""What answers have in common whatever the step: trouble, JSON or none, a token or none."""

import json
import re

from homey_tokend.athom.answers.dates import retry_after
from homey_tokend.core.errors import (
    HomeyOffline,
    InvalidResponse,
    ProtocolChanged,
    ServerError,
    Throttled,
)
from homey_tokend.core.http_types import Response, Step
from homey_tokend.core.secret import Secret

_OFFLINE = b"mesh_node_offline"
#: A JWT signed with RS512 carries claims of unknown length (docs/wire.md A5).
JWT_LIMIT = 16384
_TROUBLE = frozenset({408, 425})
_PORTAL_HINT = (
    "Look at what the host answers in a browser; a captive portal or proxy may be between."
)


def raise_for_common_failures(step: Step, response: Response) -> None:
    """Raise for the answers that mean the same at every step.

    Raises:
        HomeyOffline: the cloud cannot reach the Homey (``docs/wire.md`` A6).
        Throttled: 429; ``retry_after`` as the header says (RFC 9110, 10.2.3).
        ServerError: 408, 425 or 5xx.
    """
    status = response.status
    if _OFFLINE in response.body[:4096] and not _is_plain_success(response):
        raise HomeyOffline(
            "the Athom cloud cannot reach the Homey",
            step=step,
            status=status,
            retry_after=retry_after(response),
            remedy="Is the Homey switched on and online?",
        )
    if status == 429:
        raise Throttled(
            f"{step}: too many requests (429)",
            step=step,
            status=status,
            retry_after=retry_after(response),
        )
    if status in _TROUBLE or status >= 500:
        raise ServerError(
            f"{step}: the server is in trouble ({status})",
            step=step,
            status=status,
            retry_after=retry_after(response),
        )


def _is_plain_success(response: Response) -> bool:
    """Whether the text may stand in the answer by right, as in a variable's name."""
    if not 200 <= response.status < 300:
        return False
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return False
    return not (isinstance(found, str) or (isinstance(found, dict) and "error" in found))


def parse_json(step: Step, response: Response) -> object:
    """The JSON of an answer, whatever its content type says.

    Raises:
        Garbled: HTML, blanks or cut JSON (a captive portal, a broken proxy).
    """
    try:
        return json.loads(response.body)
    except (ValueError, RecursionError):
        raise InvalidResponse(
            f"{step}: the answer ({response.status}) is not JSON",
            step=step,
            status=response.status,
            remedy=_PORTAL_HINT,
        ) from None


def parse_success_json(step: Step, response: Response, what: str) -> object:
    """The JSON of a 200; ``what`` says what it means that there is none.

    Raises:
        Garbled: another 2xx counts as well, where it has no JSON.
        ProtocolChanged: any other status.
    """
    found = parse_json(step, response) if 200 <= response.status < 300 else None
    if response.status != 200:
        raise changed(step, response, what)
    return found


def is_json(response: Response) -> bool:
    """Whether the answer is any JSON value: this vendor sends bare strings, too."""
    try:
        json.loads(response.body)
    except (ValueError, RecursionError):
        return False
    return True


def is_json_object(response: Response) -> bool:
    """Whether the answer is a JSON object."""
    try:
        return isinstance(json.loads(response.body), dict)
    except (ValueError, RecursionError):
        return False


def changed(step: Step, response: Response, what: str, try_first: str = "") -> ProtocolChanged:
    """An answer that no known server gives; ``try_first`` is put before the usual remedy."""
    remedy = "Athom may have changed this step; look for a newer homey-tokend."
    return ProtocolChanged(
        f"{step}: {what} (status {response.status})",
        step=step,
        status=response.status,
        remedy=f"{try_first} {remedy}".strip(),
    )


def opaque(step: Step, response: Response, value: object, what: str, limit: int) -> Secret:
    """A token as it may be: 1 to ``limit`` printable ASCII characters without blanks."""
    if isinstance(value, str) and 1 <= len(value) <= limit and re.fullmatch(r"[!-~]+", value):
        return Secret(value)
    raise changed(step, response, f"there is no {what} in the answer")
