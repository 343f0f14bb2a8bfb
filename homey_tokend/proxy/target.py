"""Which path on the Homey a request asks for: under ``/api/``, whoever decodes it and how often.

What is checked is the request target as it came: routers and URL classes fold
``%2e%2e`` away, and the Homey, or what stands before it, may fold once more.
"""

import re
from urllib.parse import unquote_to_bytes

from homey_tokend.server.problems import Problem

#: How long may the target be? aiohttp's server reads lines of 8190 bytes; Homeys do not take more.
LONGEST = 8000
#: How often may a path be percent-encoded? Nobody means more than twice.
_LAYERS = 4

_TARGET = re.compile(r"[!-~]+")
#: What cannot be decoded or folded into anything else, and most paths are.
_PLAIN = re.compile(r"(?:/[\w:~-]+)+/?", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def request_target(raw_path: str, homey: str) -> str:
    """The path and query to ask the Homey for, exactly as they came.

    In this order refused: another form than ``/homeys/NAME/api/…`` (an absolute
    URL, say), characters that belong encoded, a fragment, a broken escape, an
    empty segment (``//``), and whatever is ``.``, ``..``, a slash, a backslash or
    a control character when it is decoded, however often.

    Args:
        raw_path: The request target as it came (RFC 9112, 3.2).
        homey: The Homey's name.

    Returns:
        The target, which begins with ``/api/``.

    Raises:
        Problem: 400 ``bad-path``.
    """
    before = f"/homeys/{homey}"
    if not raw_path.startswith(f"{before}/api/"):
        raise _bad(f"the path must begin with {before}/api/, written plainly")
    target = raw_path[len(before) :]
    if len(target) > LONGEST:
        raise _bad(f"the path is longer than {LONGEST} characters")
    if not _TARGET.fullmatch(target):
        raise _bad("characters beyond printable ASCII must be percent-encoded")
    if "#" in target:
        raise _bad("a fragment (#) is not for a server")
    _check(target.partition("?")[0])
    return target


def _check(path: str) -> None:
    if _PLAIN.fullmatch(path):
        return
    if _BROKEN_ESCAPE.search(path):
        raise _bad("a % must be followed by two hex digits")
    layer = path.encode("ascii")
    for _ in range(_LAYERS):
        _check_layer(layer, path.count("/"))
        decoded = unquote_to_bytes(layer)
        if decoded == layer:
            return
        layer = decoded
    raise _bad("the path is encoded again and again")


def _check_layer(layer: bytes, slashes: int) -> None:
    """One stage of decoding: as many slashes as there were, and no segment that leads elsewhere."""
    if layer.count(b"/") != slashes or b"\\" in layer:
        raise _bad("slashes and backslashes must not be encoded or turned round")
    if any(byte < 0x20 or byte == 0x7F for byte in layer):
        raise _bad("control characters have no place in a path")
    first, *segments = layer.split(b"/")
    if first or b"" in segments[:-1]:
        raise _bad("empty segments (//) are not forwarded")
    if any(segment.partition(b";")[0].strip() in {b".", b".."} for segment in segments):
        raise _bad("a path may not climb (. and ..)")


def _bad(detail: str) -> Problem:
    return Problem(400, "bad-path", f"this path is not forwarded: {detail}", kind="bad_path")
