"""Describe what is wrong with a response that is not HTTP, or too large.

The parser's text quotes the response, which may contain a token. So only the parser's own words
are matched, and nothing of the response is shown but the name of a header.
"""

import re
from collections.abc import Iterable

from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret

#: The beginning of the first line of the parser's text, and the message for it.
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
    """Return what is wrong with the response; ``secrets`` are those that were sent."""
    text = str(getattr(error, "message", ""))
    first_line = text.partition("\n")[0]
    part = next((words for pattern, words in _PARTS if pattern.match(first_line)), "")
    name = _HEADER_NAME.search(text) if part.endswith("malformed") else None
    named = excerpt(name[1], secrets) if name else ""
    reason = "".join((f": {part}" if part else "", f" ({named})" if named else ""))
    return f"the response of {address} is not valid HTTP, or too large{reason}"
