"""What happens to a Homey's token, as values for whoever subscribes; none holds a token."""

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SignInStarted:
    """A password is about to be sent for this Homey."""

    homey: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TokenRenewed:
    """A fresh token is held and served; ``verified``: the Homey accepted it."""

    homey: str
    at: datetime
    generation: int
    fingerprint: str
    issued_at: datetime
    expires_at: datetime
    verified: bool
    note: str = ""


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """A refresh failed, for the ``failures``-th time in a row.

    ``urgent``: no valid token is held, or one that ends soon. ``next_try`` and
    ``outage_at`` are None where there is none.
    """

    homey: str
    at: datetime
    kind: str
    step: str
    message: str
    remedy: str
    action_needed: bool
    failures: int
    next_try: datetime | None
    outage_at: datetime | None
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class RefreshRecovered:
    """The first successful refresh after so many failures."""

    homey: str
    at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """The Homey no longer accepts the held token: it was discarded."""

    homey: str
    at: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class TokenDelivered:
    """A sink has the token of this generation."""

    homey: str
    at: datetime
    sink: str
    generation: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A sink did not take the token."""

    homey: str
    at: datetime
    sink: str
    generation: int
    kind: str
    message: str
    remedy: str
    action_needed: bool


class Level(enum.IntEnum):
    """How a log entry is logged; the values are those of ``logging``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class LogEntry:
    """Something for the log only."""

    homey: str
    at: datetime
    level: Level
    name: str
    fields: Mapping[str, object] = field(default_factory=dict)


Event = (
    SignInStarted
    | TokenRenewed
    | RefreshFailed
    | RefreshRecovered
    | TokenRevoked
    | TokenDelivered
    | DeliveryFailed
)
Subscriber = Callable[[Event], None]
Emit = Callable[[Event | LogEntry], None]


def ignore_event(_event: Event | LogEntry) -> None:
    """Do nothing: the default of ``emit``."""
