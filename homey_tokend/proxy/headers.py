"""The header fields of a call in both directions (RFC 9110, 7.6): which are forwarded."""

import re
from collections.abc import Mapping

from multidict import CIMultiDict

from homey_tokend.server.problems import Problem

#: Meant for one connection (RFC 9110, 7.6.1), or for a proxy on it.
_HOP_BY_HOP = frozenset(
    {
        "connection",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authentication-info",
        "proxy-authorization",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
        "http2-settings",
    }
)
#: Set by us: the bearer, the host, the framing. Cookies pass in neither direction: all clients
#: share one session.
_NOT_SENT = _HOP_BY_HOP | {"authorization", "host", "content-length", "expect", "cookie", "via"}
_NOT_RETURNED = _HOP_BY_HOP | {"set-cookie", "set-cookie2"}

#: How the daemon names itself to the Homey (RFC 9110, 7.6.3).
_VIA = "1.1 homey-tokend"
#: A value without control characters and without bytes that are not text.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def request_headers(
    fields: Mapping[str, str], bearer: str, length: int | None = None
) -> CIMultiDict[str]:
    """Return the fields for the Homey: the client's without those set by us, and the bearer.

    Args:
        fields: What the client sent; a name may repeat.
        bearer: The token.
        length: The body's length if it is known, else None.

    Raises:
        Problem: 400 ``bad-header``, where a value could end early.
    """
    dropped = _NOT_SENT | _named_by_connection(fields)
    kept: CIMultiDict[str] = CIMultiDict()
    for name, value in fields.items():
        if name.lower() in dropped:
            continue
        if not _NAME.fullmatch(name) or not _VALUE.fullmatch(value):
            detail = "a header has control characters, or bytes that are not UTF-8"
            raise Problem(400, "bad-header", detail)
        kept.add(name, value)
    kept["Authorization"] = f"Bearer {bearer}"
    kept["Via"] = _VIA
    if length is not None:
        kept["Content-Length"] = str(length)
    return kept


def response_headers(fields: Mapping[str, str], bearer: str) -> tuple[CIMultiDict[str], int]:
    """Return the fields for the client, and how many were dropped as unsafe.

    Args:
        fields: What the Homey sent.
        bearer: The token, which no client may see.
    """
    dropped = _NOT_RETURNED | _named_by_connection(fields)
    if "Transfer-Encoding" in fields:
        dropped |= {"content-length"}  # RFC 9112, 6.3: the coding decides
    passing = [(name, value) for name, value in fields.items() if name.lower() not in dropped]
    safe = [
        (name, value)
        for name, value in passing
        if bearer not in value and bearer not in name and _VALUE.fullmatch(value)
    ]
    return CIMultiDict(safe), len(passing) - len(safe)


def _named_by_connection(fields: Mapping[str, str]) -> frozenset[str]:
    """Return the fields that ``Connection`` names: they are hop-by-hop, too (RFC 9110, 7.6.1)."""
    if "Connection" not in fields:
        return frozenset()
    named = ",".join(value for name, value in fields.items() if name.lower() == "connection")
    return frozenset(part.strip().lower() for part in named.split(","))
