"""The words between policy and its keeper: what it is told, and what it answers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

#: The budget of sign-ins is for how long at least? A Homey whose clock is wrong may tell of
#: tokens that live for seconds: each would cost a password.
BUDGET_SPAN_LEAST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """What the configuration says to policy.

    ``checked`` names the sinks that can be looked at. ``homeys`` counts the Homeys of
    the same account; ``one_time`` tells that a one-time code is sent with the password;
    ``budget_span_least`` is for how long the budget of sign-ins is at least.
    """

    at: float = 0.5
    jitter: float = 0.05
    lifetime: timedelta = timedelta(hours=24)
    verify_every: timedelta | None = timedelta(minutes=15)
    retry_first: timedelta = timedelta(seconds=1)
    retry_most: timedelta = timedelta(minutes=5)
    sinks: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    homeys: int = 1
    one_time: bool = False
    budget_span_least: timedelta = BUDGET_SPAN_LEAST

    def fraction(self, draw: float) -> float:
        """The part of a token's life after which it is renewed, for one drawn number."""
        return self.at - self.jitter * draw


@dataclass(frozen=True, slots=True)
class Constraint:
    """The earliest instant of the next attempt. ``held``: by a refusal or the budget."""

    at: datetime
    why: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class Activity:
    """What lives in memory only: what is under way, and what the next attempt needs.

    ``password_needed``: no grant or user token is left from an earlier attempt.
    ``forced``: the attempt under way was asked for by a person. ``closed``: what
    kept the last attempt from sending a password, where something did.
    ``account_digest`` and ``site_digest`` name the sign-in values as last read, or
    are empty while they are unknown.
    """

    renewing: bool = False
    verifying: bool = False
    delivering: frozenset[str] = field(default_factory=frozenset)
    password_needed: bool = True
    forced: bool = False
    closed: Constraint | None = None
    account_digest: str = ""
    site_digest: str = ""


@dataclass(frozen=True, slots=True)
class Renew:
    """Get a new token now."""

    why: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write the held token to these sinks now."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask the Homey now whether the held token is good."""


@dataclass(frozen=True, slots=True)
class Check:
    """Look now whether these sinks still hold what was written to them."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``wake``. The next attempt to renew is at ``until``."""

    until: datetime | None
    why: str
    wake: datetime | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The next renewal is held back by a refusal or the budget; look again at ``wake``."""

    until: datetime
    why: str
    wake: datetime


Decision = Renew | Deliver | Verify | Check | Wait | Blocked
