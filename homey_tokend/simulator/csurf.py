"""The anti-forgery pair as npm ``csurf`` makes it in cookie mode (docs/wire.md A2).

The secret lives in the cookie ``_csrf``, the token in the form. The pair is good
when the token is the secret's salted hash; the server remembers nothing.
"""

import base64
import hashlib
import hmac

from homey_tokend.simulator.chance import Chance
from homey_tokend.simulator.settings import CsrfField

#: Name of the cookie and of the form field.
NAME = "_csrf"

_FIELD: dict[CsrfField, str] = {
    "type-name-value": '<input type="hidden" name="_csrf" value="{}">',
    "value-name-type": '<input value="{}" name="_csrf" type="hidden">',
    "single-quotes": "<input type='hidden' name='_csrf' value='{}'>",
    "self-closing": '<input type="hidden" name="_csrf" value="{}" />',
}


def secret_of(chance: Chance) -> str:
    """Draw a secret: 18 octets, 24 characters."""
    return chance.base64url(18)


def token_of(secret: str, chance: Chance) -> str:
    """Make a token: 8 characters of salt, ``-``, 27 characters of hash."""
    return _salted(chance.letters(8), secret)


def is_pair(secret: str, token: str) -> bool:
    """Tell whether the token was made from the secret."""
    salt, dash, _ = token.partition("-")
    return bool(secret and dash) and hmac.compare_digest(
        _salted(salt, secret).encode(), token.encode()
    )


def field(form: CsrfField, token: str) -> str:
    """Write the hidden field of the consent page."""
    return _FIELD[form].format(token)


def _salted(salt: str, secret: str) -> str:
    digest = hashlib.sha1(f"{salt}-{secret}".encode()).digest()  # noqa: S324 -- csurf's own hash
    return f"{salt}-{base64.urlsafe_b64encode(digest).decode().rstrip('=')}"
