"""What policy decides from, besides the state, and its decisions."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homey_tokend.core.account import Digests
from homey_tokend.core.homey import HomeyState

#: The minimum span of the sign-in budget: a Homey whose clock is wrong may report tokens that
#: live for seconds, and each would cost a password.
BUDGET_SPAN_LEAST = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """The settings of policy for one Homey.

    ``checked`` names the sinks that can be checked, ``reporting`` those that write the token's
    expiry. ``homeys`` is the number of Homeys with the same account. ``one_time``: a one-time
    code is sent with the password.
    """

    at: float = 0.5
    jitter: float = 0.05
    lifetime: timedelta = timedelta(hours=24)
    verify_every: timedelta | None = timedelta(minutes=15)
    retry_first: timedelta = timedelta(seconds=1)
    retry_most: timedelta = timedelta(minutes=5)
    sinks: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    reporting: tuple[str, ...] = ()
    homeys: int = 1
    one_time: bool = False
    budget_span_least: timedelta = BUDGET_SPAN_LEAST

    def fraction(self, random: float) -> float:
        """Return the share of a token's lifetime after which it is renewed, for a random number."""
        return self.at - self.jitter * random


@dataclass(frozen=True, slots=True)
class Constraint:
    """The earliest instant of the next attempt. ``blocking``: because of a rejection or the budget."""

    at: datetime
    why: str
    blocking: bool = False


@dataclass(frozen=True, slots=True)
class SignInProgress:
    """What an attempt can start from.

    ``digests`` identify the credentials as last read. Until ``resume_until`` an attempt needs
    no password, because an earlier one left a grant or a user token.
    """

    digests: Digests = field(default_factory=Digests)
    resume_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Activity:
    """What is in memory only: what is running, and what the next attempt starts from.

    ``forced``: a person requested the running attempt. ``blocked`` is what kept the last
    attempt from sending a password, if anything did. ``outdated`` names the sinks to which an
    expiry is being written that has changed since. ``refreshes`` and ``verifications`` count
    those that have finished, successfully or not. ``offset`` is how far the wall clock is ahead
    of the timeline; one-time codes depend on it.
    """

    refreshing: bool = False
    reading: bool = False
    verifying: bool = False
    delivering: frozenset[str] = field(default_factory=frozenset)
    outdated: frozenset[str] = field(default_factory=frozenset)
    forced: bool = False
    blocked: Constraint | None = None
    sign_in: SignInProgress = field(default_factory=SignInProgress)
    refreshes: int = 0
    verifications: int = 0
    offset: timedelta = timedelta(0)

    @property
    def busy(self) -> bool:
        """Return whether anything is running."""
        return self.refreshing or self.reading or self.verifying or bool(self.delivering)

    def password_needed(self, now: datetime) -> bool:
        """Return whether an attempt at ``now`` has to send a password."""
        until = self.sign_in.resume_until
        return until is None or now >= until

    def account_of(self, state: HomeyState) -> str:
        """Return the key of the account; empty while it is unknown."""
        return self.sign_in.digests.account or state.account


@dataclass(frozen=True, slots=True)
class Renew:
    """Get a new token now."""

    why: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Deliver the current token to these sinks now."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask the Homey now whether it accepts the current token."""


@dataclass(frozen=True, slots=True)
class Check:
    """Check now whether these sinks still have what was written to them."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wait:
    """Wait until ``wake``; None: until an event. The next attempt to renew is at ``until``."""

    until: datetime | None
    why: str
    wake: datetime | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """Wait until ``wake``; a rejection or the budget blocks the next attempt until ``until``."""

    until: datetime
    why: str
    wake: datetime


Decision = Renew | Deliver | Verify | Check | Wait | Blocked
