"""Check the rules of the daemon from outside, by the simulation's true time."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from bench.simyear.cloud import Cloud
from bench.simyear.limits import BUDGET, BUDGET_SPAN, SignInLimits
from bench.simyear.machine import NAME, VERIFY, Machine
from bench.simyear.values import LIFE, Session

#: The longest time in which a token was obtainable and none was served.
MAX_MISS = timedelta(minutes=10)
#: The remaining lifetime at which a token must be renewed.
MUST_RENEW_LEFT = timedelta(hours=1)
#: The longest lag of the variable without a fault: it is checked once an hour, and a host may have
#: requested a wait of an hour.
MAX_LAG = VERIFY + timedelta(minutes=10)
#: The age at which a token is renewed without a fault: half of its life, and the longest spacing
#: after a failure.
RENEWED_WITHIN = LIFE / 2 + MAX_LAG
#: The time from the issue of a token to its delivery to readers: it is verified up to three times,
#: and each response may take until the time-out.
SERVED_WITHIN = timedelta(minutes=6)
#: How long before its end a valid token may be withheld: clocks are compared by whole seconds.
WITHHELD_TOLERANCE = timedelta(minutes=1)
_ZERO = timedelta(0)


@dataclass(slots=True)
class Judge:
    """Check the rules at each observation, which sees what a reader of the socket would see.

    ``running_time`` is how long the process ran, ``served_time`` how long of that a reader got a
    valid token, ``obtainable_time`` how long one was held or obtainable. ``longest_gap`` is the
    longest time without one, ``longest_miss`` the part of such a time in which one was obtainable.
    """

    machine: Machine
    cloud: Cloud
    #: Called with each verdict.
    on_verdict: Callable[[str], None] = lambda _verdict: None
    broken: list[str] = field(default_factory=list)
    running_time: timedelta = _ZERO
    obtainable_time: timedelta = _ZERO
    served_time: timedelta = _ZERO
    longest_gap: timedelta = _ZERO
    longest_miss: timedelta = _ZERO
    longest_lag: timedelta = _ZERO
    _last: datetime | None = None
    _was_running: bool = False
    _was_good: bool = False
    _was_obtainable: bool = False
    _gap_since: datetime | None = None
    _must_renew_since: datetime | None = None
    _missed: bool = False
    _blocked_until: datetime | None = None
    _served_number: int = 0
    _last_served: Session | None = None
    _on_disk: tuple[int, int] = (0, 0)
    _lag_since: datetime | None = None
    limits: SignInLimits = field(init=False)

    def __post_init__(self) -> None:
        self.limits = SignInLimits(self.machine, self.cloud, self._break)

    @property
    def in_gap(self) -> timedelta | None:
        """Return how long no valid token has been served; None if one is."""
        return None if self._gap_since is None else self.cloud.clock.truth() - self._gap_since

    def observe(self) -> None:
        """Check this instant."""
        now, served = self.cloud.clock.truth(), self.machine.served()
        good = self._check_served(now, served)
        obtainable_since = self._obtainable_since(now)
        self._count(now, good=good, obtainable=obtainable_since is not None)
        self._track_misses(now, served, obtainable_since)
        if self.machine.running:
            self._check_gap(now, obtainable_since, good=good, served=served)
            self._check_variable(now, served, obtainable_since)
            self._check_discarded(now)
            self._check_outage_at(now)
            if good:
                self._check_renewed(now, served, obtainable_since)

    def on_save(self, blob: bytes) -> None:
        """Check a state before it is written: not older than the disk's, and not served before."""
        found = json.loads(blob)["homeys"].get(NAME)
        if found is None or found["token"] is None:
            return
        now, value = self.cloud.clock.truth(), found["token"]["value"]
        number = self.cloud.sessions[value].number
        if found["generation"] < self._on_disk[0] or number < self._on_disk[1]:
            self._break(now, f"an older token is saved: {value}")
        ahead = number > self._on_disk[1] and self.machine.served() == value
        if ahead:
            self._break(now, "a token is served that is not on the disk")
        self._on_disk = found["generation"], number

    # --- what a reader gets ---

    def _check_served(self, now: datetime, served: str | None) -> bool:
        session = self.cloud.sessions.get(served or "")
        if session is None:
            if self.machine.running:
                self._check_withheld(now)
            return False
        self._last_served = session
        if session.dead_session and self._is_verified():
            self._break(now, "a token is served that the Homey never accepted")
        if session.expires_at <= now:
            self._break(now, f"served {now - session.expires_at} past its expiry")
        if session.number < self._served_number:
            self._break(now, f"an older token is served again: {served}")
        self._served_number = session.number
        return self.cloud.accepts(session)

    def _check_withheld(self, now: datetime) -> None:
        """Check that a token which this process received is served as long as it is valid.

        A token from the disk was measured with a clock that may have been wrong.
        """
        session = self._last_served
        if session is None or session.created_at < self.machine.started or self._replaced(session):
            return
        if self.cloud.accepts(session) and session.expires_at - now > WITHHELD_TOLERANCE:
            self._break(now, f"a token is withheld that is valid for {session.expires_at - now}")
            self._last_served = None

    def _is_verified(self) -> bool:
        """Return whether the daemon reports the served token as verified; others may be invalid."""
        return self.machine.keeper is not None and self.machine.keeper.view.verified_at is not None

    def _replaced(self, session: Session) -> bool:
        """Return whether a newer token replaced it, which may have turned out invalid since."""
        token = self.machine.keeper.state.token if self.machine.keeper else None
        held = self.cloud.sessions[token.value.reveal()] if token else session
        return held.number > session.number

    def _count(self, now: datetime, *, good: bool, obtainable: bool) -> None:
        """Add the time since the last observation to what was the case then."""
        if self._last is not None and self._was_running:
            span = now - self._last
            self.running_time += span
            self.obtainable_time += span if self._was_good or self._was_obtainable else _ZERO
            self.served_time += span if self._was_good else _ZERO
        self._last, self._was_running = now, self.machine.running
        self._was_good, self._was_obtainable = good, obtainable

    def _check_discarded(self, now: datetime) -> None:
        """Check that an issued token is served soon, even if it is verified later.

        While the machine is suspended it cannot be.
        """
        newest = self.cloud.newest
        if newest is None:
            return
        if now - max(newest.created_at, self.machine.resumed_at) > SERVED_WITHIN:
            self.on_superseded(newest)
            self.cloud.newest = None

    def on_superseded(self, session: Session) -> None:
        """Check that a session has been served before the next one is issued."""
        served = self.cloud.sessions.get(self.machine.served() or "")
        reached = max(self._served_number, served.number if served else 0)
        usable = session.delivered and not session.dead_session and session.revoked_at is None
        if session.number > reached and usable and not self.machine.excused(session.created_at):
            self._break(self.cloud.clock.truth(), "a token that the Homey issued is discarded")

    def _check_outage_at(self, now: datetime) -> None:
        """Check that a keeper which fails to renew its token reports when it ends."""
        supervisor = self.machine.supervisor
        view = supervisor.view(NAME) if supervisor else None
        # The last error can also be that of the disk, which delays no renewal.
        fails = supervisor is not None and supervisor.keepers[NAME].state.failure is not None
        if view is not None and fails and view.token:
            session = self.cloud.sessions[view.token.value.reveal()]
            outage_at = (view.outage_at or now + LIFE * 9) - self.cloud.clock.error
            wrong = outage_at > session.expires_at + WITHHELD_TOLERANCE
            if wrong and not self.machine.excused(now - LIFE):
                self._break(now, "the end of the held token is not reported")

    def _check_renewed(
        self, now: datetime, served: str | None, obtainable_since: datetime | None
    ) -> None:
        """Check that a token is renewed when it is due, unless a wrong clock hides when that is."""
        created_at = self.cloud.sessions[served or ""].created_at
        known = not self.machine.started_with_wrong_clock and self.machine.clock_set_at < created_at
        if obtainable_since is None or not known or now - created_at < RENEWED_WITHIN:
            return
        # Twice, since the first response after an outage may be lost, too.
        if now - obtainable_since > 2 * MAX_LAG:
            self._break(now, "a token is not renewed although it is due")

    def _check_gap(
        self, now: datetime, obtainable_since: datetime | None, *, good: bool, served: str | None
    ) -> None:
        if good:
            self._gap_since = None
            return
        self._gap_since = self._gap_since or now
        self.longest_gap = max(self.longest_gap, now - self._gap_since)
        if served is not None:
            self._check_revoked(now, served, obtainable_since)
            return
        if obtainable_since is not None:
            missed = now - max(self._must_renew_since or now, self._gap_since, obtainable_since)
            self.longest_miss = max(self.longest_miss, missed)
        if self._missed:
            self._break(now, "no valid token although one was obtainable for ten minutes")
            self._missed = False

    def _check_revoked(self, now: datetime, served: str, obtainable_since: datetime | None) -> None:
        """Check that a revoked token is not served beyond the next verification."""
        revoked_at = self.cloud.sessions[served].revoked_at
        if revoked_at is None or obtainable_since is None:
            return
        if now - max(revoked_at, obtainable_since) > MAX_LAG:
            self._break(now, "a revoked token is still served")

    # --- whether one was obtainable ---

    def _track_misses(
        self, now: datetime, served: str | None, obtainable_since: datetime | None
    ) -> None:
        """Note whether one was obtainable for ten minutes since the last token had to be renewed."""
        session = self.cloud.sessions.get(served or "")
        if session is not None and now < session.expires_at - MUST_RENEW_LEFT:
            self._must_renew_since, self._missed = None, False
            return
        self._must_renew_since = self._must_renew_since or now
        if obtainable_since is not None:
            began = max(obtainable_since, self._must_renew_since)
            self._missed = self._missed or now - began > MAX_MISS

    def _obtainable_since(self, now: datetime) -> datetime | None:
        """Return since when nothing has prevented a new token; None if something does."""
        machine, cloud = self.machine, self.cloud
        since = max(machine.unchanged_since, cloud.faulty_until, self._sign_in_blocked_until(now))
        right = machine.password == cloud.password and machine.certificates_valid
        return since if machine.running and right and since <= now else None

    def _sign_in_blocked_until(self, now: datetime) -> datetime:
        """Return until when the budget blocks sign-ins; ignored unless sign-ins were received."""
        keeper = self.machine.keeper
        until = keeper.view.sign_in_blocked_until if keeper else None
        if until is not None and self._recent_sign_ins(now) >= BUDGET / 2:
            self._blocked_until = now + timedelta(microseconds=1)
        return self._blocked_until or self.machine.unchanged_since

    def _recent_sign_ins(self, now: datetime) -> int:
        """Count recent sign-ins, including those answered with 429 and interrupted by a kill."""
        since = now - BUDGET_SPAN
        recent = [one.at for one in self.cloud.logins[-40:]]
        recent += self.cloud.passwords[-40:] + self.machine.kills[-40:]
        return sum(at > since for at in recent)

    # --- the variable ---

    def _check_variable(
        self, now: datetime, served: str | None, obtainable_since: datetime | None
    ) -> None:
        if served is None or self.cloud.variable == served or obtainable_since is None:
            self._lag_since = None
            return
        self._lag_since = self._lag_since or now
        lag = now - max(self._lag_since, obtainable_since)
        self.longest_lag = max(self.longest_lag, lag)
        if lag > MAX_LAG:
            self._break(now, "the variable lags behind although nothing prevents its update")
            self._lag_since = None

    # --- the end ---

    def end(self) -> None:
        """Check what can only be checked at the end."""
        self.observe()
        for bug in self.machine.bugs:
            self.verdict(f"a bug: {bug}")
        self.limits.check_unknown_answers()

    def _break(self, at: datetime, what: str) -> None:
        self.verdict(f"{at:%m-%d %H:%M:%S} {what}")

    def verdict(self, what: str) -> None:
        """Record that a rule is broken."""
        again = bool(self.broken) and self.broken[-1][14:] == what[14:]
        if len(self.broken) < 20 and not again:
            self.broken.append(what)
            self.on_verdict(what)
