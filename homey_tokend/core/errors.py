"""Every failure by name; whether trying again can help is in the type.

::

    TokendError
    ├── Transient              tried again by itself, spaced by policy
    │   ├── Unreachable        no answer: network, DNS, TLS, time-out, proxy
    │   ├── ServerError        408, 425, 5xx: the host answered, and is unwell
    │   ├── Throttled          429
    │   ├── InvalidResponse    2xx, and not what belongs there (captive portal, cut body)
    │   ├── HomeyOffline       the cloud cannot reach the Homey
    │   ├── SignInExpired      what an earlier step gave is no longer taken: sign in anew
    │   └── BearerDiscarded    a new bearer that its own Homey does not take
    ├── Rejected               a person is needed
    │   ├── AccountRejected    e-mail, password or one-time code
    │   ├── ClientRejected     client id, client secret or redirect URL
    │   ├── ConsentRejected    the consent was denied
    │   ├── HomeyRejected      this consent does not cover the Homey
    │   ├── BearerRejected     the Homey does not take the bearer (any more)
    │   └── SinkRejected       one place the token is written to will not take it
    ├── ProtocolChanged        an answer that no known server gives
    ├── SecretUnavailable      a secret's file, variable or command gives nothing
    ├── SinkFailed             a sink failed in a way that may pass
    ├── StateUnusable          the state file is damaged, foreign or cannot be written
    ├── AlreadyRunning         another daemon holds the lock or the socket
    ├── CannotServe            the socket cannot be made
    ├── ConfigurationInvalid   the configuration has faults
    └── IllegalEvent           a state was told what cannot have happened (a bug)

The classes follow the sorting table of ``docs/wire.md``; ``answers`` is the
only place that picks one of them for an HTTP answer. Messages hold no secret:
they are made of our own words, a status and a bounded, printable excerpt.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta


class TokendError(Exception):
    """The root of every failure that this program expects.

    Args:
        message: What happened, in plain words.
        step: The step of the flow it happened in (``model.Step``), or "".
        remedy: What a person can do about it, or "".
        status: The HTTP status of the answer, or None.
    """

    #: A stable name of the failure for logs, status and metrics.
    kind = "failed"

    def __init__(
        self, message: str, *, step: str = "", remedy: str = "", status: int | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.step = step
        self.remedy = remedy
        self.status = status


class Transient(TokendError):
    """Trying again later can help.

    Args:
        message: What happened.
        step: The step of the flow.
        remedy: What a person can do, where there is something.
        status: The HTTP status, where there was an answer.
        retry_after: What the server asked us to wait: a span, an instant, or None.
    """

    kind = "transient"

    def __init__(
        self,
        message: str,
        *,
        step: str = "",
        remedy: str = "",
        status: int | None = None,
        retry_after: timedelta | datetime | None = None,
    ) -> None:
        super().__init__(message, step=step, remedy=remedy, status=status)
        self.retry_after = retry_after


class Unreachable(Transient):
    """No answer came.

    ``sent`` tells whether the request may have reached the server: a request
    that spends something (a password, a code) is repeated only when it did not.
    """

    kind = "unreachable"

    def __init__(self, message: str, *, step: str = "", remedy: str = "", sent: bool) -> None:
        super().__init__(message, step=step, remedy=remedy)
        self.sent = sent


class ServerError(Transient):
    """The host answered 408, 425 or 5xx."""

    kind = "server_error"


class Throttled(Transient):
    """The host answered 429."""

    kind = "throttled"


class InvalidResponse(Transient):
    """A 2xx with HTML or cut JSON where JSON belongs, as a captive portal gives."""

    kind = "invalid_response"


class HomeyOffline(Transient):
    """The cloud says that it cannot reach the Homey (``mesh_node_offline``)."""

    kind = "homey_offline"


class SignInExpired(Transient):
    """What an earlier step gave is no longer taken; the whole flow is needed."""

    kind = "sign_in_expired"


class BearerDiscarded(Transient):
    """The Homey does not take the bearer that it has just given."""

    kind = "bearer_discarded"


class Rejected(TokendError):
    """Trying again with the same values will not help: a person is needed."""

    kind = "rejected"


class AccountRejected(Rejected):
    """The login rejects e-mail, password or one-time code."""

    kind = "account_rejected"


class ClientRejected(Rejected):
    """Client id, client secret or redirect URL are rejected."""

    kind = "client_rejected"


class ConsentRejected(Rejected):
    """The consent was denied (``access_denied``)."""

    kind = "consent_rejected"


class HomeyRejected(Rejected):
    """The consent does not cover this Homey."""

    kind = "homey_rejected"


class BearerRejected(Rejected):
    """The Homey answers 401 to the bearer: the session is gone."""

    kind = "bearer_rejected"


class SinkRejected(Rejected):
    """A sink will not take the token until a person changes something."""

    kind = "sink_rejected"


class ProtocolChanged(TokendError):
    """An answer that no known server gives; retried like a transient failure."""

    kind = "protocol_changed"


class SecretUnavailable(TokendError):
    """A secret could not be read; nothing was sent."""

    kind = "secret_unavailable"


class SinkFailed(TokendError):
    """A sink failed in a way that may pass (a full disk, a command's exit status)."""

    kind = "sink_failed"


class StateUnusable(TokendError):
    """The state file is damaged, of another version, or cannot be written."""

    kind = "state_unusable"


class AlreadyRunning(TokendError):
    """Another daemon holds the lock or answers on the socket."""

    kind = "already_running"


class CannotServe(TokendError):
    """The socket or a folder of it cannot be made."""

    kind = "cannot_serve"


class IllegalEvent(TokendError):
    """A state was told an event that cannot have happened; it is unchanged."""

    kind = "illegal_event"


@dataclass(frozen=True, slots=True, order=True)
class ConfigFault:
    """One thing that is wrong with the configuration.

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


class ConfigurationInvalid(TokendError):
    """The configuration has faults; all of them are told at once."""

    kind = "configuration_invalid"

    def __init__(self, faults: Sequence[ConfigFault]) -> None:
        self.faults = tuple(sorted(faults))
        super().__init__("\n".join(map(str, self.faults)))
