"""The events of a Homey, for subscribers and the log; none contains a token."""

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
    """A Homey has a new token. ``verified``: the Homey accepted it."""

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

    ``outage_at`` is the expiry of the current token, ``next_try`` the next attempt.
    ``urgent``: there is no valid token, or it expires soon.
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
    """A refresh succeeded after failed ones."""

    homey: str
    at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """The Homey no longer accepts the current token, which was discarded."""

    homey: str
    at: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class TokenDelivered:
    """The token of this generation was delivered to a sink."""

    homey: str
    at: datetime
    sink: str
    generation: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """The token could not be delivered to a sink."""

    homey: str
    at: datetime
    sink: str
    generation: int
    kind: str
    message: str
    remedy: str
    action_needed: bool


class Level(enum.IntEnum):
    """The level of a log entry, with the values of ``logging``."""

    DEBUG = 10
    INFO = 20
    WARNING = 30
    ERROR = 40


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An event for the log only."""

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
