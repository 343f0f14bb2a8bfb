"""The proxy for a URL: urllib's rules, read from a given environment."""

import base64
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib import request
from urllib.parse import unquote, urlsplit

from yarl import URL

#: What aiohttp can speak to a proxy.
_SCHEMES = frozenset({"http", "https"})

#: Names that only mean something in the local network: no proxy knows them. ``homeylocal.com`` is
#: Athom's name for a Homey's address in the local network (``docs/wire.md``).
_LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".home.arpa", ".homeylocal.com")

#: Whether ``no_proxy`` excepts a host: exact names, with or without port, or suffixes.
_is_excepted: Any = vars(request)["proxy_bypass_environment"]  # typeshed does not know it


class ProxyUnusable(ValueError):
    """The environment names a proxy that cannot be used.

    Args:
        variable: The environment variable, as it is usually written.
        reason: What is wrong with its value, which is not repeated: it may hold a password.
    """

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"the environment variable {variable} {reason}")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy without its credentials, and the headers that carry them."""

    url: URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class ProxySettings:
    """The proxies of an environment.

    As urllib does: any case, lower case wins, ``NO_PROXY`` holds suffixes or ``*``. As curl
    does: ``ALL_PROXY`` where ``HTTPS_PROXY`` is not set.

    Args:
        environ: The environment to read; it is read once.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._by_scheme = _from_environment(environ)

    def of(self, url: URL) -> Proxy | None:
        """Return the proxy for a URL.

        None for hosts of the local network, and for plain http: a proxy would read the
        token, and only a simulator is asked so.

        Raises:
            ProxyUnusable: the proxy's URL has no host, or a scheme that is not spoken here.
        """
        if not self._by_scheme or url.scheme != "https":
            return None
        host = url.host or ""
        if _is_local(host) or _is_excepted(f"{host}:{url.port}", self._by_scheme):
            return None
        for scheme in ("https", "all"):
            if text := self._by_scheme.get(scheme):
                return _parse(f"{scheme}_proxy", text)
        return None


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    # urllib.request.getproxies_environment, for an environment that is not os.environ.
    found = {
        name.lower().removesuffix("_proxy"): value
        for name, value in environ.items()
        if value and name.lower().endswith("_proxy")
    }
    for name, value in environ.items():
        if name == name.lower() and name.endswith("_proxy"):
            # An empty lower-case variable switches the upper-case one off.
            found.pop(name.removesuffix("_proxy"), None)
            if value:
                found[name.removesuffix("_proxy")] = value
    return found


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().rstrip(".")
        return "." not in name or name.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_link_local


def _parse(variable: str, text: str) -> Proxy:
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port = parts.port
    except ValueError:
        # From None: the message would hold the value.
        raise ProxyUnusable(variable, "is not a URL") from None
    if parts.scheme not in _SCHEMES:
        raise ProxyUnusable(variable, "is neither an http:// nor an https:// URL")
    if not parts.hostname:
        raise ProxyUnusable(variable, "names no host")
    url = URL.build(scheme=parts.scheme, host=parts.hostname, port=port)
    if parts.username is None:
        return Proxy(url)
    credentials = f"{unquote(parts.username)}:{unquote(parts.password or '')}".encode()
    basic = base64.b64encode(credentials).decode("ascii")
    return Proxy(url, {"Proxy-Authorization": f"Basic {basic}"})
