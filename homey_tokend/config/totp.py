"""The base32 secret of two-factor authentication, as an authenticator app shows it."""

import base64
import binascii

#: Why 80 bits? The 16 characters that most sites hand out are just that; RFC 4226 wishes
#: for 128, but no shorter one than 80 is in use.
_LEAST_BYTES = 10


def normal(text: str) -> str | None:
    """The secret in RFC 4648 form: upper case, without blanks and dashes, padded.

    Args:
        text: As copied from the account's set-up page.

    Returns:
        None where it is not base32 or holds fewer than 80 bits.
    """
    bare = "".join(text.split()).replace("-", "").rstrip("=").upper()
    padded = bare + "=" * (-len(bare) % 8)
    try:
        key = base64.b32decode(padded)
    except (binascii.Error, ValueError):
        return None
    return padded if len(key) >= _LEAST_BYTES else None
