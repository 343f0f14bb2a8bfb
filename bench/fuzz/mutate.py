"""Random changes of bytes, and what every target checks of a text."""

import random
from collections.abc import Sequence

#: In place of a secret. No 6 of its characters in a row are in any other word.
CANARY = "Zq7xKv9wPj3mTf5b"
_PIECE = 6
_PIECES = [CANARY[at : at + _PIECE] for at in range(len(CANARY) - _PIECE + 1)]

#: Characters that editors, web pages and tools leave in a text, and bytes that are no text.
ODD = (
    b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\r\n", b"\r", b"\n", b"\n\n", b"\t", b" ", b"\0",
    b"\x1b[31m", b"\x7f", b"\x85", b"\xc2\x85", b"\xc2\xa0", b"\xe2\x80\x8b", b"\xe2\x80\xa8",
    b"\xe2\x80\xae", b"\xe2\x80\x9c", b"\xe2\x80\x9d", b"\xc2\xad", b"\xed\xb3\x8e", b"\xff",
    b"\xf0\x9f\x98\x80", b"\xcc\x81", b"'", b'"', b"\\", b"%", b"#", b"@", b"-1", b"0", b"1e999",
    b"9" * 25, b"9" * 5000, b"A" * 70_000,
)  # fmt: skip


class FaultFound(AssertionError):
    """The code did what it must never do."""


def require(holds: object, what: str) -> None:
    if not holds:
        raise FaultFound(what)


def hides_canary(text: str, where: str) -> None:
    """Require that a text has no piece of the canary."""
    found = [each for each in _PIECES if each in text]
    require(not found, f"{where} shows a secret: {text[:2000]!r}")


def mutate(
    rng: random.Random, data: bytes, tokens: Sequence[bytes], others: Sequence[bytes] = ()
) -> bytes:
    """Return the bytes with no, one or a few random changes.

    Args:
        rng: The randomness.
        data: The bytes.
        tokens: Words to insert, besides ``ODD``.
        others: Texts to take pieces of.
    """
    # Most of the time few changes: what is broken in many places fails at the first of them.
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 3, 5, 12))):
        data = _changed(rng, data, tokens, others)
    return data


def _changed(
    rng: random.Random, data: bytes, tokens: Sequence[bytes], others: Sequence[bytes]
) -> bytes:
    begin = rng.randint(0, len(data))
    end = min(len(data), begin + rng.choice((0, 1, 1, 2, 5, 20, 200)))
    word = rng.choice(ODD) if rng.random() < 0.5 or not tokens else rng.choice(tokens)
    if rng.random() < 0.25:
        return b"".join(_changed_lines(rng, data.splitlines(keepends=True) or [b""]))
    match rng.randrange(6):
        case 0:
            word = b""
        case 1:
            word = data[begin:end] * rng.choice((2, 2, 3, 50))
        case 2:
            word = rng.randbytes(end - begin)
        case 3:
            begin = end = rng.choice((0, len(data)))
        case 4 if others:
            other = rng.choice(others)
            at = rng.randint(0, len(other))
            word = other[at : at + rng.choice((5, 50, 500))]
        case _:
            pass
    return data[:begin] + word + data[end:]


def _changed_lines(rng: random.Random, lines: list[bytes]) -> list[bytes]:
    """Return the lines with one of them twice, left out or with one bit changed."""
    at = rng.randrange(len(lines))
    line = bytearray(lines[at])
    match rng.randrange(3):
        case 0:
            lines.insert(rng.randrange(len(lines) + 1), lines[at])
        case 1:
            del lines[at]
        case _ if line:
            line[rng.randrange(len(line))] ^= 1 << rng.randrange(8)
            lines[at] = bytes(line)
        case _:
            pass
    return lines
