"""Name what is wrong with an answer that is not HTTP, or beyond the bounds of what is read.

The parser's text quotes the answer, which may hold a token. So only the parser's own words are
matched, and of the answer nothing is shown but the name of a header.
"""

import re
from collections.abc import Iterable

from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret

#: What the first line of the parser's text begins with, and what is said.
_PARTS = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"too many headers", "it has too many headers"),
        (r"got more than", "a line of its head is too long"),
        (r"(invalid|duplicate).*(content-length|transfer-encoding)", "its length is contradictory"),
        (r"(content-length|transfer-encoding) can't", "its length is contradictory"),
        (r"invalid character in chunk|.*chunk", "its body is not divided into chunks correctly"),
        (r"data after", "bytes follow its end"),
        (
            r"bad status line",
            "it does not begin with a status line of HTTP, or bytes follow its end",
        ),
        (r".*header", "one of its header lines is malformed"),
    )
)
#: The header that is quoted below the first line. Letters only: a piece of a token has digits.
_HEADER_NAME = re.compile(r"\n\s*b[\"']([A-Za-z]+(?:-[A-Za-z]+)*)(?![A-Za-z0-9-])")


def describe_unreadable(error: BaseException, address: str, secrets: Iterable[Secret]) -> str:
    """Return what is wrong with the answer; ``secrets`` are what was sent."""
    text = str(getattr(error, "message", ""))
    first_line = text.partition("\n")[0]
    part = next((words for pattern, words in _PARTS if pattern.match(first_line)), "")
    name = _HEADER_NAME.search(text) if part.endswith("malformed") else None
    named = excerpt(name[1], secrets) if name else ""
    reason = "".join((f": {part}" if part else "", f" ({named})" if named else ""))
    return f"the answer of {address} is not HTTP, or beyond its bounds{reason}"
