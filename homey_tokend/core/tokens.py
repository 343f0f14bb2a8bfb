"""The result of each step of the sign-in, and the token on its way to a sink."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homey_tokend.core.secret import Secret

#: The last part of a lifetime is "must renew": a tenth of it, one hour at most.
MUST_SHARE, MUST_MOST = 0.1, timedelta(hours=1)
#: A token is not replaced on request in this first part of its lifetime, a minute at most.
YOUNG_SHARE, YOUNG_MOST = 0.1, timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class UserToken:
    """The result of the login, valid for the consent pages only. Never stored."""

    value: Secret
    issued_at: datetime

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may show."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Grant:
    """The result of the code exchange: the cloud's access token. Never stored.

    ``skew`` is the server's clock minus ours, as far as a trusted answer shows it.
    """

    access_token: Secret
    expires_at: datetime
    refresh_token: Secret | None = None
    skew: timedelta | None = None

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may show."""
        both = self.access_token, self.refresh_token
        return tuple(one for one in both if one is not None)


@dataclass(frozen=True, slots=True)
class Bearer:
    """The result of the Homey login, before the state has numbered it.

    ``expiry_reported``: Homey named the expiry, else it was assumed.
    ``verified``: the Homey accepted it at ``sessions/session/me``.
    ``discovered_url``: the address that ``/user/me`` named, where it was asked.
    """

    value: Secret
    url: str
    issued_at: datetime
    expires_at: datetime
    expiry_reported: bool
    verified: bool
    discovered_url: str | None = None
    note: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may show."""
        return (self.value,)


def young_span(life: timedelta) -> timedelta:
    """Return how long after a refresh no other is started on request."""
    return min(life * YOUNG_SHARE, YOUNG_MOST)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer that the state has numbered: what is stored, served and delivered.

    ``generation`` only ever grows; a token is good for ``url`` (a Homey's base
    URL without a last slash) until ``expires_at``.
    """

    value: Secret
    generation: int
    url: str
    issued_at: datetime
    expires_at: datetime
    expiry_reported: bool = True

    @property
    def life(self) -> timedelta:
        """Return the time from issue to expiry."""
        return self.expires_at - self.issued_at

    def left(self, now: datetime) -> timedelta:
        """Return what remains at ``now``; negative after expiry."""
        return self.expires_at - now

    def valid(self, now: datetime) -> bool:
        """Return whether it may still be served at ``now``."""
        return now < self.expires_at

    @property
    def must_renew_at(self) -> datetime:
        """Return when "should renew" becomes "must renew"."""
        return self.expires_at - min(self.life * MUST_SHARE, MUST_MOST)

    @property
    def young_until(self) -> datetime:
        """Return until when it is too young to be replaced on request."""
        return self.issued_at + young_span(self.life)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A token on its way to a sink, with what that sink remembered last time."""

    homey: str
    token: Token
    memory: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """A sink's success: a few words for the log, and what to remember."""

    detail: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)
