"""The base URL of a Homey, and which URLs are not allowed.

Credentials and tokens go to the configured endpoints, to an explicit ``url``
and to the address that ``/user/me`` names, and nowhere else.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlsplit

from homey_tokend.core.http_types import Endpoints

_URL = re.compile(r"[!-~]+")
#: Names and addresses as they are, IPv6 too: no percent-encoding, no backslash.
_HOST = re.compile(r"[a-z0-9._:-]{1,253}")
#: A cloudid is 24 hex digits today; codes and access tokens, of 40, are not taken for one.
_CLOUDID = re.compile(r"[0-9A-Za-z-]{1,36}")


@dataclass(frozen=True, slots=True)
class HomeyTarget:
    """A Homey as the exchange needs it.

    ``explicit_url`` is the configured one (None: ``auto``), ``remembered_url`` what
    ``/user/me`` named last. ``lifetime`` is assumed where the Homey reports no expiry.
    """

    endpoints: Endpoints
    cloudid: str
    explicit_url: str | None
    remembered_url: str | None
    lifetime: timedelta


def is_cloudid(text: str) -> bool:
    """Return whether a text can be a Homey's cloudid."""
    return bool(_CLOUDID.fullmatch(text))


def fallback_url(target: HomeyTarget) -> str:
    """Return the address without a request: explicit, else remembered, else the endpoint."""
    if target.explicit_url:
        return target.explicit_url
    if target.remembered_url and usable_url(target.remembered_url, target.endpoints):
        return target.remembered_url
    return target.endpoints.homey.replace("{cloudid}", quote(target.cloudid, safe=""))


def usable_url(url: str, endpoints: Endpoints) -> str | None:
    """Return a discovered URL without its last slash, or None if no token may be sent there.

    https only; plain http only where ``endpoints.api`` is http on loopback, as
    with a simulator. No userinfo, query or fragment.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return None
    if not host or len(url) > 2048 or not _URL.fullmatch(url):
        return None
    if not _HOST.fullmatch(host) or parts.username is not None or "?" in url or "#" in url:
        return None
    if parts.scheme == "https" or (parts.scheme == "http" and is_simulated(endpoints)):
        return url.rstrip("/")
    return None


def is_simulated(endpoints: Endpoints) -> bool:
    """Return whether the cloud is a simulator: http on loopback."""
    parts = urlsplit(endpoints.api)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine (RFC 6761, 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
