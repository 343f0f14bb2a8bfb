"""Tokens that look like the wire's JWTs.

Real ones are signed with RS512 (docs/wire.md A5). Here the signature has the
length of a 2048 bit RSA one, but whether a token is good is known from a list of
what was given out, so nothing is lost by not computing RSA.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping

_KEY = b"a pretend cloud's pretend key"


def _part(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def shaped(claims: Mapping[str, object], *, algorithm: str = "RS512") -> str:
    """Give claims the form ``header.payload.signature``."""
    header = {"alg": algorithm, "typ": "JWT"}
    head = _part(json.dumps(header, separators=(",", ":")).encode())
    body = _part(json.dumps(claims, separators=(",", ":")).encode())
    signed = f"{head}.{body}".encode()
    signature = b"".join(
        hmac.digest(_KEY, bytes([block]) + signed, hashlib.sha512) for block in range(4)
    )
    return f"{head}.{body}.{_part(signature)}"
