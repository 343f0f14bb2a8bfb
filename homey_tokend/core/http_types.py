"""HTTP requests and responses as values, and the meaning of their headers."""

import enum
import json
import re
from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import islice
from types import MappingProxyType
from typing import TypeVar

from homey_tokend.core.secret import Secret

T = TypeVar("T")
#: ``Response.json`` of a body that is no JSON.
NO_JSON = object()
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_MAX_COOKIES = 20
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_COOKIE_VALUE = re.compile(r"[!-~]{0,4096}")


class Step(enum.StrEnum):
    """The steps of the sign-in, with the same names in logs, metrics, status and faults."""

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
    """The three hosts. ``homey`` may contain ``{cloudid}``; no URL ends with a slash."""

    accounts: str = "https://accounts.athom.com"
    api: str = "https://api.athom.com"
    homey: str = "https://{cloudid}.connect.athom.com"


class Repeat(enum.Enum):
    """Return whether the transport may send a request again by itself."""

    #: Sending it twice does no harm: repeated after any transport failure.
    SAFE = "safe"
    #: It spends something (a password, a code): repeated only if it never left.
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

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
    """One HTTP response, read completely within bounds, with the times of our clock.

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
        """Return the first value of a header, by its name in lower case."""
        return next((value for key, value in self.headers if key == name), None)

    def all_headers(self, name: str) -> tuple[str, ...]:
        """Return all values of a header, by its name in lower case."""
        return tuple(value for key, value in self.headers if key == name)

    def date(self) -> datetime | None:
        """Return the instant of the Date header."""
        return parse_http_date(self.header("date"))

    def retry_after(self) -> timedelta | None:
        """Return the wait that the server asks for."""
        return parse_retry_after(self.header("retry-after"), self.header("date"), self.received_at)

    def json(self) -> object:
        """Return the JSON of the body, whatever its content type says; else ``NO_JSON``."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NO_JSON


#: A flow yields Requests, is sent Responses and returns a value; failures of the transport are
#: thrown into it.
Flow = Generator[Request, Response, T]


def parse_http_date(text: str | None) -> datetime | None:
    """Return the instant of an HTTP date (RFC 9110, 5.6.7); None if it is malformed."""
    try:
        found = parsedate_to_datetime(text or "")
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        return None


def parse_retry_after(
    value: str | None, date: str | None, received_at: datetime
) -> timedelta | None:
    """Return the wait that a Retry-After header asks for (RFC 9110, 10.2.3).

    Args:
        value: The header: seconds or an HTTP date.
        date: The Date header of the same answer: a date is counted from it, so that neither
            our clock nor the server's needs to be right.
        received_at: What a date is counted from if there is no Date header.

    Returns:
        The wait, never negative; None if the header is absent or garbage.
    """
    text = (value or "").strip()
    if re.fullmatch(r"[0-9]{1,9}", text):
        return timedelta(seconds=int(text))
    until = parse_http_date(text)
    if until is None:
        return None
    return max(timedelta(0), until - (parse_http_date(date) or received_at))


def cookie_header(set_cookies: Iterable[str], earlier: str = "") -> str:
    """Return the Cookie header for these Set-Cookie headers (RFC 6265, 5.4).

    Attributes are dropped: cookies are sent only to the host that set them, and once.
    Broken ones are passed over; of one name the last counts.

    Args:
        set_cookies: The Set-Cookie headers, in order.
        earlier: A Cookie header that they are added to.
    """
    pairs = [header.partition(";")[0] for header in islice(set_cookies, _MAX_COOKIES)]
    jar: dict[str, str] = {}
    for pair in (*earlier.split(";"), *pairs):
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if equals and _COOKIE_NAME.fullmatch(name) and _COOKIE_VALUE.fullmatch(value):
            jar[name] = value
    return "; ".join(f"{name}={value}" for name, value in jar.items())
