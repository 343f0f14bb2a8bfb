"""One-time codes from a shared secret (RFC 6238 over RFC 4226). Pure.

Written here since the usual library refuses secrets under 112 bits, while the
customary 16 base32 characters are 80.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from homey_tokend.model import Secret

#: Seconds that one code is good for (RFC 6238, 5.2).
STEP_S = 30
_DIGITS = 6


def step_of(now: datetime) -> int:
    """The number of the 30-second step that ``now`` (aware) lies in."""
    return int(now.timestamp()) // STEP_S


def code(secret: Secret, step: int) -> str:
    """The six digits for a step.

    Raises:
        ValueError: the secret is no base32; the message does not show it.
    """
    text = "".join(secret.reveal().split()).replace("-", "").rstrip("=").upper()
    try:
        key = base64.b32decode(text + "=" * (-len(text) % 8))
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        # Out here: the exception above holds the text it was given.
        raise ValueError("the one-time secret is no base32")
    digest = hmac.new(key, step.to_bytes(8, "big", signed=True), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)
