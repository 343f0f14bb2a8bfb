"""Which requests are forwarded: their method, and a path that stays under ``/api/``.

The raw request target is checked: routers and URL classes remove ``%2e%2e``, and the Homey, or a
proxy in front of it, may decode it once more.
"""

import re
from urllib.parse import unquote_to_bytes

from aiohttp import web

from homey_tokend.server.problems import Problem, method_not_allowed

#: TRACE is not among them: its response would show the bearer (RFC 9110, 9.3.8).
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Offers that a client can do without: HTTP/2, as curl --http2 makes it.
_IGNORED_UPGRADES = frozenset({"", "h2c"})
#: The most characters of a target: aiohttp's server reads lines of 8190 bytes, and Homeys accept
#: no more.
MAX_LENGTH = 8000
#: How many times a path may be percent-encoded; more than twice is never intended.
_MAX_LAYERS = 4

_TARGET = re.compile(r"[!-~]+")
#: A path that decoding and normalising leave unchanged, as most paths are.
_PLAIN = re.compile(r"(?:/[\w:~-]+)+/?", re.ASCII)
_BROKEN_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


def check_request(request: web.Request) -> None:
    """Check the method, and that no change of protocol is asked for.

    Raises:
        Problem: 405 ``method-not-allowed``, or 501 ``no-upgrade``.
    """
    if request.method not in METHODS:
        raise method_not_allowed(request.method, ", ".join(METHODS))
    # The protocols that the client would change to (RFC 9110, 7.8).
    offered = ",".join(request.headers.getall("Upgrade", ()))
    if not _IGNORED_UPGRADES.issuperset(name.strip().lower() for name in offered.split(",")):
        raise Problem(
            501,
            "no-upgrade",
            "websockets and other upgrades are not passed on; "
            "take the token and connect to the Homey's own url",
        )


def request_target(raw_path: str, homey: str) -> str:
    """Return the path and query to ask the Homey for, exactly as they came.

    Rejected are, in this order: another form than ``/homeys/NAME/api/…`` (an absolute URL for
    example), characters that must be encoded, a fragment, a broken escape, an empty segment
    (``//``), and whatever is ``.``, ``..``, a slash, a backslash or a control character when it
    is decoded, however often.

    Args:
        raw_path: The request target as it came (RFC 9112, 3.2).
        homey: The Homey's name.

    Returns:
        The target, which begins with ``/api/``.

    Raises:
        Problem: 400 ``bad-path``.
    """
    prefix = f"/homeys/{homey}"
    if not raw_path.startswith(f"{prefix}/api/"):
        raise _bad_path(f"the path must begin with {prefix}/api/, written plainly")
    target = raw_path[len(prefix) :]
    if len(target) > MAX_LENGTH:
        raise _bad_path(f"the path is longer than {MAX_LENGTH} characters")
    if not _TARGET.fullmatch(target):
        raise _bad_path("characters beyond printable ASCII must be percent-encoded")
    if "#" in target:
        raise _bad_path("a fragment (#) is not for a server")
    path = target.partition("?")[0]
    if not _PLAIN.fullmatch(path):
        _check_path(path)
    return target


def _check_path(path: str) -> None:
    if _BROKEN_ESCAPE.search(path):
        raise _bad_path("a % must be followed by two hex digits")
    layer = path.encode("ascii")
    for _ in range(_MAX_LAYERS):
        _check_layer(layer, path.count("/"))
        decoded = unquote_to_bytes(layer)
        if decoded == layer:
            return
        layer = decoded
    raise _bad_path("the path is encoded too many times")


def _check_layer(layer: bytes, slashes: int) -> None:
    """Check one stage of decoding: no additional slash, and no ``.`` or ``..`` as a segment."""
    if layer.count(b"/") != slashes or b"\\" in layer:
        raise _bad_path("encoded slashes and backslashes are not passed on")
    if any(byte < 0x20 or byte == 0x7F for byte in layer):
        raise _bad_path("control characters are not allowed in a path")
    first, *segments = layer.split(b"/")
    if first or b"" in segments[:-1]:
        raise _bad_path("empty segments (//) are not passed on")
    if any(segment.partition(b";")[0].strip() in {b".", b".."} for segment in segments):
        raise _bad_path("a path must not contain . or .. as a segment")


def _bad_path(detail: str) -> Problem:
    return Problem(400, "bad-path", f"this path is not passed on: {detail}")
