"""Which addresses are taken: https everywhere, plain http on this machine only."""

import re

_HOST = r"(?:[A-Za-z0-9]|\{cloudid\})(?:[A-Za-z0-9._-]|\{cloudid\})*|\[[0-9A-Fa-f:.]+\]"
_LOOPBACK = r"localhost|127(?:\.[0-9]{1,3}){3}|\[::1\]"
_PORT = r"(?::[0-9]{1,5})?"
_PATH = r"(?:/(?:[A-Za-z0-9._~!$&'()*+,;=:@%/-]|\{cloudid\})*)?"

#: The one grammar, for the check and for editors alike. ``{cloudid}`` has its place in
#: ``endpoints.homey`` only.
PATTERN_CLOUDID = f"^(?:https://(?:{_HOST})|http://(?:{_LOOPBACK})){_PORT}{_PATH}$"
PATTERN = PATTERN_CLOUDID.replace(r"|\{cloudid\}", "")

_WHOLE_CLOUDID = re.compile(PATTERN_CLOUDID)
_WHOLE = re.compile(PATTERN)
_LARGEST_PORT = 65535
_LONGEST = 2048


def base(text: str, *, cloudid: bool = False) -> str | None:
    """The base URL without its last slash; None where it is not one.

    Args:
        text: As configured.
        cloudid: Whether ``{cloudid}`` may stand in it.
    """
    match = (_WHOLE_CLOUDID if cloudid else _WHOLE).fullmatch(text)
    if match is None or len(text) > _LONGEST or not _port_fits(text):
        return None
    return text.rstrip("/")


def complaint(text: str) -> str:
    """What is wrong with a URL that :func:`base` refuses; the URL itself may hold a password."""
    authority = text.partition("://")[2].partition("/")[0]
    if "@" in authority:
        return "holds a user name or password"
    if "?" in text or "#" in text:
        return "holds a query or a fragment"
    if "{" in text or "}" in text:
        return "holds braces that mean nothing here"
    if text.startswith("http://"):
        return "is plain http, which is taken on this machine (loopback) only"
    return "is not a URL of the form https://host"


def _port_fits(text: str) -> bool:
    authority = text.partition("://")[2].partition("/")[0]
    port = authority.rpartition(":")[2]
    return not port.isdigit() or ":" not in authority or int(port) <= _LARGEST_PORT
