"""The token as files and commands get it: one JSON document, and lines for a shell."""

import json
import re

from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery

#: What needs no quotes, neither in sh nor for systemd; ``docker --env-file`` knows no quotes.
_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")
#: What both sh and systemd take a backslash before, within double quotes.
_SPECIAL = re.compile(r'(["\\$`])')


def token_document(delivery: Delivery) -> dict[str, object]:
    """The token with all that is known of it, named as on the socket (RFC 6749, 5.1).

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


def json_line(found: dict[str, object]) -> bytes:
    """A document as one line of ASCII JSON."""
    return json.dumps(found).encode() + b"\n"


def env_lines(delivery: Delivery) -> bytes:
    """Assignments for systemd's ``EnvironmentFile=`` and for ``. file`` in sh alike."""
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
