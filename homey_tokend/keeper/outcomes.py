"""What a keeper knows of its Homey, and the only hand that changes it.

State is what is kept across restarts, facts are what is under way. Each event is
remembered here, on disk where it matters, and then told; what says something of an
older token is dropped.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings
from homey_tokend.core.errors import (
    AccountRejected,
    BearerRejected,
    IllegalEvent,
    Rejected,
    TokendError,
)
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.lifetime import in_must_window
from homey_tokend.core.status import View
from homey_tokend.core.status_view import view_of
from homey_tokend.core.tokens import Bearer, Delivery, DeliveryResult, Token
from homey_tokend.keeper.dependencies import Dependencies
from homey_tokend.keeper.messages import (
    CheckFinished,
    ClockChanged,
    CredentialsRead,
    DeliveryFinished,
    JobResult,
    Message,
    RefreshFinished,
    RefreshRequested,
    VerificationFinished,
    VerificationRequested,
)
from homey_tokend.keeper.report import Reporter
from homey_tokend.keeper.sign_in import Refresher

log = structlog.get_logger()
#: How far may two readings of the clock lie apart where nobody has set it?
_SLACK = timedelta(seconds=2)


class Outcomes:
    """One keeper's.

    Args:
        homey: The Homey's name.
        url: Its address as far as it is known without a token.
        plan: What the configuration says to policy.
        refresher: Knows what an attempt has left, and the sign-in values' digests.
        hands: Clock, ledger and accounts.
        herald: Tells what happened.
        publish: Called when a new token is kept, before anybody is told of it: who is
            told must be able to read it.
    """

    def __init__(
        self,
        homey: str,
        *,
        url: str,
        plan: RefreshSettings,
        refresher: Refresher,
        hands: Dependencies,
        herald: Reporter,
        publish: Callable[[], None],
    ) -> None:
        self.plan = plan
        #: How many attempts have ended, well or not.
        self.finished = 0
        #: How many proofs have ended, whatever they said.
        self.proofs = 0
        self._homey = homey
        self._url = url
        self._refresher = refresher
        self._hands = hands
        self._clock = hands.clock
        self._herald = herald
        self._publish = publish
        state = hands.ledger.homey(homey).of_homey(refresher.cloudid).put_in_place()
        # A changed address is called at once: the old one may be the reason for the change.
        self._state = state.reached_at(refresher.configured_url or state.url or url)
        self._facts = Activity()
        self._reading = False
        #: By how much the clock was set, each time, since the attempt under way began; and when
        #: that was, by a clock that is never set.
        self._sets: list[timedelta] = []
        self._began = 0.0
        #: To which sinks an end of the token is under way that is right no more.
        self._outdated: frozenset[str] = frozenset()
        #: Whether the clock was set since the proof under way began.
        self._set_amid_proof = False

    # --- questions ---

    @property
    def state(self) -> HomeyState:
        """The state as it is now."""
        return self._state

    @property
    def facts(self) -> Activity:
        """What is under way, with what the refresher holds."""
        return self._refresher.facts(self._clock.now(), self._facts)

    @property
    def account_key(self) -> str:
        """The account that the sign-in values name; empty while they are unknown."""
        return self._refresher.digests.account or self._state.account

    @property
    def account(self) -> AccountState:
        """What is known of that account."""
        return self._hands.accounts.state(self.account_key)

    @property
    def unsure_of_refusals(self) -> bool:
        """Whether something was rejected, and nobody knows yet whether it was these values."""
        known = self._state.refusal is not None or self.account.refusals
        return bool(known) and not self._refresher.digests.account

    @property
    def signing_in(self) -> bool:
        """Whether the sign-in values are being read, for an attempt or without one."""
        return self._reading or self._facts.renewing

    @property
    def busy(self) -> bool:
        """Whether anything is under way."""
        facts = self._facts
        return self.signing_in or facts.verifying or bool(facts.delivering)

    def view(self) -> View:
        """What the doors may show."""
        url = self._refresher.configured_url or self._state.url or self._url
        return view_of(self._state, self.account, self.facts, self._clock.now(), self.plan, url)

    # --- what begins ---

    def renewal_begins(self, why: str) -> tuple[HomeyState, Activity, RefreshSettings]:
        """An attempt begins, knowing this much."""
        wish = self._state.wish
        forced = wish is not None and wish.forced
        log.debug("refresh.started", homey=self._homey, why=why, forced=forced)
        self._state = self._state.attempted(self._clock.now())
        self._facts = replace(self._facts, renewing=True, forced=forced, closed=None)
        self._sets, self._began = [], self._clock.elapsed()
        return self._state, self._facts, self.plan

    def reading_begins(self) -> None:
        """The sign-in values are read outside of an attempt."""
        self._reading = True

    def proof_begins(self) -> Token:
        """The held token is proved."""
        token = self._held()
        self._facts = replace(self._facts, verifying=True)
        self._set_amid_proof = False
        return token

    def delivery_begins(self, target: str) -> Delivery:
        """The held token is written to a sink, or looked for there."""
        token = self._held()
        self._facts = replace(self._facts, delivering=self._facts.delivering | {target})
        self._outdated -= {target}
        return Delivery(self._homey, token, self._state.sink(target).memory)

    def _held(self) -> Token:
        token = self._state.token
        if token is None:
            raise IllegalEvent("no token is held")
        return token

    # --- what happened ---

    async def take(self, event: Message) -> None:
        """Remember what happened; what says something of an older token is dropped."""
        try:
            match event:
                case RefreshRequested(until, forced, than):
                    now = self._clock.now()
                    if self._state.generation <= than:  # else one came meanwhile
                        self._state = self._state.asked(until, forced=forced, at=now)
                case VerificationRequested(generation):
                    self._state = self._state.doubted(generation)
                case ClockChanged(by):
                    self._sets.append(by)
                    self._set_amid_proof = True
                    await self._keep(self._state.shifted(by))
                case CredentialsRead(changed):
                    self._values_read(changed=changed)
                case _:
                    await self._take_result(event)
        except IllegalEvent as error:
            log.info("outcome.dropped", homey=self._homey, reason=error.message)

    async def _take_result(self, event: JobResult) -> None:
        match event:
            case RefreshFinished():
                await self._attempted(event)
            case VerificationFinished():
                await self._proved(event)
            case DeliveryFinished():
                await self._written(event)
            case CheckFinished():
                await self._looked(event)

    async def _keep(self, state: HomeyState) -> None:
        """Disk before socket: the new state is in force once it is written down."""
        await self._hands.ledger.keep_homey(state)
        self._state = state

    def _values_read(self, *, changed: bool) -> None:
        self._reading = False
        if changed:
            self._facts = replace(self._facts, closed=None)
            log.info("credentials.changed", homey=self._homey)

    async def _attempted(self, event: RefreshFinished) -> None:
        state, result = self._state.of_account(self.account_key), event.result
        if isinstance(result, Constraint):
            self._attempt_ends()
            self._facts = replace(self._facts, closed=result)
        elif isinstance(result, Bearer):
            await self._renewed(state, self._in_our_time(result), since=event.since)
        else:
            await self._failed(state, result)

    async def _keep_attempt(self, state: HomeyState) -> None:
        """It is under way until its end is on the disk: who asks meanwhile joins it."""
        try:
            await self._keep(state)
        finally:
            self._attempt_ends()

    def _attempt_ends(self) -> None:
        self._facts = replace(self._facts, renewing=False, forced=False)
        self.finished += 1

    def _in_our_time(self, bearer: Bearer) -> Bearer:
        """With instants that may be from before the clock was set: never too late an end.

        It was issued since the attempt began, which tells before which of the settings.
        Its end may have been told after that one, so it is never moved to a later time,
        and to a life of the usual length at most.
        """
        if not self._sets:
            return bearer
        now, span = self._clock.now(), timedelta(seconds=self._clock.elapsed() - self._began)
        ways = [sum(self._sets[n:], timedelta(0)) for n in range(len(self._sets) + 1)]
        likely = [by for by in ways if now - span - _SLACK <= bearer.issued_at + by <= now + _SLACK]
        by = min(timedelta(0), *(likely or ways))
        issued_at = min(bearer.issued_at + by, now)
        end = min(bearer.expires_at + by, issued_at + self.plan.lifetime)
        return replace(bearer, issued_at=issued_at, expires_at=end)

    async def _renewed(self, state: HomeyState, bearer: Bearer, *, since: int) -> None:
        clock, before = self._clock, state.failure
        fraction = self.plan.fraction(clock.draw())
        try:
            state = state.renewed(bearer, since=since, at=clock.now(), fraction=fraction)
        except IllegalEvent:
            self._attempt_ends()
            raise
        await self._keep_attempt(state)
        self._publish()
        self._herald.renewed(self._held(), bearer, clock.now())
        if before is not None:
            self._herald.recovered(before.trouble.count, clock.now())

    async def _failed(self, state: HomeyState, error: TokendError) -> None:
        clock = self._clock
        if isinstance(error, Rejected) and not isinstance(error, AccountRejected):
            digest = self._refresher.digests.site
            state = state.rejected(error, digest=digest, at=clock.now(), draw=clock.draw())
        else:
            state = state.failed(error, at=clock.now(), draw=clock.draw())
        await self._keep_attempt(state)
        now = clock.now()
        grave = isinstance(error, Rejected) or in_must_window(self._state, now)
        self._herald.failed(error, self.view(), now, grave=grave)

    async def _proved(self, event: VerificationFinished) -> None:
        self._facts = replace(self._facts, verifying=False)
        self.proofs += 1
        now, generation = self._clock.now(), event.generation
        if isinstance(event.result, TokendError):
            self._state = self._state.not_answered(generation, now)
            log.info("token.not_verified", homey=self._homey, reason=event.result.message)
            return
        taken, expires_at = event.result
        if not taken:
            await self._keep(self._state.was_revoked(generation, now))
            self._herald.revoked(generation, now)
            return
        # An end that may be told in the time of before a setting is left: the known one was moved.
        until = None if self._set_amid_proof else expires_at
        before, state = self._held(), self._state.proved(generation, now, until)
        if state.token == before:
            self._state = state
            self._hands.ledger.note(state)
        else:
            # Worth a write: after a power cut nobody may be able to tell the end anew.
            await self._keep(state)
        if self._held().expires_at != before.expires_at:
            self._outdated = self._facts.delivering
        log.debug("token.verified", homey=self._homey, generation=generation)

    async def _written(self, event: DeliveryFinished) -> None:
        target, generation, result = event.target, event.generation, event.result
        self._facts = replace(self._facts, delivering=self._facts.delivering - {target})
        now = self._clock.now()
        if isinstance(result, DeliveryResult):
            state = self._state.delivered(target, generation, result, now)
            if target in self._outdated:
                state = state.outdated(target, generation)
            await self._keep(state)
            self._herald.delivered(target, generation, result, now)
            return
        draw = self._clock.draw()
        state = self._state.undelivered(target, generation, result, at=now, draw=draw)
        held = state.token is not None and state.token.generation == generation
        if isinstance(result, BearerRejected) and held:
            state = state.doubted(generation)
        await self._keep(state)
        self._herald.undelivered(target, generation, result, now)

    async def _looked(self, event: CheckFinished) -> None:
        target, generation = event.target, event.generation
        self._facts = replace(self._facts, delivering=self._facts.delivering - {target})
        if event.in_place is False:
            await self._keep(self._state.drifted(target, generation))
            log.warning("sink.drifted", homey=self._homey, sink=target, generation=generation)
            return
        now = self._clock.now()
        if not isinstance(event.in_place, TokendError):
            self._state = self._state.checked(target, generation, now)
            return
        self._state = self._state.not_seen(target, generation, now)
        reason = event.in_place.message
        log.info("sink.check_failed", homey=self._homey, sink=target, reason=reason)
        if isinstance(event.in_place, BearerRejected):
            self._state = self._state.doubted(generation)
