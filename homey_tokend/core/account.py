"""The state of one account: rejections, counted sign-ins, used one-time steps.

An account is an accounts endpoint and an e-mail address; several Homeys may share it. A
rejection belongs to the credentials that were rejected (a digest of e-mail, password and
one-time secret): other credentials can be tried at once. There is one method for each event;
it returns a new state, and an illegal event raises and changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from homey_tokend.core.errors import IllegalEvent
from homey_tokend.core.failure import LastError
from homey_tokend.core.timeline import shift

#: The waits between automatic attempts after a rejection; the last one repeats
#: (docs/architecture.md, "To whom a rejection belongs").
RETRY_LADDER = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(days=1))
#: The rejections within a day after which no sign-in is sent for the rest of it, whatever the
#: credentials: as many as the retry ladder allows for one set of credentials.
REJECTED_A_DAY = 4
#: The attempts that a person can force within a day while the account is rejected.
FORCED_A_DAY = 2
_DAY = timedelta(days=1)
#: The number of one-time steps to remember: eight minutes, in case the clock is set back.
_STEPS = 16
_DIGESTS = 8
_SIGN_INS = 200


@dataclass(frozen=True, slots=True)
class Digests:
    """Three digests of the credentials, each of more values than the one before; empty: unknown.

    ``account``: endpoint and e-mail. ``password``: all that the login sends. ``site``: all that
    the whole sign-in sends.
    """

    account: str = ""
    password: str = ""
    site: str = ""


@dataclass(frozen=True, slots=True)
class Rejection:
    """Rejected credentials, with the latest error and how often it occurred.

    ``digest`` identifies the credentials without revealing them.
    """

    digest: str
    last_error: LastError

    @property
    def until(self) -> datetime:
        """Return when the next automatic attempt is due."""
        return self.last_error.at + RETRY_LADDER[min(self.last_error.count, len(RETRY_LADDER)) - 1]

    def not_after(self, now: datetime) -> "Rejection":
        """Move a rejection from the future, measured with a wrong clock, to ``now``."""
        return shift(self, min(timedelta(0), now - self.last_error.at))


@dataclass(frozen=True, slots=True)
class AccountState:
    """The state of one account.

    ``rejections`` are by the digest of the credentials. ``rejected_at`` has the latest
    rejections of any credentials since a login was last accepted, ``sign_ins`` the times at
    which a password was sent, ``forced`` the attempts that a person forced.
    """

    rejections: Mapping[str, Rejection] = field(default_factory=dict)
    rejected_at: tuple[datetime, ...] = ()
    sign_ins: tuple[datetime, ...] = ()
    one_time_steps: tuple[int, ...] = ()
    forced: tuple[datetime, ...] = ()

    # --- queries ---

    def rejection(self, digest: str) -> Rejection | None:
        """Return the rejection of these credentials, or None."""
        return self.rejections.get(digest)

    def rejected_until(self, digest: str) -> datetime | None:
        """Return when rejected credentials can be tried again; None if they were not rejected.

        The retry ladder belongs to the credentials, the daily limit to the account: two wrong
        passwords, or one that is corrected wrongly, cost no more sign-ins than one does.
        """
        rejection = self.rejection(digest)
        if rejection is None:
            return None
        if len(self.rejected_at) < REJECTED_A_DAY:
            return rejection.until
        return max(rejection.until, self.rejected_at[-REJECTED_A_DAY] + _DAY)

    def sign_ins_since(self, since: datetime) -> tuple[datetime, ...]:
        """Return the sign-ins after an instant, oldest first."""
        return tuple(sorted(at for at in self.sign_ins if at > since))

    def may_force_at(self, now: datetime) -> datetime:
        """Return when a person can force the next attempt: ``now``, or once the oldest is a day old."""
        recent = [at for at in self.forced if at > now - _DAY]
        return now if len(recent) < FORCED_A_DAY else recent[-FORCED_A_DAY] + _DAY

    # --- events ---

    def signing_in(self, at: datetime, one_time_step: int | None) -> "AccountState":
        """Record that a password is about to be sent; the caller stores this before sending it.

        Raises:
            IllegalEvent: The one-time step was already used.
        """
        if one_time_step is not None and one_time_step in self.one_time_steps:
            raise IllegalEvent("the one-time step was already used")
        steps = (
            self.one_time_steps if one_time_step is None else (*self.one_time_steps, one_time_step)
        )
        return replace(
            self,
            sign_ins=(*(one for one in self.sign_ins if one > at - 2 * _DAY), at)[-_SIGN_INS:],
            one_time_steps=steps[-_STEPS:],
        )

    def not_judged(self) -> "AccountState":
        """Remove the latest sign-in: the host did not judge the password (no response, 5xx).

        An account has at most one sign-in in progress, so the latest is the one. Its instant
        cannot identify it, because a corrected clock may have moved it.

        Raises:
            IllegalEvent: There is no sign-in.
        """
        if not self.sign_ins:
            raise IllegalEvent("no sign-in was started")
        return replace(self, sign_ins=self.sign_ins[:-1])

    def rejected(self, digest: str, last_error: LastError) -> "AccountState":
        """Record that the login rejected these credentials."""
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
        """Move future instants, measured with a wrong clock, back so that the latest is ``now``.

        No wait grows by that. All move by the same amount: if our own clock is behind (a boot
        without a battery-backed clock), the sign-ins of several days must not all become recent.
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
