"""One-time codes of RFC 6238, checked as a server checks them."""

import base64
import hashlib
import hmac

#: Seconds of one step, RFC 6238 section 4.1.
STEP = 30


def code_at(secret: str, step: int) -> str:
    """Return the six digits of one step; blanks and case of the base32 ``secret`` are ignored."""
    plain = secret.replace(" ", "").upper()
    key = base64.b32decode(plain + "=" * (-len(plain) % 8))
    digest = hmac.digest(key, step.to_bytes(8, "big"), hashlib.sha1)
    at = digest[-1] & 15
    number = int.from_bytes(digest[at : at + 4], "big") & 0x7FFF_FFFF
    return f"{number % 1_000_000:06d}"


def step_of(secret: str, code: str, now: float) -> int | None:
    """Return the step of ``code``: the current one or a neighbour, else None."""
    current = int(now // STEP)
    for step in (current, current - 1, current + 1):
        if hmac.compare_digest(code_at(secret, step).encode(), code.encode()):
            return step
    return None
