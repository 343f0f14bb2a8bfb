"""Random ids, codes and tokens in the formats of the wire."""

import base64
import hashlib
import hmac
import json
import random
import string
import uuid
from collections.abc import Mapping

_KEY = b"key of the simulated cloud"


class RandomValues:
    """A source of random values.

    Args:
        seed: Gives the same values in each run; None uses the system's randomness.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = (
            random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 -- values of a simulated cloud protect nothing
        )

    def hex(self, digits: int) -> str:
        """Return lower-case hex digits; ``digits`` is even."""
        return self._random.randbytes(digits // 2).hex()

    def uuid(self) -> str:
        """Return a version 4 UUID, 36 characters."""
        return str(uuid.UUID(bytes=self._random.randbytes(16), version=4))

    def base64url(self, octets: int) -> str:
        """Return random octets in base64url without padding."""
        return base64url(self._random.randbytes(octets))

    def alphanumeric(self, length: int) -> str:
        """Return letters and digits."""
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=length))

    def bearer(self) -> str:
        """Return a Homey bearer: ``<uuid>:<uuid>:<40 hex>``, 114 characters (docs/wire.md C)."""
        return f"{self.uuid()}:{self.uuid()}:{self.hex(40)}"


def base64url(octets: bytes) -> str:
    """Encode in base64url without padding."""
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def jwt(claims: Mapping[str, object], *, algorithm: str = "RS512") -> str:
    """Return claims in the format of a JWT.

    Real ones are signed with RS512 (docs/wire.md A5). This signature has the length of
    a 2048-bit RSA one and is never checked: a token is valid when it was issued.
    """
    header = {"alg": algorithm, "typ": "JWT"}
    signed = ".".join(
        base64url(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims)
    )
    signature = b"".join(
        hmac.digest(_KEY, bytes([block]) + signed.encode(), hashlib.sha512) for block in range(4)
    )
    return f"{signed}.{base64url(signature)}"
