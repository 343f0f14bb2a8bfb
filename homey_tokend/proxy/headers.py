"""Header fields on their way through the door (RFC 9110, 7.6): what goes on, and what stays here."""

import re
from collections.abc import Iterable, Mapping

from multidict import CIMultiDict

from homey_tokend.server.problems import Problem

#: Meant for this one connection (RFC 9110, 7.6.1), or for a proxy on it.
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
#: Ours to say: the bearer, the host, the framing. The door knows no cookies either way: all
#: callers share one session.
_NOT_SENT = _HOP_BY_HOP | {"authorization", "host", "content-length", "expect", "cookie", "via"}
_NOT_TOLD = _HOP_BY_HOP | {"set-cookie", "set-cookie2"}

#: How we name ourselves to the Homey (RFC 9110, 7.6.3).
_VIA = "1.1 homey-tokend"
#: A value with nothing in it that could end it: no control character, and no byte that is no text.
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\ud7ff\ue000-\U0010ffff]*")
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


def request_headers(
    fields: Mapping[str, str], bearer: str, length: int | None = None
) -> CIMultiDict[str]:
    """The fields for the Homey: the caller's without what is ours, and the bearer.

    Args:
        fields: What the caller sent; a name may repeat.
        bearer: The token.
        length: The body's length where the caller told it, else None.

    Raises:
        Problem: 400 ``bad-header``, where a value could end early.
    """
    named = _named_by_connection(fields)
    kept = CIMultiDict(_checked(fields.items(), _NOT_SENT | named))
    kept["Authorization"] = f"Bearer {bearer}"
    kept["Via"] = _VIA
    if length is not None:
        kept["Content-Length"] = str(length)
    return kept


def response_headers(fields: Mapping[str, str], bearer: str) -> tuple[CIMultiDict[str], int]:
    """The fields for the caller, and how many were left out because the token stood in them.

    Args:
        fields: What the Homey sent.
        bearer: The token, which no caller gets to see.
    """
    left_out = _NOT_TOLD | _named_by_connection(fields)
    if "Transfer-Encoding" in fields:
        left_out |= {"content-length"}  # RFC 9112, 6.3: the coding rules
    passing = [(name, value) for name, value in fields.items() if name.lower() not in left_out]
    safe = [
        (name, value)
        for name, value in passing
        if bearer not in value and bearer not in name and _VALUE.fullmatch(value)
    ]
    return CIMultiDict(safe), len(passing) - len(safe)


def _checked(
    fields: Iterable[tuple[str, str]], left_out: frozenset[str]
) -> Iterable[tuple[str, str]]:
    for name, value in fields:
        if name.lower() in left_out:
            continue
        if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
            raise Problem(
                400,
                "bad-header",
                "a header holds control characters, or bytes that are no UTF-8",
                kind="bad_header",
            )
        yield name, value


def _named_by_connection(fields: Mapping[str, str]) -> frozenset[str]:
    """What Connection names is for this connection, too (RFC 9110, 7.6.1)."""
    if "Connection" not in fields:
        return frozenset()
    named = ",".join(value for name, value in fields.items() if name.lower() == "connection")
    return frozenset(part.strip().lower() for part in named.split(","))
