"""Looks at the year from outside, with the world's own truth, and says what was broken."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.simyear.cloud import Cloud
from bench.simyear.machine import Machine
from homey_tokend.policy import must_renew_at

#: How long may a stretch be in which a token could be had, and none was?
STRETCH = timedelta(minutes=10)
_DAY = timedelta(days=1)
#: How many refused sign-ins of the daemon's own may an account see in a day?
REFUSED_A_DAY = 4


@dataclass(slots=True)
class Judge:
    """Asked at every look; the looks are what a reader of the socket would see."""

    machine: Machine
    cloud: Cloud
    broken: list[str] = field(default_factory=list)
    looks: int = 0
    had: int = 0
    could: int = 0
    longest_gap: timedelta = timedelta(0)
    lag: timedelta = timedelta(0)
    _good_since: datetime | None = None
    _must_since: datetime | None = None
    _missed: bool = False
    _gap_since: datetime | None = None
    _served_number: int = 0
    _lag_since: datetime | None = None

    def look(self) -> None:
        """One look at this instant."""
        now, served = self.cloud.clock.truth(), self.machine.served()
        self._stretches(now)
        if self.machine.running:
            self._served(now, served)
            self._variable(now, served)

    def _served(self, now: datetime, served: str | None) -> None:
        self.looks += 1
        session = self.cloud.sessions.get(served or "")
        good = session is not None and not session.revoked and session.expires_at > now
        if session is not None and session.expires_at <= now:
            self._break(now, f"served {now - session.expires_at} past its expiry")
        if session is not None and not self.machine.disk.unsaved:
            if session.number < self._served_number:
                self._break(now, f"an older token is served again: {served}")
            self._served_number = session.number
        if good:
            self.had += 1
            self._gap_since = None
            return
        if served is not None:
            return  # revoked, and nobody can know before the next proof
        self._gap_since = self._gap_since or now
        if self._missed:
            self._break(now, "no valid token although one could be had for ten minutes")
            self._missed = False
        if self._good_since is not None:
            self.could += 1
            self.longest_gap = max(self.longest_gap, now - max(self._gap_since, self._good_since))

    def _stretches(self, now: datetime) -> None:
        """Has a stretch of ten good minutes passed since the held token had to be renewed?"""
        keeper = self.machine.keeper
        held = keeper.view.token if keeper else None
        ours = self.machine.clock.now()
        if held is not None and ours < must_renew_at(held):
            self._must_since, self._missed = None, False
        elif self._must_since is None:
            self._must_since = now
        if not self._could_be_had(now):
            self._good_since = None
            return
        self._good_since = self._good_since or now
        if self._must_since is not None:
            began = max(self._good_since, self._must_since)
            self._missed = self._missed or now - began > STRETCH

    def _could_be_had(self, now: datetime) -> bool:
        keeper = self.machine.keeper
        waiting = self.cloud.asked_to_wait_until
        return (
            keeper is not None
            and not self.cloud.trouble_of("accounts.test")
            and not self.cloud.trouble_of("api.test")
            and not self.cloud.trouble_of("hub.test")
            and not (waiting is not None and now < waiting)
            and self.machine.password == self.cloud.password
            and keeper.view.refusing_until is None
        )

    def _variable(self, now: datetime, served: str | None) -> None:
        if served is None or self.cloud.variable == served or self._good_since is None:
            self._lag_since = None
            return
        self._lag_since = self._lag_since or now
        self.lag = max(self.lag, now - self._lag_since)

    def end(self) -> None:
        """What can only be judged at the end."""
        self.broken += self.cloud.backwards
        self.broken += [f"a bug: {bug}" for bug in self.machine.bugs]
        most = self.refused_a_day()
        if most > REFUSED_A_DAY:
            self.broken.append(f"{most} refused sign-ins within a day")

    def refused_a_day(self) -> int:
        """The most refused sign-ins within any 24 hours."""
        refused = [at for at, right in self.cloud.logins if not right]
        return max(
            (sum(1 for other in refused if at <= other < at + _DAY) for at in refused), default=0
        )

    def _break(self, now: datetime, what: str) -> None:
        if len(self.broken) < 20:
            self.broken.append(f"{now:%m-%d %H:%M:%S} {what}")
