"""Looks at the year from outside, with the world's own truth, and says what was broken."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.simyear.cloud import LIFE, Cloud, Session
from bench.simyear.machine import Machine

#: How long may a stretch be in which a token could be had, and none was?
STRETCH = timedelta(minutes=10)
#: What is left of a token when it must be renewed?
MUST = timedelta(hours=1)
#: How long may the variable lag behind while all is well? It is looked at once an hour, and a
#: host may have asked for an hour of peace.
LAG = timedelta(minutes=70)
#: How much of a good token may be withheld at its end? Clocks are compared by whole seconds.
WITHHELD = timedelta(minutes=1)
DAY = timedelta(days=1)
#: How many refused sign-ins of the daemon's own may an account see in a day?
REFUSED_A_DAY = 4
#: How many sign-ins may it see in half of a token's life?
BUDGET, BUDGET_SPAN = 12, LIFE / 2
_NOTHING = timedelta(0)


@dataclass(slots=True)
class Judge:
    """Asked at every look; the looks are what a reader of the socket would see.

    ``ran`` is for how long the process ran, ``had`` for how long of that a reader got a
    good token. ``longest_gap`` is the longest time without one, ``longest_miss`` the part
    of such a time in which all was well.
    """

    machine: Machine
    cloud: Cloud
    broken: list[str] = field(default_factory=list)
    ran: timedelta = _NOTHING
    had: timedelta = _NOTHING
    longest_gap: timedelta = _NOTHING
    longest_miss: timedelta = _NOTHING
    longest_lag: timedelta = _NOTHING
    _last: datetime | None = None
    _ran_then: bool = False
    _good_then: bool = False
    _gap_since: datetime | None = None
    _must_since: datetime | None = None
    _missed: bool = False
    _held_back_until: datetime | None = None
    _served_number: int = 0
    _last_served: Session | None = None
    _lag_since: datetime | None = None

    @property
    def in_gap(self) -> timedelta | None:
        """For how long no good token has been served to anybody, where that is so."""
        return None if self._gap_since is None else self.cloud.clock.truth() - self._gap_since

    def look(self) -> None:
        """One look at this instant."""
        now, served = self.cloud.clock.truth(), self.machine.served()
        good = self._serves_well(now, served)
        self._count(now, good=good)
        well_since = self._well_since(now)
        self._stretches(now, served, well_since)
        if self.machine.running:
            self._gap(now, well_since, good=good, served=served)
            self._variable(now, served, well_since)

    # --- what a reader gets ---

    def _serves_well(self, now: datetime, served: str | None) -> bool:
        session = self.cloud.sessions.get(served or "")
        if session is None:
            if self.machine.running:
                self._withheld(now)
            return False
        self._last_served = session
        if session.expires_at <= now:
            self._break(now, f"served {now - session.expires_at} past its expiry")
        if session.number < self._served_number and not self.machine.forgiven("token"):
            self._break(now, f"an older token is served again: {served}")
        self._served_number = session.number
        return session.revoked_at is None and session.expires_at > now

    def _withheld(self, now: datetime) -> None:
        """A token that this very process got is served as long as it is good.

        One that it loaded was measured with a clock that nobody vouches for.
        """
        session = self._last_served
        if session is None or session.expires_at - LIFE < self.machine.started:
            return
        if session.revoked_at is None and session.expires_at - now > WITHHELD:
            self._break(now, f"a token is withheld that is good for {session.expires_at - now}")
            self._last_served = None

    def _count(self, now: datetime, *, good: bool) -> None:
        """What was so at the last look counts as having been so until now."""
        if self._last is not None and self._ran_then:
            self.ran += now - self._last
            self.had += now - self._last if self._good_then else _NOTHING
        self._last, self._ran_then, self._good_then = now, self.machine.running, good

    def _gap(
        self, now: datetime, well_since: datetime | None, *, good: bool, served: str | None
    ) -> None:
        if good:
            self._gap_since = None
            return
        self._gap_since = self._gap_since or now
        self.longest_gap = max(self.longest_gap, now - self._gap_since)
        if served is not None:
            self._serves_revoked(now, served, well_since)
            return
        if well_since is not None:
            missed = now - max(self._must_since or now, self._gap_since, well_since)
            self.longest_miss = max(self.longest_miss, missed)
        if self._missed:
            self._break(now, "no valid token although one could be had for ten minutes")
            self._missed = False

    def _serves_revoked(self, now: datetime, served: str, well_since: datetime | None) -> None:
        """Nobody can know before the next proof."""
        revoked_at = self.cloud.sessions[served].revoked_at
        if revoked_at is None or well_since is None:
            return
        if now - max(revoked_at, well_since) > LAG:
            self._break(now, "a revoked token is served on")

    # --- could one be had? ---

    def _stretches(self, now: datetime, served: str | None, well_since: datetime | None) -> None:
        """Has a stretch of ten good minutes passed since the last token had to be renewed?"""
        session = self.cloud.sessions.get(served or "")
        if session is not None and now < session.expires_at - MUST:
            self._must_since, self._missed = None, False
            return
        self._must_since = self._must_since or now
        if well_since is not None:
            began = max(well_since, self._must_since)
            self._missed = self._missed or now - began > STRETCH

    def _well_since(self, now: datetime) -> datetime | None:
        """Since when nothing has stood in the way of a new token; None where something does."""
        machine, cloud = self.machine, self.cloud
        since = max(machine.since, cloud.unwell_until, self._peace(now))
        well = machine.running and machine.password == cloud.password and since <= now
        return since if well else None

    def _peace(self, now: datetime) -> datetime:
        """Until when a budget holds sign-ins back: believed only where sign-ins were seen."""
        keeper = self.machine.keeper
        until = keeper.view.refusing_until if keeper else None
        if until is not None and self._sign_ins_known(now) >= BUDGET / 2:
            self._held_back_until = now + timedelta(microseconds=1)
        return self._held_back_until or self.machine.since

    def _sign_ins_known(self, now: datetime) -> int:
        """The sign-ins of late; one that was under way at a kill counts, too."""
        since = now - BUDGET_SPAN
        recent = [one.at for one in self.cloud.logins[-40:]] + self.machine.kills[-40:]
        return sum(at > since for at in recent)

    # --- the variable ---

    def _variable(self, now: datetime, served: str | None, well_since: datetime | None) -> None:
        if served is None or self.cloud.variable == served or well_since is None:
            self._lag_since = None
            return
        self._lag_since = self._lag_since or now
        lag = now - max(self._lag_since, well_since)
        self.longest_lag = max(self.longest_lag, lag)
        if lag > LAG:
            self._break(now, "the variable lags behind although nothing stands in the way")
            self._lag_since = None

    # --- the end ---

    def end(self) -> None:
        """What can only be judged at the end."""
        self.look()
        self.broken += self.cloud.backwards
        self.broken += [f"a bug: {bug}" for bug in self.machine.bugs]
        if self.refused_a_day() > REFUSED_A_DAY:
            self.broken.append(f"{self.refused_a_day()} refused sign-ins within a day")
        if self.sign_ins_a_span() > BUDGET:
            self.broken.append(f"{self.sign_ins_a_span()} sign-ins within half of a token's life")

    def refused_a_day(self) -> int:
        """The most refused sign-ins within any 24 hours."""
        return _most([one.at for one in self.cloud.logins if not one.right], DAY)

    def sign_ins_a_span(self) -> int:
        """The most sign-ins within any half of a token's life."""
        return _most([one.at for one in self.cloud.logins], BUDGET_SPAN)

    def _break(self, now: datetime, what: str) -> None:
        if len(self.broken) < 20:
            self.broken.append(f"{now:%m-%d %H:%M:%S} {what}")


def _most(instants: list[datetime], span: timedelta) -> int:
    """The most of these within any such span; they are in order."""
    most = first = 0
    for last, at in enumerate(instants, 1):
        while at - instants[first] >= span:
            first += 1
        most = max(most, last - first)
    return most
