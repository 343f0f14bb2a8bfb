"""One-time codes from a shared secret (RFC 6238 over RFC 4226).

Written here since the usual library rejects secrets under 112 bits, while the
customary 16 base32 characters are 80.
"""

import base64
import binascii
import hashlib
import hmac
from datetime import datetime

from homey_tokend.core.secret import Secret

#: Seconds that one code is good for (RFC 6238, 5.2).
STEP_S = 30
_DIGITS = 6
#: Why 80 bits? The 16 characters that most sites hand out are just that; RFC 4226 wishes
#: for 128, but no shorter one than 80 is in use.
_LEAST_BYTES = 10


def normalize_secret(text: str) -> str | None:
    """Return the secret in RFC 4648 form: upper case, without blanks and dashes, padded.

    Args:
        text: As copied from the account's set-up page.

    Returns:
        None if it is not base32 or holds fewer than 80 bits.
    """
    padded = _padded(text)
    return padded if len(_key(padded)) >= _LEAST_BYTES else None


def time_step(now: datetime) -> int:
    """Return the number of the 30-second step of ``now`` (aware)."""
    return int(now.timestamp()) // STEP_S


def code(secret: Secret, step: int) -> str:
    """Return the six digits for a step.

    Raises:
        ValueError: the secret is no base32; the message does not show it.
    """
    key = _key(_padded(secret.reveal()))
    if not key:
        # Out here: what b32decode raises holds the text it was given.
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
