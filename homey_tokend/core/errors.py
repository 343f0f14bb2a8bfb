"""The tree of errors; whether trying again can help is in the type.

::

    TokendError
    ├── Transient              retried automatically, when policy allows it
    │   ├── Unreachable        no response: network, DNS, TLS, time-out, proxy
    │   ├── ServerError        408, 425, 5xx
    │   ├── Throttled          429
    │   ├── InvalidResponse    2xx without the expected JSON (captive portal, truncated body)
    │   ├── UnreadableResponse not HTTP, or a response that is too large
    │   ├── HomeyOffline       the cloud cannot reach the Homey
    │   ├── SignInExpired      the result of an earlier step is no longer accepted: sign in again
    │   └── BearerDiscarded    the Homey does not accept the new bearer that it issued
    ├── Rejected               a person is needed
    │   ├── AccountRejected    e-mail, password or one-time code
    │   ├── ClientRejected     client ID, client secret or redirect URL
    │   ├── ConsentRejected    the consent was denied
    │   ├── HomeyRejected      the consent does not cover the Homey
    │   ├── BearerRejected     the Homey does not accept the bearer
    │   └── SinkRejected       a sink does not accept the token
    ├── ProtocolChanged        a response that no known server sends
    ├── SecretUnavailable      the file, variable or command of a secret cannot be read
    ├── SinkFailed             a sink failed in a way that may pass
    ├── StateUnusable          the state file is damaged, of another version, or cannot be written
    ├── AlreadyRunning         another daemon holds the lock or the socket
    ├── CannotServe            the socket cannot be created
    ├── ConfigurationInvalid   the configuration has errors
    └── IllegalEvent           an event that is impossible in this state (stale, or a bug)

The classes follow the classification of responses in ``docs/wire.md``. Messages contain no
secret: they consist of our own words, a status and a bounded, printable excerpt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class TokendError(Exception):
    """The base class of all failures that this program expects.

    Args:
        message: What happened, without a full stop.
        step: The step of the sign-in (``core.http_types.Step``), or "".
        remedy: What a person can do about it, or "".
        status: The HTTP status of the response, or None.
    """

    #: A stable name of the failure for logs, status and metrics.
    kind = "failed"

    def __init_subclass__(cls, kind: str = "") -> None:
        # A subclass without a kind of its own is a variant of its parent.
        if kind:
            cls.kind = kind

    def __init__(
        self, message: str, *, step: str = "", remedy: str = "", status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.step = step
        self.remedy = remedy
        self.status = status


class Transient(TokendError, kind="transient"):
    """A retry can help. ``retry_after``: how long the server asked us to wait."""

    def __init__(
        self,
        message: str,
        *,
        step: str = "",
        remedy: str = "",
        status: int | None = None,
        retry_after: timedelta | None = None,
    ) -> None:
        super().__init__(message, step=step, remedy=remedy, status=status)
        self.retry_after = retry_after


class Unreachable(Transient, kind="unreachable"):
    """There was no response.

    ``sent``: whether the request may have reached the server; if so, a request that uses up
    something (a password, a code) is not repeated.
    """

    def __init__(self, message: str, *, step: str = "", remedy: str = "", sent: bool) -> None:
        super().__init__(message, step=step, remedy=remedy)
        self.sent = sent


class ServerError(Transient, kind="server_error"):
    """The host answered 408, 425 or 5xx."""


class Throttled(Transient, kind="throttled"):
    """The host answered 429."""


class InvalidResponse(Transient, kind="invalid_response"):
    """A 2xx response with HTML or truncated JSON, such as from a captive portal."""


class UnreadableResponse(Transient, kind="unreadable_response"):
    """A response that is not HTTP, or a 2xx response that is too large or cannot be decoded.

    The host may have handled the request, so the next password waits.
    """


class HomeyOffline(Transient, kind="homey_offline"):
    """The cloud reports that it cannot reach the Homey (``mesh_node_offline``)."""


class SignInExpired(Transient, kind="sign_in_expired"):
    """The result of an earlier step is no longer accepted; the whole sign-in is needed."""


class BearerDiscarded(Transient, kind="bearer_discarded"):
    """The Homey does not accept the bearer that it has just issued."""


class Rejected(TokendError, kind="rejected"):
    """A retry with the same values does not help: a person has to act."""


class AccountRejected(Rejected, kind="account_rejected"):
    """The login rejects e-mail, password or one-time code."""


class ClientRejected(Rejected, kind="client_rejected"):
    """The client ID, client secret or redirect URL is rejected."""


class ConsentRejected(Rejected, kind="consent_rejected"):
    """The consent was denied (``access_denied``)."""


class HomeyRejected(Rejected, kind="homey_rejected"):
    """The consent does not cover this Homey."""


class BearerRejected(Rejected, kind="bearer_rejected"):
    """The Homey answers 401 to the bearer: the session has ended."""


class SinkRejected(Rejected, kind="sink_rejected"):
    """A sink does not accept the token until a person changes something."""


def needs_action(kind: str) -> bool:
    """Return whether a person has to act on failures of this kind: ``Rejected`` and its subclasses."""
    return kind == Rejected.kind or any(kind == each.kind for each in Rejected.__subclasses__())


class ProtocolChanged(TokendError, kind="protocol_changed"):
    """A response that no known server sends; retried like a transient failure."""


class SecretUnavailable(TokendError, kind="secret_unavailable"):
    """A secret could not be read; nothing was sent."""


class SinkFailed(TokendError, kind="sink_failed"):
    """A sink failed in a way that may pass (a full disk, a command's exit status)."""


class StateUnusable(TokendError, kind="state_unusable"):
    """The state file is damaged, of another version, or cannot be written."""


class AlreadyRunning(TokendError, kind="already_running"):
    """Another daemon holds the lock or answers on the socket."""


class CannotServe(TokendError, kind="cannot_serve"):
    """The socket or its directory cannot be created."""


class IllegalEvent(TokendError, kind="illegal_event"):
    """An event that is impossible in this state, which is left unchanged."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigFault:
    """One error in the configuration.

    ``line`` and ``column`` count from 1; 0 if the error has no position in a file.
    """

    source: str
    line: int
    column: int
    key: str
    message: str
    remedy: str

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}:{self.column}" if self.line else self.source
        key = f"{self.key}: " if self.key else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{place}: {key}{self.message}.{remedy}"


class ConfigurationInvalid(TokendError, kind="configuration_invalid"):
    """The configuration is invalid; all errors are reported at once."""

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))
