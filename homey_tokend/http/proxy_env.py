"""The proxy for a URL, from environment variables by the rules of urllib, curl and Go."""

import base64
import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from yarl import URL

from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.value_text import defect, trim

#: The schemes of proxies that aiohttp supports.
_SCHEMES = frozenset({"http", "https"})

#: Domains of the local network, which no proxy can reach. ``homeylocal.com`` is Athom's domain for
#: the local addresses of Homeys (``docs/wire.md``).
_LOCAL_SUFFIXES = (".local", ".localhost", ".lan", ".home.arpa", ".homeylocal.com")

#: A name in ``NO_PROXY``, with an optional port.
_NAME = re.compile(r"(?:\*?\.)?([\w-]+(?:\.[\w-]+)*)\.?(?::([0-9]{1,5}))?")
_ADDRESS = re.compile(r"(?:\[([0-9a-f:.]+)\]|([0-9.]+))(?::([0-9]{1,5}))?")
#: Other entries of ``NO_PROXY`` are not shown in a message.
_SHOWABLE = re.compile(r"[\w.:/*<>\[\]-]{1,80}")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class ProxyUnusable(ValueError):
    """The environment names a proxy that cannot be used.

    Args:
        variable: The name of the environment variable.
        reason: What is wrong with its value, which is not shown: it may contain a password.
    """

    remedy = "Write http://host:port; in a user name and password write %40 for @ and so on."

    def __init__(self, variable: str, reason: str) -> None:
        super().__init__(f"the environment variable {variable} {reason}")
        self.variable = variable
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy's URL without credentials, and the headers that contain them."""

    url: URL
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class _Exemption:
    """An entry of ``NO_PROXY``: a name with its subdomains, or a network; for one port or all."""

    name: str = ""
    network: _Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int | None) -> bool:
        """Return whether this entry exempts a host from the proxy."""
        if self.port not in {None, port}:
            return False
        if self.network is None:
            return host == self.name or host.endswith(f".{self.name}") or self.name == "*"
        try:
            return ipaddress.ip_address(host) in self.network
        except ValueError:
            return False


class ProxySettings:
    """The proxy settings of an environment.

    As in urllib, variables may be in any case and lower case takes precedence, and ``NO_PROXY``
    lists names, including their subdomains, or ``*``. As in curl and Go, ``ALL_PROXY`` applies if
    ``HTTPS_PROXY`` is not set, and ``NO_PROXY`` may contain blanks between entries, ``*.name``,
    ports, addresses and networks.

    Args:
        environ: The environment; it is read once.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._by_scheme = _from_environment(environ)
        entries = re.split(r"[\s,]+", self._by_scheme.get("no", "").lower())
        found = {entry: _parse_exemption(entry) for entry in entries if entry}
        self._exemptions = [each for each in found.values() if each is not None]
        self._malformed = [entry for entry, each in found.items() if each is None]

    def warnings(self) -> Iterator[ConfigFault]:
        """Yield a warning for each malformed entry, and for a proxy that cannot be used."""
        for entry in self._malformed:
            shown = f'"{entry}"' if _SHOWABLE.fullmatch(entry) else "an entry"
            yield ConfigFault(
                "environment", 0, 0, "no_proxy", f"{shown} is malformed and has no effect",
                "Write names, addresses or networks, with commas between them.",
            )  # fmt: skip
        try:
            self._proxy()
        except ProxyUnusable as error:
            yield ConfigFault("environment", 0, 0, error.variable, error.reason, error.remedy)

    def of(self, url: URL) -> Proxy | None:
        """Return the proxy for a URL, or None.

        There is none for hosts of the local network and for plain http: a proxy could read the
        token, and only simulators use http.

        Raises:
            ProxyUnusable: The proxy's URL is malformed, or has another scheme than http or https.
        """
        if not self._by_scheme or url.scheme != "https":
            return None
        host = (url.host or "").lower().rstrip(".")
        if _is_local(host) or any(each.covers(host, url.port) for each in self._exemptions):
            return None
        return self._proxy()

    def _proxy(self) -> Proxy | None:
        for scheme in ("https", "all"):
            if text := self._by_scheme.get(scheme):
                return _parse(f"{scheme}_proxy", text)
        return None


def _from_environment(environ: Mapping[str, str]) -> Mapping[str, str]:
    # urllib.request.getproxies_environment, for an environment that is not os.environ.
    values = {name: trim(value) for name, value in environ.items()}
    found = {
        name.lower().removesuffix("_proxy"): value
        for name, value in values.items()
        if value and name.lower().endswith("_proxy")
    }
    for name, value in values.items():
        if name == name.lower() and name.endswith("_proxy"):
            # An empty lower-case variable disables the upper-case one.
            found.pop(name.removesuffix("_proxy"), None)
            if value:
                found[name.removesuffix("_proxy")] = value
    return found


def _parse_exemption(entry: str) -> _Exemption | None:
    """Parse an entry of ``NO_PROXY``, in lower case; None if it has no known form."""
    if entry == "*":
        return _Exemption("*")
    address = _ADDRESS.fullmatch(entry)
    host, port = (address[1] or address[2], address[3]) if address else (entry, None)
    try:
        network = ipaddress.ip_network(host, strict=False)
    except ValueError:
        name = _NAME.fullmatch(entry)
        return _Exemption(name[1], port=int(name[2]) if name[2] else None) if name else None
    return _Exemption(network=network, port=int(port) if port else None)


def _is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        name = host.lower().rstrip(".")
        return "." not in name or name.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_link_local


def _parse(variable: str, text: str) -> Proxy:
    if words := defect(text):
        raise ProxyUnusable(variable, words[0])
    scheme, found, rest = text.partition("://")
    if not found or not scheme.isalnum():  # the password may contain ://
        scheme, rest = "http", text
    # Split at the last @: passwords are often not encoded, and contain @, # or /.
    credentials, given, address = rest.rpartition("@")
    try:
        parts = urlsplit(f"{scheme}://{address}")
        url = URL.build(scheme=parts.scheme, host=parts.hostname or "", port=parts.port)
        host = url.host  # yarl decodes it only here
    except ValueError:
        # From None: the original message contains the value.
        raise ProxyUnusable(variable, "is not a URL") from None
    if parts.scheme not in _SCHEMES:
        raise ProxyUnusable(variable, "is neither an http:// nor an https:// URL")
    if not host:
        raise ProxyUnusable(variable, "names no host")
    if not given:
        return Proxy(url)
    user, _, password = credentials.partition(":")
    basic = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode("ascii")
    return Proxy(url, {"Proxy-Authorization": f"Basic {basic}"})
