"""What is asked of a host and what it answers, as values; a transport sends them."""

import enum
import ipaddress
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from homey_tokend.core.secret import Secret

T = TypeVar("T")
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class Step(enum.StrEnum):
    """The steps of the flow, named alike in logs, metrics, status and faults."""

    LOGIN = "login"
    AUTHORISE = "authorise"
    CONSENT = "consent"
    TOKEN = "token"  # noqa: S105  the name of a step
    USER = "user"
    DELEGATION = "delegation"
    HOMEY_LOGIN = "homey_login"
    SESSION = "session"
    VARIABLE = "variable"


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The three hosts. ``homey`` may hold ``{cloudid}``; no URL ends with a slash."""

    accounts: str = "https://accounts.athom.com"
    api: str = "https://api.athom.com"
    homey: str = "https://{cloudid}.connect.athom.com"


class Repeat(enum.Enum):
    """Whether the transport may send a request again by itself."""

    #: Sending it twice does no harm: repeated after any transport failure.
    SAFE = "safe"
    #: It spends something (a password, a code): repeated only if it never left.
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request as the flow or a sink wants it.

    ``query`` values, ``form`` and ``json`` go in raw; the transport encodes them.
    At most one of ``form`` and ``json`` is set. ``bearer`` becomes the
    Authorization header. ``after`` is waited before sending. ``follow`` lets the
    transport follow up to three redirects of the same origin. The URL, which may
    carry a user token, is never part of a message.
    """

    step: Step
    method: str
    url: str = field(repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    form: tuple[tuple[str, str], ...] | None = field(default=None, repr=False)
    json: object | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: _NO_HEADERS, repr=False)
    bearer: Secret | None = field(default=None, repr=False)
    repeat: Repeat = Repeat.SAFE
    follow: bool = False
    after: timedelta = timedelta(0)


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP answer, read whole within bounds and stamped with both clocks' times.

    ``headers`` keeps order and repetition; names are in lower case. ``trusted``
    says that it came over verified TLS, so that its Date header may be believed.
    """

    status: int
    headers: tuple[tuple[str, str], ...] = field(repr=False)
    body: bytes = field(repr=False)
    sent_at: datetime
    received_at: datetime
    trusted: bool = False

    def header(self, name: str) -> str | None:
        """The first value of a header, by its name in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def all_headers(self, name: str) -> tuple[str, ...]:
        """All values of a header, by its name in lower case."""
        return tuple(value for key, value in self.headers if key == name)


#: A conversation yields Requests, is sent Responses and returns a value; failures of the
#: transport are thrown into it.
Flow = Generator[Request, Response, T]


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine (RFC 6761, 6.3)."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
