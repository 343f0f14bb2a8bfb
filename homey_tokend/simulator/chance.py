"""The simulator's own chance: ids, codes and tokens in the forms of the wire."""

import base64
import random
import string
import uuid


class Chance:
    """Draws values; with a seed the same ones in each run.

    Args:
        seed: Any whole number, or None for the system's chance.
    """

    def __init__(self, seed: int | None) -> None:
        self._random = (
            random.SystemRandom() if seed is None else random.Random(seed)  # noqa: S311 -- values of a pretend cloud protect nothing
        )

    def octets(self, count: int) -> bytes:
        """Give ``count`` octets."""
        return self._random.randbytes(count)

    def hex(self, digits: int) -> str:
        """Give an even number of lower-case hex digits."""
        return self.octets(digits // 2).hex()

    def uuid(self) -> str:
        """Give a version 4 UUID in its usual form, 36 characters."""
        return str(uuid.UUID(bytes=self.octets(16), version=4))

    def base64url(self, count: int) -> str:
        """Give ``count`` octets in base64url without padding."""
        return base64.urlsafe_b64encode(self.octets(count)).decode().rstrip("=")

    def letters(self, count: int) -> str:
        """Give ``count`` letters and digits."""
        return "".join(self._random.choices(string.ascii_letters + string.digits, k=count))

    def bearer(self) -> str:
        """Give a Homey bearer: ``<uuid>:<uuid>:<40 hex>``, 114 characters (docs/wire.md C)."""
        return f"{self.uuid()}:{self.uuid()}:{self.hex(40)}"
