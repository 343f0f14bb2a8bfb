"""The messages to a keeper: requests, the heartbeat, and the results of its own jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from homey_tokend.core.decision import Constraint, SignInProgress
from homey_tokend.core.errors import TokendError
from homey_tokend.core.tokens import Bearer, DeliveryResult


@dataclass(frozen=True, slots=True)
class RefreshRequested:
    """A request for a token newer than generation ``than`` before ``until``.

    ``forced``: a person asked.
    """

    until: datetime
    forced: bool
    than: int


@dataclass(frozen=True, slots=True)
class VerificationRequested:
    """A Homey rejected this generation in a call of the API proxy."""

    generation: int


@dataclass(frozen=True, slots=True)
class ClockChanged:
    """The wall clock was set, and is ``offset`` ahead of the timeline now."""

    offset: timedelta


@dataclass(frozen=True, slots=True)
class CredentialsRead:
    """The credentials were read outside an attempt."""

    changed: bool
    sign_in: SignInProgress


@dataclass(frozen=True, slots=True)
class RefreshFinished:
    """An attempt to renew ended; it started when ``since`` was the latest generation."""

    since: int
    result: Bearer | Constraint | TokendError
    sign_in: SignInProgress


@dataclass(frozen=True, slots=True)
class VerificationFinished:
    """The Homey was asked whether it accepts this generation, and until when."""

    generation: int
    result: tuple[bool, datetime | None] | TokendError


@dataclass(frozen=True, slots=True)
class DeliveryFinished:
    """This generation was delivered to a sink, or could not be."""

    target: str
    generation: int
    result: DeliveryResult | TokendError


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """A sink was checked: whether it still has this generation."""

    target: str
    generation: int
    in_place: bool | TokendError


Message = (
    RefreshRequested
    | VerificationRequested
    | ClockChanged
    | CredentialsRead
    | RefreshFinished
    | VerificationFinished
    | DeliveryFinished
    | CheckFinished
)
