"""What happens to a Homey's token, as values: told to whoever listens, and never with the token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SignInStarted:
    """A password is about to go out for this Homey."""

    homey: str
    at: datetime


@dataclass(frozen=True, slots=True)
class TokenRenewed:
    """A fresh token is held and served; ``proved``: the Homey took it."""

    homey: str
    at: datetime
    generation: int
    fingerprint: str
    issued_at: datetime
    expires_at: datetime
    proved: bool


@dataclass(frozen=True, slots=True)
class RefreshFailed:
    """A refresh failed, for the ``failures``-th time in a row.

    ``action_needed``: a person is needed. ``next_try`` and ``outage_at`` are None
    where there is none.
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


@dataclass(frozen=True, slots=True)
class RefreshRecovered:
    """The first refresh that went well after so many that failed."""

    homey: str
    at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class TokenRevoked:
    """The Homey takes the held token no longer: it was thrown away."""

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


@dataclass(frozen=True, slots=True)
class DeliveryFailed:
    """A sink did not take the token; ``action_needed``: a person is needed."""

    homey: str
    at: datetime
    sink: str
    generation: int
    kind: str
    message: str
    remedy: str
    action_needed: bool


Event = (
    SignInStarted
    | TokenRenewed
    | RefreshFailed
    | RefreshRecovered
    | TokenRevoked
    | TokenDelivered
    | DeliveryFailed
)
Emit = Callable[[Event], None]


def ignore_event(_happened: Event) -> None:
    """Nobody is told."""
