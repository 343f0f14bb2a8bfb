"""Which ``Host`` the TCP port serves, so that no web page reads it by DNS rebinding.

A web page can let its own name resolve to this machine, and then read what is served here. Its
requests carry that name: only addresses, and names that are known to be of this machine, are
served.
"""

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable

from aiohttp import web

from homey_tokend.server.problems import Problem

_HOST = re.compile(r"(?:\[([^\[\]]*)\]|([^:\[\]]*))(?::[0-9]*)?")  # RFC 9110, 7.2
#: Characters of a name that are repeated in a response.
_MAX_NAME = 64


class HostCheck:
    """Admit requests by their ``Host``.

    Args:
        names: Names besides ``localhost`` and the machine's own.
        own: Returns the machine's own name.
    """

    def __init__(
        self, names: Iterable[str] = (), *, own: Callable[[], str] = socket.gethostname
    ) -> None:
        self._own = own
        self.names: frozenset[str] = frozenset()
        self.replace_names(names)

    def replace_names(self, names: Iterable[str]) -> None:
        """Admit these names instead of those before."""
        self.names = frozenset(map(_normalised, names))

    def check(self, request: web.Request) -> Problem | None:
        """Return the problem of a request for another host; None if it is served."""
        host = request.headers.get("Host")
        if host is None or self._is_known(host):  # a browser always sends it
            return None
        return Problem(
            421,
            "unknown-host",
            f"this port does not serve the host {host[:_MAX_NAME]!r}",
            more={"remedy": "Use its address, or add the name to http.hosts and reload."},
        )

    def _is_known(self, host: str) -> bool:
        match = _HOST.fullmatch(host)
        if match is None:
            return False
        if match[1] is not None:
            return _is_address(match[1], ipaddress.IPv6Address)
        name, own = _normalised(match[2]), _normalised(self._own())
        return (
            name in {"localhost", own, own.partition(".")[0]} - {""}
            or name in self.names
            or _is_address(name, ipaddress.IPv4Address)
        )


def _normalised(name: str) -> str:
    return name.lower().removesuffix(".")


def _is_address(text: str, kind: Callable[[str], object]) -> bool:
    try:
        kind(text)
    except ValueError:
        return False
    return True
