"""The values everything speaks of: all frozen, none reads a clock or does I/O."""

import enum
import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import NoReturn

_MASK = "<secret>"


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


class Secret:
    """Text that does not print itself.

    ``reveal`` is the only way to the text, so that a search for it finds every
    place where a secret leaves its wrapper. Comparison takes constant time;
    pickling and formatting give nothing away.
    """

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that must send or store it."""
        return self._text

    def fingerprint(self) -> str:
        """Eight hex digits of SHA-256: tells two tokens apart, safe to log.

        Only for machine-made tokens: a person's password could be guessed from it.
        """
        return hashlib.sha256(self._bytes()).hexdigest()[:8]

    def _bytes(self) -> bytes:
        # Text out of the environment may hold bytes that are no UTF-8, as lone surrogates.
        return self._text.encode(errors="surrogatepass")

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._bytes(), other._bytes())

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({_MASK})"

    def __str__(self) -> str:
        return _MASK

    def __reduce__(self) -> NoReturn:
        msg = "a Secret is not pickled"
        raise TypeError(msg)


class SecretSource(enum.StrEnum):
    """Where a configured secret comes from (``docs/configuration.md``)."""

    PLAIN = "plain"
    FILE = "file"
    ENV = "env"
    CREDENTIAL = "credential"
    COMMAND = "command"


@dataclass(frozen=True, slots=True)
class SecretRef:
    """A secret as the configuration names it: resolved by ``credentials.py``, never here.

    ``plain`` is set for PLAIN; ``argument`` is the path, variable name or
    credential name; ``argv`` the command. ``place`` ("file:line:column key") is
    for messages.
    """

    source: SecretSource
    plain: Secret | None = None
    argument: str = ""
    argv: tuple[str, ...] = ()
    place: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The sign-in values of one Homey, resolved."""

    email: Secret
    password: Secret
    client_id: str
    client_secret: Secret
    redirect_url: str
    cloudid: str
    totp_secret: Secret | None = None


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


_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


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


@dataclass(frozen=True, slots=True)
class UserToken:
    """What the login gives: good for the consent pages only. Lives in memory."""

    value: Secret
    issued_at: datetime


@dataclass(frozen=True, slots=True)
class Grant:
    """What the code is exchanged for: the cloud's access token. Lives in memory.

    ``skew`` is the server's clock minus ours, where a trusted answer told it.
    """

    access_token: Secret
    expires_at: datetime
    refresh_token: Secret | None = None
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Bearer:
    """What the Homey login gives, before the state has numbered it.

    ``expiry_told``: Homey named the expiry, else it was assumed.
    ``proved``: the Homey took it at ``sessions/session/me``.
    ``discovered_url``: the address that ``/user/me`` named, where it was asked.
    """

    value: Secret
    url: str
    issued_at: datetime
    expires_at: datetime
    expiry_told: bool
    proved: bool
    discovered_url: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer that the state has numbered: what is stored, served and delivered.

    ``generation`` only ever grows; a token is good for ``url`` (a Homey's base
    URL without a last slash) until ``expires_at``.
    """

    value: Secret
    generation: int
    url: str
    issued_at: datetime
    expires_at: datetime
    expiry_told: bool = True

    @property
    def life(self) -> timedelta:
        """From issue to expiry."""
        return self.expires_at - self.issued_at

    def left(self, now: datetime) -> timedelta:
        """What remains at ``now``; negative after expiry."""
        return self.expires_at - now

    def valid(self, now: datetime) -> bool:
        """Whether it may still be served at ``now``."""
        return now < self.expires_at

    def fingerprint(self) -> str:
        """Eight hex digits that tell it from others, safe to log."""
        return self.value.fingerprint()


@dataclass(frozen=True, slots=True)
class Delivery:
    """A token on its way to a sink, with what that sink remembered last time."""

    homey: str
    token: Token
    memory: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A sink's success: a few words for the log, and what to remember."""

    detail: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)


class Health(enum.StrEnum):
    """How a Homey's keeping stands, for status, metrics and people."""

    #: A valid token is held and nothing is wrong.
    OK = "ok"
    #: No token yet, the first attempt is under way.
    STARTING = "starting"
    #: A valid token is held, and something failed: a refresh, the proof or a sink.
    TROUBLED = "troubled"
    #: A valid token is held that ends soon (the must-renew window), and refreshing fails.
    DEGRADED = "degraded"
    #: No valid token is held.
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last failure as it is shown: our own words, nothing secret."""

    at: datetime
    kind: str
    step: str
    message: str
    remedy: str
    status: int | None = None
    count: int = 1


@dataclass(frozen=True, slots=True)
class SinkView:
    """One sink as status shows it."""

    target: str
    generation: int | None
    delivered_at: datetime | None
    trouble: Trouble | None
    retry_at: datetime | None
    drifts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What the doors may show of one Homey: an immutable snapshot.

    ``next_at`` and ``next_why`` are policy's words on what is waited for.
    ``dies_at`` is the outage forecast: when the held token ends if nothing gets better.
    ``refusing_until`` is set while sign-ins are held back after a refusal.
    """

    name: str
    health: Health
    url: str
    token: Token | None
    proved_at: datetime | None
    refreshing: bool
    renew_at: datetime | None
    next_at: datetime | None
    next_why: str
    trouble: Trouble | None
    dies_at: datetime | None
    refusing_until: datetime | None
    refreshes: int
    sinks: tuple[SinkView, ...] = ()


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The answer to a person's ``refresh``.

    ``done``: a newer token than at the time of asking is held. ``too_soon``: nothing was
    started; ask again at this instant. Neither: it is still under way or has failed
    (``view.trouble`` tells).
    """

    view: View
    done: bool
    too_soon: datetime | None = None
