"""Looks at the year from outside, with the world's own truth, and says what was broken."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from bench.simyear.cloud import LIFE, SECOND, Cloud, Login, Session
from bench.simyear.faults import UNKNOWN_GAP
from bench.simyear.loop import BEGIN
from bench.simyear.machine import NAME, VERIFY, Machine

#: How long may a stretch be in which a token could be had, and none was?
STRETCH = timedelta(minutes=10)
#: What is left of a token when it must be renewed?
MUST = timedelta(hours=1)
#: How long may the variable lag behind while all is well? It is looked at once an hour, and a
#: host may have asked for an hour of rest.
LAG = VERIFY + timedelta(minutes=10)
#: By when is a token renewed where nothing stands in the way? Half of its life, and the longest
#: spacing after a failure.
RENEWED = LIFE / 2 + LAG
#: How long after the Homey gave a token do readers get it? Its verification is asked three times, and
#: each answer may take as long as an answer may.
GIVEN = timedelta(minutes=6)
#: How much of a good token may be withheld at its end? Clocks are compared by whole seconds.
WITHHELD = timedelta(minutes=1)
DAY = timedelta(days=1)
#: How many rejected sign-ins of the daemon's own may an account see in a day?
REJECTED_A_DAY = 4
#: And how many that a person forced, before the next one was due?
FORCED_A_DAY = 2
SPACING = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), DAY)
#: How many requests may an unwell host see in an hour?
IN_VAIN = 400
#: How many sign-ins may it see in half of a token's life?
BUDGET, BUDGET_SPAN = 12, LIFE / 2
_NOTHING = timedelta(0)


@dataclass(slots=True)
class Judge:
    """Asked at every look; the looks are what a reader of the socket would see.

    ``ran`` is for how long the process ran, ``had`` for how long of that a reader got a
    good token, ``could`` for how long one was held or could be had. ``longest_gap`` is the longest time without one, ``longest_miss`` the part
    of such a time in which all was well.
    """

    machine: Machine
    cloud: Cloud
    #: Called with each verdict, at once.
    on_verdict: Callable[[str], None] = lambda _verdict: None
    broken: list[str] = field(default_factory=list)
    ran: timedelta = _NOTHING
    could: timedelta = _NOTHING
    had: timedelta = _NOTHING
    longest_gap: timedelta = _NOTHING
    longest_miss: timedelta = _NOTHING
    longest_lag: timedelta = _NOTHING
    _last: datetime | None = None
    _ran_then: bool = False
    _good_then: bool = False
    _well_then: bool = False
    _gap_since: datetime | None = None
    _must_since: datetime | None = None
    _missed: bool = False
    _waits_until: datetime | None = None
    _served_number: int = 0
    _last_served: Session | None = None
    _on_disk: tuple[int, int] = (0, 0)
    _lag_since: datetime | None = None

    @property
    def in_gap(self) -> timedelta | None:
        """For how long no good token has been served to anybody, where that is so."""
        return None if self._gap_since is None else self.cloud.clock.truth() - self._gap_since

    def look(self) -> None:
        """Judge this instant."""
        now, served = self.cloud.clock.truth(), self.machine.served()
        good = self._serves_well(now, served)
        well_since = self._well_since(now)
        self._count(now, good=good, well=well_since is not None)
        self._stretches(now, served, well_since)
        if self.machine.running:
            self._gap(now, well_since, good=good, served=served)
            self._variable(now, served, well_since)
            self._thrown_away(now)
            self._forecast(now)
            if good:
                self._renewed_in_time(now, served, well_since)

    def saved(self, blob: bytes) -> None:
        """Check what is about to be written: never older than what is there, never after it is served."""
        found = json.loads(blob)["homeys"].get(NAME)
        if found is None or found["token"] is None:
            return
        now, value = self.cloud.clock.truth(), found["token"]["value"]
        number = self.cloud.sessions[value].number
        if found["generation"] < self._on_disk[0] or number < self._on_disk[1]:
            self._break(now, f"an older token is written down: {value}")
        ahead = number > self._on_disk[1] and self.machine.served() == value
        if ahead and not self.machine.disk.unsaved:
            self._break(now, "a token is served that is not on the disk")
        self._on_disk = found["generation"], number

    # --- what a reader gets ---

    def _serves_well(self, now: datetime, served: str | None) -> bool:
        session = self.cloud.sessions.get(served or "")
        if session is None:
            if self.machine.running:
                self._withheld(now)
            return False
        self._last_served = session
        if session.dead_session and self._proved():
            self._break(now, "a token is served that the Homey never took")
        if session.expires_at <= now:
            self._break(now, f"served {now - session.expires_at} past its expiry")
        if session.number < self._served_number and not self.machine.forgiven("token"):
            self._break(now, f"an older token is served again: {served}")
        self._served_number = session.number
        return self.cloud.takes(session)

    def _withheld(self, now: datetime) -> None:
        """Check that a token which this process got is served as long as it is good.

        One that it loaded was measured with a clock that nobody vouches for.
        """
        session = self._last_served
        if session is None or session.begun_at < self.machine.started or self._replaced(session):
            return
        if self.cloud.takes(session) and session.expires_at - now > WITHHELD:
            self._break(now, f"a token is withheld that is good for {session.expires_at - now}")
            self._last_served = None

    def _proved(self) -> bool:
        """Return whether the served token is said to be verified; an unverified one may turn out dead."""
        return self.machine.keeper is not None and self.machine.keeper.view.verified_at is not None

    def _replaced(self, session: Session) -> bool:
        """Return whether a newer token took its place, which may have turned out dead since."""
        token = self.machine.keeper.state.token if self.machine.keeper else None
        held = self.cloud.sessions[token.value.reveal()] if token else session
        return held.number > session.number

    def _count(self, now: datetime, *, good: bool, well: bool) -> None:
        """Count what was so at the last look as having been so until now."""
        if self._last is not None and self._ran_then:
            span = now - self._last
            self.ran += span
            self.could += span if self._good_then or self._well_then else _NOTHING
            self.had += span if self._good_then else _NOTHING
        self._last, self._ran_then = now, self.machine.running
        self._good_then, self._well_then = good, well

    def _thrown_away(self, now: datetime) -> None:
        """Check that a token which the Homey gave is served soon, even if it is verified later.

        While the machine sleeps nobody can serve it.
        """
        newest = self.cloud.newest
        if newest is not None and now - max(newest.begun_at, self.machine.woke_at) > GIVEN:
            self.on_superseded(newest)
            self.cloud.newest = None

    def on_superseded(self, session: Session) -> None:
        """Check that it has been served, and is on the disk."""
        served = self.cloud.sessions.get(self.machine.served() or "")
        reached = max(self._served_number, served.number if served else 0)
        taken = session.delivered and not session.dead_session and session.revoked_at is None
        if session.number > reached and taken and not self.machine.excused(session.begun_at):
            self._break(self.cloud.clock.truth(), "a token that the Homey gave is thrown away")

    def _forecast(self, now: datetime) -> None:
        """Check that a keeper which fails to renew its token says when it ends."""
        supervisor = self.machine.supervisor
        view = supervisor.view(NAME) if supervisor else None
        if view is not None and view.last_error and view.token:
            session = self.cloud.sessions[view.token.value.reveal()]
            outage_at = (view.outage_at or now + LIFE * 9) - self.cloud.clock.error
            wrong = outage_at > session.expires_at + WITHHELD
            if wrong and not self.machine.excused(now - LIFE):
                self._break(now, "nobody is told when the held token ends")

    def _renewed_in_time(self, now: datetime, served: str | None, well: datetime | None) -> None:
        """Half of a token's life is for renewing it; a wrong clock does not know when that is."""
        begun_at = self.cloud.sessions[served or ""].begun_at
        known = not self.machine.began_wrong and self.machine.set_at < begun_at
        if well is None or not known or now - begun_at < RENEWED:
            return
        if now - well > 2 * LAG:  # the first answer after an outage may be lost, too
            self._break(now, "a token is not renewed although it is due")

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
        """Nobody can know before the next verification."""
        revoked_at = self.cloud.sessions[served].revoked_at
        if revoked_at is None or well_since is None:
            return
        if now - max(revoked_at, well_since) > LAG:
            self._break(now, "a revoked token is served on")

    # --- could one be had? ---

    def _stretches(self, now: datetime, served: str | None, well_since: datetime | None) -> None:
        """Note whether ten good minutes have passed since the last token had to be renewed."""
        session = self.cloud.sessions.get(served or "")
        if session is not None and now < session.expires_at - MUST:
            self._must_since, self._missed = None, False
            return
        self._must_since = self._must_since or now
        if well_since is not None:
            began = max(well_since, self._must_since)
            self._missed = self._missed or now - began > STRETCH

    def _well_since(self, now: datetime) -> datetime | None:
        """Since when nothing has stood in the way of a new token; None if something does."""
        machine, cloud = self.machine, self.cloud
        since = max(machine.since, cloud.faulty_until, self._waiting_until(now))
        right = machine.password == cloud.password and machine.certified
        return since if machine.running and right and since <= now else None

    def _waiting_until(self, now: datetime) -> datetime:
        """Until when a budget holds sign-ins back: believed only where sign-ins were seen."""
        keeper = self.machine.keeper
        until = keeper.view.sign_in_blocked_until if keeper else None
        if until is not None and self._sign_ins_known(now) >= BUDGET / 2:
            self._waits_until = now + timedelta(microseconds=1)
        return self._waits_until or self.machine.since

    def _sign_ins_known(self, now: datetime) -> int:
        """Count recent sign-ins, those answered by 429 and one under way at a kill included."""
        since = now - BUDGET_SPAN
        recent = [one.at for one in self.cloud.logins[-40:]]
        recent += self.cloud.passwords[-40:] + self.machine.kills[-40:]
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
        """Judge what can only be judged at the end."""
        self.look()
        for bug in self.machine.bugs:
            self.verdict(f"a bug: {bug}")
        self._spaced_after_unknown()

    def on_request(self) -> None:
        """Check the limits after a password was judged, or a request was made in vain."""
        now, vain = self.cloud.clock.truth(), self.cloud.in_vain
        hour_ago = now - timedelta(hours=1)
        if len(vain) > IN_VAIN and vain[-IN_VAIN - 1] > hour_ago:
            self._once(now, f"over {IN_VAIN} requests to an unwell host within an hour")
        if self.rejected_a_day(50) > REJECTED_A_DAY:
            self._once(now, f"over {REJECTED_A_DAY} rejected sign-ins within a day")
        if self.forced_a_day(50) > FORCED_A_DAY:
            self._once(now, f"over {FORCED_A_DAY} rejected sign-ins within a day were forced")
        self._spaced_after_rejections()
        if self.sign_ins_a_span(50) > BUDGET:
            self._once(now, f"over {BUDGET} sign-ins within half of a token's life")

    def _spaced_after_rejections(self) -> None:
        """Unless the process died before it knew, or could write it down."""
        memory = self._known(self.cloud.logins[-50:])[-1]
        newest = self.cloud.logins[-1:]
        if newest and not newest[0].forced and newest == self._early(memory)[-1:]:
            self._break(newest[0].at, "rejected values are tried again before their time")

    def _once(self, at: datetime, what: str) -> None:
        if not any(what in one for one in self.broken):
            self._break(at, what)

    def _spaced_after_unknown(self) -> None:
        for before, after in pairwise(self.cloud.logins):
            soon = after.at - before.at < UNKNOWN_GAP - SECOND
            if (
                soon
                and before.unknown
                and not after.forced
                and not self._moved(before.at, after.at)
            ):
                self._break(after.at, "a password soon after an answer that says nothing of it")

    def _moved(self, since: datetime, until: datetime) -> bool:
        """Return whether a process has ended meanwhile."""
        return any(since <= at < until for at in self.machine.kills)

    def rejected_a_day(self, last: int = 0) -> int:
        """Return the most rejected sign-ins of the daemon's own within any 24 hours (of the last N)."""
        return max(
            _most([one.at for one in known if one.rejected and one.by_itself], DAY)
            for known in self._known(self.cloud.logins[-last:])
        )

    def forced_a_day(self, last: int = 0) -> int:
        """Return the most rejected sign-ins within any 24 hours that a person forced."""
        return max(
            _most([one.at for one in self._early(known) if one.forced], DAY)
            for known in self._known(self.cloud.logins[-last:])
        )

    def sign_ins_a_span(self, last: int = 0) -> int:
        """Return the most sign-ins within any half of a token's life."""
        return max(
            _most([one.at for one in known], BUDGET_SPAN)
            for known in self._known(self.cloud.logins[-last:])
        )

    def _known(self, logins: list[Login]) -> list[list[Login]]:
        """Split the sign-ins by what a process could know: one that dies beside a full disk leaves nothing."""
        ends = [*self.machine.forgot_at, datetime.max.replace(tzinfo=BEGIN.tzinfo)]
        starts = [BEGIN, *self.machine.forgot_at]
        return [
            [one for one in logins if start <= one.at < end]
            for start, end in zip(starts, ends, strict=True)
        ]

    def _early(self, logins: list[Login]) -> list[Login]:
        """Those that did not wait for the spacing after the rejections of the same values before.

        A rejection that a kill followed may be known to nobody.
        """
        early: list[Login] = []
        known: dict[str, tuple[int, datetime]] = {}
        for one in logins:
            refused, held = known.get(one.password, (0, BEGIN))
            if one.rejected and one.at < held - SECOND:
                early.append(one)
            if one.rejected and not any(
                one.at <= kill < one.at + 9 * SECOND for kill in self.machine.kills
            ):
                held = one.at + SPACING[min(refused, len(SPACING) - 1)]
                known[one.password] = refused + 1, held
            elif one.right and not one.unknown:
                known.pop(one.password, None)
        return early

    def _break(self, at: datetime, what: str) -> None:
        self.verdict(f"{at:%m-%d %H:%M:%S} {what}")

    def verdict(self, what: str) -> None:
        """Record that a rule was broken."""
        again = bool(self.broken) and self.broken[-1][14:] == what[14:]
        if len(self.broken) < 20 and not again:
            self.broken.append(what)
            self.on_verdict(what)


def _most(instants: list[datetime], span: timedelta) -> int:
    """Return the most of these ordered instants within any such span."""
    most = first = 0
    for last, at in enumerate(instants, 1):
        while at - instants[first] >= span:
            first += 1
        most = max(most, last - first)
    return most
