"""Messages to a keeper: from requests, from the heartbeat, and from its own jobs."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from homey_tokend.core.decision import Constraint
from homey_tokend.core.errors import TokendError
from homey_tokend.core.tokens import Bearer, DeliveryResult


@dataclass(frozen=True, slots=True)
class RefreshRequested:
    """Somebody wants a token newer than ``than`` before ``until``; a person's ask is forced."""

    until: datetime
    forced: bool
    than: int


@dataclass(frozen=True, slots=True)
class VerificationRequested:
    """A Homey rejected this generation when a caller of the door used it."""

    generation: int


@dataclass(frozen=True, slots=True)
class ClockChanged:
    """The wall clock was set by ``by``."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class CredentialsRead:
    """The credentials were read again."""

    changed: bool


@dataclass(frozen=True, slots=True)
class RefreshFinished:
    """An attempt to renew has ended; it began when ``since`` was the newest generation."""

    since: int
    result: Bearer | Constraint | TokendError


@dataclass(frozen=True, slots=True)
class VerificationFinished:
    """The Homey was asked whether it takes this generation, and until when."""

    generation: int
    result: tuple[bool, datetime | None] | TokendError


@dataclass(frozen=True, slots=True)
class DeliveryFinished:
    """A sink was given this generation."""

    target: str
    generation: int
    result: DeliveryResult | TokendError


@dataclass(frozen=True, slots=True)
class CheckFinished:
    """A sink was looked at: does it still hold this generation?"""

    target: str
    generation: int
    in_place: bool | TokendError


#: What an errand for the token brings back.
JobResult = RefreshFinished | VerificationFinished | DeliveryFinished | CheckFinished
Message = RefreshRequested | VerificationRequested | ClockChanged | CredentialsRead | JobResult
