"""The state of one account: rejections, counted sign-ins, used one-time steps.

An account is an accounts endpoint and an e-mail address; several Homeys may
share it. A rejection belongs to the *values* that were rejected (a digest of e-mail,
password and one-time secret): with other values the next try is free at once.
One method per event; an illegal event raises and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from homey_tokend.core.errors import IllegalEvent
from homey_tokend.core.failure import LastError
from homey_tokend.core.timeline import shift

#: When is a rejected sign-in tried again by itself? Then daily (docs/architecture.md, lock-out).
RETRY_LADDER = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
#: How many sign-ins may be rejected within a day before the account is left alone for the rest
#: of it, whatever values were sent? As many as the ladder spends on one set of values.
REJECTED_A_DAY = 4
#: How many tries may a person force within a day while the account is rejected?
FORCED_A_DAY = 2
_DAY = timedelta(days=1)
#: How many one-time steps are remembered? Eight minutes of them: a clock set back is covered.
_STEPS = 16
_DIGESTS = 8
_SIGN_INS = 200


@dataclass(frozen=True, slots=True)
class Digests:
    """Three digests of the credentials, each of more values than the one before; empty: unknown.

    ``account``: endpoint and e-mail. ``password``: all values of the login.
    ``site``: all values of the whole sign-in.
    """

    account: str = ""
    password: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """A person is needed: what was rejected, how often, and when last.

    ``digest`` names the values that were rejected, without telling them.
    """

    digest: str
    last_error: LastError

    @property
    def until(self) -> datetime:
        """Return when the next automatic attempt is due."""
        return self.last_error.at + RETRY_LADDER[min(self.last_error.count, len(RETRY_LADDER)) - 1]

    def not_after(self, now: datetime) -> "Rejection":
        """Return one from a clock that was ahead as one of ``now``."""
        return shift(self, min(timedelta(0), now - self.last_error.at))


@dataclass(frozen=True, slots=True)
class AccountState:
    """One account; ``sign_ins`` are the times at which a password was sent.

    ``rejected_at`` are the newest rejections since the account last took anything,
    of whatever values.
    """

    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    rejected_at: tuple[datetime, ...] = ()
    sign_ins: tuple[datetime, ...] = ()
    one_time_steps: tuple[int, ...] = ()
    forced: tuple[datetime, ...] = ()

    # --- questions ---

    def rejection(self, digest: str) -> Rejection | None:
        """Return the rejection of these credentials, if they were rejected."""
        return self.rejections.get(digest)

    def rejected_until(self, digest: str) -> datetime | None:
        """Return until when rejected credentials are not tried again; None for other ones.

        The ladder is theirs, the most of a day is the account's: neither two wrong
        passwords nor one that is corrected wrongly cost more than one does.
        """
        rejection = self.rejection(digest)
        if rejection is None:
            return None
        if len(self.rejected_at) < REJECTED_A_DAY:
            return rejection.until
        return max(rejection.until, self.rejected_at[-REJECTED_A_DAY] + _DAY)

    def sign_ins_since(self, since: datetime) -> tuple[datetime, ...]:
        """Return the counted sign-ins after an instant, oldest first."""
        return tuple(sorted(at for at in self.sign_ins if at > since))

    def may_force_at(self, now: datetime) -> datetime:
        """Return when a person may force the next attempt: ``now``, or when the oldest is a day old."""
        recent = [at for at in self.forced if at > now - _DAY]
        return now if len(recent) < FORCED_A_DAY else recent[-FORCED_A_DAY] + _DAY

    # --- events ---

    def signing_in(self, at: datetime, one_time_step: int | None) -> "AccountState":
        """Count a password that is about to be sent; stored before it is.

        Raises:
            IllegalEvent: this one-time step was used already.
        """
        if one_time_step is not None and one_time_step in self.one_time_steps:
            raise IllegalEvent("a one-time step is never used twice")
        steps = (
            self.one_time_steps if one_time_step is None else (*self.one_time_steps, one_time_step)
        )
        return replace(
            self,
            sign_ins=(*(one for one in self.sign_ins if one > at - 2 * _DAY), at)[-_SIGN_INS:],
            one_time_steps=steps[-_STEPS:],
        )

    def not_judged(self) -> "AccountState":
        """Do not count the latest sign-in, which was not judged (no response, 5xx).

        An account has one under way at a time, so it needs no name; its instant
        may have been moved since it began.
        """
        if not self.sign_ins:
            raise IllegalEvent("no sign-in was begun")
        return replace(self, sign_ins=self.sign_ins[:-1])

    def rejected(self, digest: str, last_error: LastError) -> "AccountState":
        """Record that the login rejected these credentials, again or for the first time."""
        before = self.rejections.get(digest)
        count = before.last_error.count + 1 if before else 1
        others = [one for key, one in self.rejections.items() if key != digest]
        others.sort(key=lambda one: one.last_error.at)
        kept = [*others[-(_DIGESTS - 1) :], Rejection(digest, replace(last_error, count=count))]
        return replace(
            self,
            rejections={one.digest: one for one in kept},
            rejected_at=(*self.rejected_at, last_error.at)[-REJECTED_A_DAY:],
        )

    def accepted(self, digest: str) -> "AccountState":
        """Record that the login accepted these credentials."""
        return replace(
            self,
            rejections={key: one for key, one in self.rejections.items() if key != digest},
            rejected_at=(),
        )

    def was_forced(self, at: datetime) -> "AccountState":
        """Record that a person forced an attempt while the account was rejected."""
        return replace(self, forced=(*self.forced, at)[-FORCED_A_DAY:])

    def not_after(self, now: datetime) -> "AccountState":
        """Move instants of a clock that was ahead back until none is, so that no wait grows.

        They keep their distances, so that days of sign-ins do not become sign-ins of now
        where it is our clock that is behind (a boot without a clock that runs on).
        """
        known = [*self.sign_ins, *self.forced, *self.rejected_at]
        known += [one.last_error.at for one in self.rejections.values()]
        ahead = max(known, default=now) - now

        def back(at: datetime) -> datetime:
            return at - ahead if at > now else at

        return AccountState(
            rejections={
                key: Rejection(key, replace(one.last_error, at=back(one.last_error.at)))
                for key, one in self.rejections.items()
            },
            rejected_at=tuple(sorted(map(back, self.rejected_at))),
            sign_ins=tuple(sorted(map(back, self.sign_ins))),
            one_time_steps=self.one_time_steps,
            forced=tuple(sorted(map(back, self.forced))),
        )
