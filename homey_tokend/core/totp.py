"""One-time codes from a shared secret (RFC 6238, RFC 4226).

Not pyotp: it rejects secrets below 112 bits, and the usual 16 base32 characters are 80 bits.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from homey_tokend.core.secret import Secret

#: The seconds for which one code is valid (RFC 6238, 5.2).
STEP_S = 30
_DIGITS = 6
#: RFC 4226 requires 128 bits, but most sites issue 16 characters, which are 80 bits.
_LEAST_BYTES = 10


def normalize_secret(text: str) -> str | None:
    """Return a secret in the form of RFC 4648: upper case, without blanks and dashes, padded.

    Args:
        text: The secret as copied from the account's set-up page.

    Returns:
        The secret, or None if it is not base32 or has fewer than 80 bits.
    """
    padded = _padded(text)
    return padded if len(_key(padded)) >= _LEAST_BYTES else None


def time_step(now: datetime) -> int:
    """Return the number of the 30-second step that contains ``now`` (aware)."""
    return int(now.timestamp()) // STEP_S


def code(secret: Secret, step: int) -> str:
    """Return the six digits for a step.

    Raises:
        ValueError: The secret is not base32; the message does not contain it.
    """
    key = _key(_padded(secret.reveal()))
    if not key:
        # Raised here and not on b32decode's error, whose traceback contains the text.
        raise ValueError("the one-time secret is not base32")
    digest = hmac.new(key, step.to_bytes(8, "big", signed=True), hashlib.sha1).digest()
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4], "big") & 0x7FFF_FFFF
    return str(number % 10**_DIGITS).zfill(_DIGITS)


def _padded(text: str) -> str:
    bare = "".join(text.split()).replace("-", "").rstrip("=").upper()
    return bare + "=" * (-len(bare) % 8)


def _key(padded: str) -> bytes:
    try:
        return base64.b32decode(padded)
    except (binascii.Error, ValueError):
        return b""
