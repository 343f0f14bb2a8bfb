"""Finds an entry by its name, and tells whether a call is one to ask about first."""

import difflib
from collections.abc import Sequence
from urllib.parse import unquote

from homey_tokend.hub.endpoint import Endpoint
from homey_tokend.hub.endpoints import ENDPOINTS

_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}
#: What is dangerous below these, too, whatever a specification of tomorrow adds.
_DANGEROUS = ("/api/manager/system/reboot", "/api/manager/zwave/command")


def find(name: str) -> Endpoint | None:
    """The endpoint of a name, or None."""
    return _BY_NAME.get(name)


def nearest(name: str) -> str | None:
    """The name that somebody may have meant."""
    found = difflib.get_close_matches(name, _BY_NAME, n=1)
    return found[0] if found else None


def groups() -> Sequence[tuple[str, Sequence[Endpoint]]]:
    """All endpoints by their headings, in order."""
    names = dict.fromkeys(endpoint.group for endpoint in ENDPOINTS)
    return [(group, [one for one in ENDPOINTS if one.group == group]) for group in names]


def is_dangerous(method: str, path: str) -> bool:
    """Whether a call by method and path does what the catalogue asks about first.

    Paths are compared as a Homey's router does: decoded, in any case, with or without the
    last slash, and without the query.
    """
    plain = unquote(path.partition("?")[0]).lower()
    return method.upper() not in {"GET", "HEAD", "OPTIONS"} and plain.startswith(_DANGEROUS)
