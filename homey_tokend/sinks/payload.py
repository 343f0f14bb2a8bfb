"""What files and commands get: the token or a failure as JSON, and lines for a shell."""

import json
import re

from homey_tokend.core.events import RefreshFailed, RefreshRecovered, TokenRenewed
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery

#: What needs no quotes, neither in sh nor for systemd; ``docker --env-file`` knows no quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
#: What both sh and systemd take a backslash before, within double quotes.
_SPECIAL = re.compile(r'(["\\$`])')


def token_document(delivery: Delivery) -> dict[str, object]:
    """Return the token with all that is known of it, named as on the socket (RFC 6749, 5.1).

    There is no ``expires_in``: it would be wrong a second later.
    """
    token = delivery.token
    return {
        "access_token": token.value.reveal(),
        "token_type": "Bearer",
        "expires_at": rfc3339(token.expires_at),
        "issued_at": rfc3339(token.issued_at),
        "generation": token.generation,
        "homey": delivery.homey,
        "url": token.url,
    }


def failure_document(
    event: RefreshFailed | RefreshRecovered | TokenRenewed,
) -> dict[str, object]:
    """Return how refreshing goes, named as in the events of the socket."""
    about: dict[str, object] = {"homey": event.homey, "at": rfc3339(event.at)}
    match event:
        case RefreshFailed():
            return {
                "event": "error",
                **about,
                "kind": event.kind,
                "step": event.step,
                "message": event.message,
                "remedy": event.remedy,
                "action_needed": event.action_needed,
                "failures": event.failures,
                "next_try": event.next_try and rfc3339(event.next_try),
                "outage_at": event.outage_at and rfc3339(event.outage_at),
            }
        case RefreshRecovered():
            return {"event": "recovered", **about, "failures": event.failures}
        case TokenRenewed():
            raise TypeError("commands get a fresh token from the sink")


def json_line(found: dict[str, object]) -> bytes:
    """Return a document as one line of ASCII JSON."""
    return json.dumps(found).encode() + b"\n"


def env_lines(delivery: Delivery) -> bytes:
    """Return assignments for systemd's ``EnvironmentFile=`` and for ``. file`` in sh alike."""
    token = delivery.token
    pairs = (
        ("HOMEY_TOKEN", token.value.reveal()),
        ("HOMEY_URL", token.url),
        ("HOMEY_TOKEN_EXPIRES_AT", rfc3339(token.expires_at)),
    )
    return "".join(f"{name}={_quoted(value)}\n" for name, value in pairs).encode()


def _quoted(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    return '"' + _SPECIAL.sub(r"\\\1", value) + '"'
