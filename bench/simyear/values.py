"""The hosts of a simulated year, and what happens at them, as values."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from bench.simyear.loop import BEGIN
from homey_tokend.core.secret import Secret

ACCOUNTS, API, HUB = "accounts.test", "api.test", "hub.test"
HOSTS = (ACCOUNTS, API, HUB)
SECOND = timedelta(seconds=1)
LIFE = timedelta(hours=24)
#: With a clock that is off by more than this, no certificate is valid.
CERTIFICATE_TOLERANCE = timedelta(days=30)
CLOUDID, VARIABLE = "c0ffee", "v-1"
TOTP_SECRET = Secret("JBSWY3DPEHPK3PXP")


@dataclass(slots=True)
class Login:
    """A password that was received and judged; ``unknown``: the answer did not say how."""

    at: datetime
    right: bool
    password: str = ""
    #: Whether these credentials are new: a person has just written them.
    fresh: bool = False
    forced: bool = False
    unknown: bool = False

    @property
    def rejected(self) -> bool:
        """Return whether the answer said so."""
        return not (self.right or self.unknown)

    @property
    def automatic(self) -> bool:
        """Return whether no person caused it."""
        return not (self.forced or self.fresh)


@dataclass(frozen=True, slots=True)
class Pause:
    """A wait that a host requested."""

    host: str
    at: datetime
    until: datetime


@dataclass(slots=True)
class Session:
    """A session of the Homey.

    The Homey rejects it before ``accepted_from``; ``delivered``: the daemon received the answer.
    """

    created_at: datetime
    number: int
    revoked_at: datetime | None = None
    accepted_from: datetime = BEGIN
    dead_session: bool = False
    delivered: bool = True

    @property
    def expires_at(self) -> datetime:
        return self.created_at + LIFE


@dataclass(frozen=True, slots=True)
class Fault:
    """What a host does to a request while it lasts: ``kind`` is one of ``faults.FAULTS``."""

    host: str
    kind: str
    until: datetime
    retry_after: str = ""
