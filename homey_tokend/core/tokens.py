"""The results of the sign-in, and the delivery of a token to a sink."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from homey_tokend.core.secret import Secret

#: A token must be renewed in the last part of its lifetime: a tenth of it, at most an hour.
MUST_SHARE, MUST_MOST = 0.1, timedelta(hours=1)
#: A token is not replaced on request in the first part of its lifetime: a tenth, at most a minute.
YOUNG_SHARE, YOUNG_MOST = 0.1, timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class UserToken:
    """The result of the login, valid only for the consent page. Never stored."""

    value: Secret
    issued_at: datetime

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What no log line may show."""
        return (self.value,)


@dataclass(frozen=True, slots=True)
class Grant:
    """An access token of the cloud, with its refresh token; only the latter is ever stored.

    ``skew`` is the server's clock minus ours, if a trusted response shows it.
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
    """The result of the Homey login, before it gets its generation.

    ``expiry_reported``: the Homey reported the expiry; otherwise it is assumed. ``verified``:
    the Homey accepted the bearer at ``sessions/session/me``. ``discovered_url`` is the address
    from ``/user/me``, if that was requested.
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
    """Return how long after a refresh no other one is started on request."""
    return min(life * YOUNG_SHARE, YOUNG_MOST)


@dataclass(frozen=True, slots=True)
class Token:
    """A bearer with its generation, as it is stored, served and delivered.

    It is valid for ``url`` (a Homey's base URL without a trailing slash) until ``expires_at``.
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
        """Return the remaining time at ``now``; negative after expiry."""
        return self.expires_at - now

    def valid(self, now: datetime) -> bool:
        """Return whether it has not expired at ``now``."""
        return now < self.expires_at

    @property
    def must_renew_at(self) -> datetime:
        """Return when "should renew" becomes "must renew"."""
        return self.expires_at - min(self.life * MUST_SHARE, MUST_MOST)

    @property
    def young_until(self) -> datetime:
        """Return until when it is not replaced on request."""
        return self.issued_at + young_span(self.life)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A token for a sink, with the ``memory`` of the last delivery to it."""

    homey: str
    token: Token
    memory: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of a successful delivery: a text for the log, and what to remember."""

    detail: str = ""
    memory: Mapping[str, str] = field(default_factory=dict)
