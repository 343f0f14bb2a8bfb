"""The tree of errors; whether trying again can help is in the type.

::

    TokendError
    ├── Transient              tried again by itself, spaced by policy
    │   ├── Unreachable        no answer: network, DNS, TLS, time-out, proxy
    │   ├── ServerError        408, 425, 5xx: the host answered, and is in trouble
    │   ├── Throttled          429
    │   ├── InvalidResponse    2xx without the JSON that belongs there (captive portal, cut body)
    │   ├── UnreadableResponse no HTTP, or beyond the bounds of what is read
    │   ├── HomeyOffline       the cloud cannot reach the Homey
    │   ├── SignInExpired      what an earlier step gave is no longer accepted: sign in again
    │   └── BearerDiscarded    a new bearer that its own Homey does not accept
    ├── Rejected               a person is needed
    │   ├── AccountRejected    e-mail, password or one-time code
    │   ├── ClientRejected     client id, client secret or redirect URL
    │   ├── ConsentRejected    the consent was denied
    │   ├── HomeyRejected      this consent does not cover the Homey
    │   ├── BearerRejected     the Homey does not accept the bearer (any more)
    │   └── SinkRejected       one place that the token is written to does not accept it
    ├── ProtocolChanged        an answer that no known server gives
    ├── SecretUnavailable      a secret's file, variable or command gives nothing
    ├── SinkFailed             a sink failed in a way that may pass
    ├── StateUnusable          the state file is damaged, foreign or cannot be written
    ├── AlreadyRunning         another daemon holds the lock or the socket
    ├── CannotServe            the socket cannot be made
    ├── ConfigurationInvalid   the configuration has faults
    └── IllegalEvent           an event that cannot have happened in this state (a bug)

The classes follow the classification of responses of ``docs/wire.md``; ``athom`` is the
only place that picks one of them for an HTTP answer. Messages hold no secret:
they are made of our own words, a status and a bounded, printable excerpt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta


class TokendError(Exception):
    """The root of every failure that this program expects.

    Args:
        message: What happened, in plain words.
        step: The step of the sign-in (``core.http_types.Step``), or "".
        remedy: What a person can do about it, or "".
        status: The HTTP status of the answer, or None.
    """

    #: A stable name of the failure for logs, status and metrics.
    kind = "failed"

    def __init_subclass__(cls, kind: str = "") -> None:
        # Without one, a subclass is a variant of its parent and called like it.
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
    """Trying again later can help. ``retry_after``: how long the server asked us to wait."""

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

    ``sent``: whether the request may have reached the server: a request
    that spends something (a password, a code) is repeated only when it did not.
    """

    def __init__(self, message: str, *, step: str = "", remedy: str = "", sent: bool) -> None:
        super().__init__(message, step=step, remedy=remedy)
        self.sent = sent


class ServerError(Transient, kind="server_error"):
    """The host answered 408, 425 or 5xx."""


class Throttled(Transient, kind="throttled"):
    """The host answered 429."""


class InvalidResponse(Transient, kind="invalid_response"):
    """A 2xx with HTML or truncated JSON, as from a captive portal."""


class UnreadableResponse(Transient, kind="unreadable_response"):
    """An answer that is not HTTP, or a 2xx beyond the bounds of what is read.

    The host may have acted upon the request: after a password the next try waits.
    """


class HomeyOffline(Transient, kind="homey_offline"):
    """The cloud says that it cannot reach the Homey (``mesh_node_offline``)."""


class SignInExpired(Transient, kind="sign_in_expired"):
    """The result of an earlier step is no longer accepted; the whole sign-in is needed."""


class BearerDiscarded(Transient, kind="bearer_discarded"):
    """The Homey does not accept the bearer that it has just given."""


class Rejected(TokendError, kind="rejected"):
    """Trying again with the same values will not help: a person is needed."""


class AccountRejected(Rejected, kind="account_rejected"):
    """The login rejects e-mail, password or one-time code."""


class ClientRejected(Rejected, kind="client_rejected"):
    """Client id, client secret or redirect URL are rejected."""


class ConsentRejected(Rejected, kind="consent_rejected"):
    """The consent was denied (``access_denied``)."""


class HomeyRejected(Rejected, kind="homey_rejected"):
    """The consent does not cover this Homey."""


class BearerRejected(Rejected, kind="bearer_rejected"):
    """The Homey answers 401 to the bearer: the session is gone."""


class SinkRejected(Rejected, kind="sink_rejected"):
    """A sink does not accept the token until a person changes something."""


def needs_action(kind: str) -> bool:
    """Return whether failures of this kind need a person: ``Rejected`` and its subclasses."""
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
    """The socket or a directory of it cannot be made."""


class IllegalEvent(TokendError, kind="illegal_event"):
    """An event that is impossible in this state, which is left unchanged."""


@dataclass(frozen=True, slots=True, order=True)
class ConfigFault:
    """One error in the configuration.

    ``line`` and ``column`` count from 1; 0 where the fault has no place in a file.
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
