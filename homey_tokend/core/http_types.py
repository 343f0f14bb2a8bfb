"""HTTP requests and responses as values, and the parsing of their headers."""

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
#: The result of ``Response.json`` for a body that is not JSON.
NO_JSON = object()
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})
_MAX_COOKIES = 20
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_COOKIE_VALUE = re.compile(r"[!-~]{0,4096}")


class Step(enum.StrEnum):
    """The steps of the sign-in, by the names that logs, metrics and status use."""

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
    """The base URLs, without a trailing slash. ``homey`` may contain ``{cloudid}``."""

    accounts: str = "https://accounts.athom.com"
    api: str = "https://api.athom.com"
    homey: str = "https://{cloudid}.connect.athom.com"


class Repeat(enum.Enum):
    """When the transport may send a request again by itself."""

    #: After any transport failure: sending it twice does no harm.
    SAFE = "safe"
    #: Only if it was not sent: it uses up something (a password, a code).
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request.

    ``query`` values, ``form`` and ``json`` are not encoded; the transport does that. At most
    one of ``form`` and ``json`` is set. ``bearer`` becomes the Authorization header. ``after``
    is the wait before sending. ``follow`` lets the transport follow up to three redirects of
    the same origin. The URL may contain a user token, so it is never part of a message.
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
    """One HTTP response with a bounded body; the times are by our clock.

    ``headers`` keeps order and repetitions; names are in lower case. ``trusted``: it came over
    verified TLS, so its Date header can be trusted.
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
        """Return the instant of the Date header, or None."""
        return parse_http_date(self.header("date"))

    def retry_after(self) -> timedelta | None:
        """Return the wait that the Retry-After header asks for, or None."""
        return parse_retry_after(self.header("retry-after"), self.header("date"), self.received_at)

    def json(self) -> object:
        """Return the JSON of the body, whatever its content type; ``NO_JSON`` if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return NO_JSON


#: A generator that yields requests, is sent responses and returns a value. Failures of the
#: transport are thrown into it.
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
        date: The Date header of the same response; an HTTP date is compared with it, so that
            neither our clock nor the server's has to be right.
        received_at: The instant to compare an HTTP date with if there is no Date header.

    Returns:
        The wait, never negative; None if the header is missing or malformed.
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

    Attributes are ignored: cookies go only to the host that set them, within one flow.
    Malformed cookies are skipped; the last one of a name counts.

    Args:
        set_cookies: The Set-Cookie headers, in order.
        earlier: The Cookie header that they are added to.
    """
    pairs = [header.partition(";")[0] for header in islice(set_cookies, _MAX_COOKIES)]
    jar: dict[str, str] = {}
    for pair in (*earlier.split(";"), *pairs):
        name, equals, value = pair.partition("=")
        name, value = name.strip(), value.strip()
        if equals and _COOKIE_NAME.fullmatch(name) and _COOKIE_VALUE.fullmatch(value):
            jar[name] = value
    return "; ".join(f"{name}={value}" for name, value in jar.items())
