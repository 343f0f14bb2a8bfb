"""The messages to a keeper: requests, the heartbeat, and the results of its own jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from homey_tokend.core.decision import Constraint, SignInProgress
from homey_tokend.core.errors import TokendError
from homey_tokend.core.tokens import Bearer, DeliveryResult


@dataclass(frozen=True, slots=True)
class RefreshRequested:
    """Somebody requests a token newer than generation ``than``; void after ``until``.

    ``forced``: a person requests it, and the attempt is not delayed by earlier failures.
    """

    until: datetime
    forced: bool
    than: int


@dataclass(frozen=True, slots=True)
class VerificationRequested:
    """The Homey rejected this generation in a call through the API proxy."""

    generation: int


@dataclass(frozen=True, slots=True)
class ClockChanged:
    """The wall clock was set, and is now ``offset`` ahead of the timeline."""

    offset: timedelta


@dataclass(frozen=True, slots=True)
class CredentialsRead:
    """The credentials were read outside an attempt."""

    changed: bool
    sign_in: SignInProgress


@dataclass(frozen=True, slots=True)
class RefreshFinished:
    """An attempt to renew has finished; ``since`` was the latest generation when it started."""

    since: int
    result: Bearer | Constraint | TokendError
    sign_in: SignInProgress


@dataclass(frozen=True, slots=True)
class VerificationFinished:
    """A verification has finished; ``result``: whether the Homey accepts the token, and until when."""

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
    """A check of a sink has finished; ``in_place``: whether the sink still has this generation."""

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
