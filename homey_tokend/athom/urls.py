"""The base URL of a Homey, and the check of URLs that the cloud reports.

Credentials and tokens are only sent to the configured endpoints, to a configured ``url`` and to
the address that ``/user/me`` reports.
"""

import ipaddress
import re
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote, urlsplit

from homey_tokend.core.http_types import Endpoints

_URL = re.compile(r"[!-~]+")
#: Host names and addresses, including IPv6, without percent-encoding and backslashes.
_HOST = re.compile(r"[a-z0-9._:-]{1,253}")
#: Today a cloudid has 24 hexadecimal digits; codes and access tokens have 40, and do not match.
_CLOUDID = re.compile(r"[0-9A-Za-z-]{1,36}")


@dataclass(frozen=True, slots=True)
class HomeyTarget:
    """What the exchange needs to know of a Homey.

    ``explicit_url`` is the configured address (None: ``auto``), ``remembered_url`` the last one
    from ``/user/me``. ``lifetime`` is assumed for a token if the Homey reports no expiry.
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
    """Return the address that is known without a request: explicit, remembered, or the endpoint's."""
    if target.explicit_url:
        return target.explicit_url
    if target.remembered_url and usable_url(target.remembered_url, target.endpoints):
        return target.remembered_url
    return target.endpoints.homey.replace("{cloudid}", quote(target.cloudid, safe=""))


def usable_url(url: str, endpoints: Endpoints) -> str | None:
    """Return a discovered URL without trailing slashes, or None if no token may be sent there.

    It must be https, or http with a simulated cloud, without userinfo, query and fragment.
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
    """Return whether the cloud is a simulator, with http on loopback."""
    parts = urlsplit(endpoints.api)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is of this machine (RFC 6761, 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
