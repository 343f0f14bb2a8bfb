"""One Homey's keeper: decide, act, remember, publish.

It is the only writer of its state. Everything that takes time (a refresh, a
proof, each sink) runs in a task of its own and comes back as an outcome; the
keeper takes outcomes one by one, so nothing that hangs holds up anything else.
It never naps: it tells the schedule when to wake it.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from homey_tokend import happenings, policy
from homey_tokend.accounts import Accounts
from homey_tokend.conversation import walk
from homey_tokend.decisions import (
    Blocked,
    Check,
    Decision,
    Deliver,
    Facts,
    Gate,
    Plan,
    Renew,
    Verify,
    Wait,
)
from homey_tokend.errors import (
    AccountRefused,
    BearerRefused,
    IllegalEvent,
    Refused,
    TokendError,
    Transient,
)
from homey_tokend.flow import prove
from homey_tokend.herald import Herald, stamp
from homey_tokend.ledger import Ledger
from homey_tokend.model import Bearer, Delivered, Delivery, Token, View
from homey_tokend.notices import Notices
from homey_tokend.ports import (
    CheckableSink,
    Clock,
    Listener,
    Notice,
    Schedule,
    Sink,
    Transport,
)
from homey_tokend.refresher import Refresher
from homey_tokend.state import HomeyState
from homey_tokend.views import view_of
from homey_tokend.windows import in_must_window

log = structlog.get_logger()
#: How long may one delivery take, whatever the sink does?
DELIVERY_DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True)
class Hands:
    """What a keeper works with."""

    clock: Clock
    schedule: Schedule
    transport: Transport
    accounts: Accounts
    ledger: Ledger
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    tell: happenings.Tell = happenings.nobody


@dataclass(frozen=True, slots=True)
class Asked:
    """Somebody wants a newer token before ``until``; a person's ask is forced."""

    until: datetime
    forced: bool


@dataclass(frozen=True, slots=True)
class Doubted:
    """A Homey refused this generation when a caller of the door used it."""

    generation: int


@dataclass(frozen=True, slots=True)
class ClockSet:
    """The wall clock was set by ``by``."""

    by: timedelta


@dataclass(frozen=True, slots=True)
class _Renewal:
    since: int
    result: Bearer | Gate | TokendError


@dataclass(frozen=True, slots=True)
class _Proof:
    generation: int
    result: tuple[bool, datetime | None] | TokendError


@dataclass(frozen=True, slots=True)
class _Outcome:
    target: str
    generation: int
    result: Delivered | TokendError


@dataclass(frozen=True, slots=True)
class _Values:
    changed: bool


@dataclass(frozen=True, slots=True)
class _Looked:
    target: str
    generation: int
    in_place: bool | TokendError


Event = Asked | Doubted | ClockSet | _Values | _Looked | _Renewal | _Proof | _Outcome


class Keeper:
    """Keeps one Homey's token.

    Args:
        name: The Homey's name.
        url: Its address as far as it is known without a token.
        plan: What the configuration says to policy.
        refresher: Its way to a new bearer.
        hands: What it works with.
    """

    def __init__(
        self, name: str, *, url: str, plan: Plan, refresher: Refresher, hands: Hands
    ) -> None:
        self.name = name
        self.plan = plan
        #: How many attempts have ended, well or not.
        self.finished = 0
        #: How many proofs have ended, whatever they said.
        self.proofs = 0
        #: Set while nothing is due and nothing under way.
        self.settled = asyncio.Event()
        #: Set when the keeper will publish no more.
        self.ended = False
        self._url = url
        self._refresher = refresher
        self._hands = hands
        self._notices = Notices(name, hands.listeners, self.ring)
        self._herald = Herald(name, self._tell_on)
        self._state = hands.ledger.homey(name)
        self._facts = Facts()
        self._inbox: deque[Event] = deque()
        self._wake = asyncio.Event()
        self._published = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._told = ""
        #: By how much the clock was set back since the attempt under way began.
        self._set_back = timedelta(0)
        self._reading = False
        self.view = self._look()

    # --- what the doors see and say ---

    @property
    def state(self) -> HomeyState:
        """The state as it is now."""
        return self._state

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks it writes to, by target."""
        return self._hands.sinks

    @property
    def facts(self) -> Facts:
        """What is under way, with what the refresher holds."""
        return self._refresher.facts(self._hands.clock.now(), self._facts)

    @property
    def account_key(self) -> str:
        """The account that the sign-in values name; empty while they are unknown."""
        return self._refresher.digests.account or self._state.account

    def post(self, event: Event) -> None:
        """Hand the keeper an event; it is taken in turn."""
        self._inbox.append(event)
        self._wake.set()

    def ring(self) -> None:
        """Make the keeper look again: its time has come, or the clock was moved."""
        self._wake.set()

    def clock_was_set(self, by: timedelta) -> None:
        """The wall clock was set: what readers get moves at once, what is kept in its turn.

        The state may wait for the disk; readers compare with the new time from now on.
        """
        self.post(ClockSet(by))
        if self.view.token is not None:
            shown = replace(self._state, token=self.view.token).shifted(by).token
            self.view = replace(self.view, token=shown)

    def look_for_new_values(self, *, commands: bool = False) -> None:
        """Read the sign-in values anew: after a refusal, others free the next try at once.

        Args:
            commands: Also where a command must be run for them.
        """
        allowed = commands or self._refresher.watched
        if allowed and not (self._reading or self._facts.renewing):
            self._reading = True
            self._spawn(self._reread(), failed=_Values(changed=False))

    async def next_view(self) -> View:
        """Wait until a view is published."""
        await self._published.wait()
        return self.view

    # --- the loop ---

    async def run(self) -> None:
        """Keep the token until cancelled."""
        self._tell_of_start()
        try:
            while True:
                self._wake.clear()
                self.settled.clear()
                while self._inbox:
                    await self._take(self._inbox.popleft())
                if self._act(self._decide()):
                    self._publish()
                    if not self._busy():
                        self.settled.set()
                    await self._wake.wait()
        finally:
            self._hands.schedule.forget(self.name)
            await self._stop_tasks()
            await self._notices.stop()
            self.ended = True
            self._published.set()

    def _busy(self) -> bool:
        facts = self._facts
        working = facts.renewing or facts.verifying or self._reading
        return working or bool(facts.delivering) or self._notices.busy

    async def _stop_tasks(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _tell_on(self, happened: happenings.Happened) -> None:
        """To whoever listens within the daemon, and to the listeners outside."""
        self._hands.tell(happened)
        if isinstance(happened, happenings.Renewed | happenings.Failed | happenings.Recovered):
            held = self._state.usable(self._hands.clock.now())
            self._notices.take(Notice(happened, held))

    def _tell_of_start(self) -> None:
        """What is held and well is told anew: whoever listens may remember an older trouble."""
        now = self._hands.clock.now()
        held = self._state.usable(now)
        if held is not None and self._state.failure is None:
            self._notices.take(Notice(happenings.Recovered(self.name, now, 0), held))

    def _decide(self) -> Decision:
        now = self._hands.clock.now()
        account = self._hands.accounts.state(self.account_key)
        return policy.decide(self._state, account, self.facts, now, self.plan)

    def _act(self, decision: Decision) -> bool:
        """Do what was decided; True when there is nothing more to do for now."""
        if isinstance(decision, Wait | Blocked):
            self._tell_when_blocked(decision)
            if decision.wake is not None:
                self._hands.schedule.wake_at(self.name, decision.wake, self.ring)
            return True
        self._begin(decision)
        return False

    def _begin(self, decision: Renew | Deliver | Verify | Check) -> None:
        match decision:
            case Renew(why):
                self._begin_renewal(why)
            case Deliver(targets):
                for target in targets:
                    self._begin_delivery(target)
            case Verify():
                self._begin_proof()
            case Check(targets):
                for target in targets:
                    self._begin_check(target)

    def _tell_when_blocked(self, decision: Wait | Blocked) -> None:
        told = decision.why if isinstance(decision, Blocked) else ""
        if told and told != self._told:
            log.error("refresh.held_back", homey=self.name, why=told, until=stamp(decision.until))
        self._told = told

    def _publish(self) -> None:
        self.view = self._look()
        self._published.set()
        self._published = asyncio.Event()

    def _look(self) -> View:
        account = self._hands.accounts.state(self.account_key)
        now = self._hands.clock.now()
        url = self._refresher.configured_url or self._state.url or self._url
        return view_of(self._state, account, self.facts, now, self.plan, url)

    # --- tasks ---

    def _spawn(self, work: Coroutine[Any, Any, Event], *, failed: Event) -> None:
        task = asyncio.create_task(self._report(work, failed), name=f"{self.name}:{failed}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, work: Coroutine[Any, Any, Event], failed: Event) -> None:
        """Post what the work returns; a bug in it becomes a failure, not a dead keeper."""
        event = failed
        try:
            event = await work
        except Exception:
            log.exception("internal.error", homey=self.name)
        finally:
            # Even where the log fails: a keeper that waits for an outcome would wait for ever.
            self.post(event)

    def _begin_renewal(self, why: str) -> None:
        now = self._hands.clock.now()
        wish = self._state.wish
        forced = wish is not None and wish.forced
        log.debug("refresh.started", homey=self.name, why=why, forced=forced)
        self._state = self._state.attempted(now)
        self._facts = replace(self._facts, renewing=True, forced=forced, closed=None)
        self._set_back = timedelta(0)
        since = self._state.generation
        self._spawn(self._renew(since), failed=_Renewal(since, _internal()))

    async def _renew(self, since: int) -> Event:
        try:
            return _Renewal(
                since, await self._refresher.attempt(self._state, self._facts, self.plan)
            )
        except TokendError as error:
            return _Renewal(since, error)

    async def _reread(self) -> Event:
        try:
            return _Values(await self._refresher.read_values())
        except TokendError as error:
            log.debug("values.unreadable", homey=self.name, reason=error.message)
            return _Values(changed=False)

    def _begin_proof(self) -> None:
        token = self._held()
        self._facts = replace(self._facts, verifying=True)
        self._spawn(self._prove(token), failed=_Proof(token.generation, _internal()))

    async def _prove(self, token: Token) -> Event:
        question = prove(token.url, token.value, issued_at=token.issued_at)
        try:
            return _Proof(token.generation, await walk(question, self._hands.transport))
        except TokendError as error:
            return _Proof(token.generation, error)

    def _begin_delivery(self, target: str) -> None:
        token = self._held()
        self._facts = replace(self._facts, delivering=self._facts.delivering | {target})
        delivery = Delivery(self.name, token, self._state.sink(target).memory)
        self._spawn(
            self._deliver(target, delivery),
            failed=_Outcome(target, token.generation, _internal()),
        )

    async def _deliver(self, target: str, delivery: Delivery) -> Event:
        generation = delivery.token.generation
        try:
            async with asyncio.timeout(DELIVERY_DEADLINE_S):
                return _Outcome(target, generation, await self._hands.sinks[target].write(delivery))
        except TimeoutError:
            error: TokendError = Transient(f"the sink took longer than {DELIVERY_DEADLINE_S:.0f} s")
        except TokendError as failure:
            error = failure
        return _Outcome(target, generation, error)

    def _begin_check(self, target: str) -> None:
        token = self._held()
        self._facts = replace(self._facts, delivering=self._facts.delivering | {target})
        delivery = Delivery(self.name, token, self._state.sink(target).memory)
        self._spawn(
            self._check(target, delivery),
            failed=_Looked(target, token.generation, _internal()),
        )

    async def _check(self, target: str, delivery: Delivery) -> Event:
        sink, in_place = self._hands.sinks[target], True
        try:
            async with asyncio.timeout(DELIVERY_DEADLINE_S):
                if isinstance(sink, CheckableSink):
                    in_place = await sink.check(delivery)
        except TimeoutError:
            error: TokendError = Transient("the sink could not be looked at in time")
            return _Looked(target, delivery.token.generation, error)
        except TokendError as failure:
            return _Looked(target, delivery.token.generation, failure)
        return _Looked(target, delivery.token.generation, in_place)

    def _held(self) -> Token:
        token = self._state.token
        if token is None:
            raise IllegalEvent("no token is held")
        return token

    # --- outcomes ---

    async def _take(self, event: Event) -> None:
        """Remember what happened; what says something of an older token is dropped."""
        try:
            match event:
                case Asked(until, forced):
                    now = self._hands.clock.now()
                    self._state = self._state.asked(until, forced=forced, at=now)
                case Doubted(generation):
                    self._state = self._state.doubted(generation)
                case ClockSet(by):
                    self._set_back += min(by, timedelta(0))
                    await self._keep(self._state.shifted(by))
                case _Values(changed):
                    self._take_values(changed=changed)
                case _:
                    await self._take_result(event)
        except IllegalEvent as error:
            log.info("outcome.dropped", homey=self.name, reason=error.message)

    async def _take_result(self, event: _Renewal | _Proof | _Outcome | _Looked) -> None:
        match event:
            case _Renewal():
                await self._take_renewal(event)
            case _Proof():
                await self._take_proof(event)
            case _Outcome():
                await self._take_outcome(event)
            case _Looked():
                await self._take_look(event)

    async def _keep(self, state: HomeyState) -> None:
        """Disk before socket: the new state is in force once it is written down."""
        await self._hands.ledger.keep_homey(state)
        self._state = state

    def _take_values(self, *, changed: bool) -> None:
        self._reading = False
        if changed:
            self._facts = replace(self._facts, closed=None)
            log.info("values.changed", homey=self.name)

    async def _take_renewal(self, event: _Renewal) -> None:
        self._facts = replace(self._facts, renewing=False, forced=False)
        self.finished += 1
        clock, result = self._hands.clock, self._in_our_time(event.result)
        state = self._state.of_account(self._refresher.digests.account or self._state.account)
        if isinstance(result, Gate):
            self._facts = replace(self._facts, closed=result)
            return
        if isinstance(result, Bearer):
            fraction = self.plan.fraction(clock.draw())
            before = state.failure
            state = state.renewed(result, since=event.since, at=clock.now(), fraction=fraction)
            await self._keep(state)
            self._publish()  # who is told of the token must be able to read it
            self._herald.renewed(self._held(), result, clock.now())
            if before is not None:
                self._herald.recovered(before.trouble.count, clock.now())
            return
        if isinstance(result, Refused) and not isinstance(result, AccountRefused):
            digest = self._refresher.digests.site
            state = state.refused(result, digest=digest, at=clock.now(), draw=clock.draw())
        else:
            state = state.failed(result, at=clock.now(), draw=clock.draw())
        await self._keep(state)
        self._tell_failed(result)

    def _in_our_time(self, result: Bearer | Gate | TokendError) -> Bearer | Gate | TokendError:
        """A bearer whose instants may be from before the clock was set: never too late an end."""
        if not isinstance(result, Bearer):
            return result
        issued_at, expires_at = result.issued_at, result.expires_at
        return replace(
            result, issued_at=issued_at + self._set_back, expires_at=expires_at + self._set_back
        )

    def _tell_failed(self, error: TokendError) -> None:
        now = self._hands.clock.now()
        grave = isinstance(error, Refused) or in_must_window(self._state, now)
        self._herald.failed(error, self._look(), now, grave=grave)

    async def _take_proof(self, event: _Proof) -> None:
        self._facts = replace(self._facts, verifying=False)
        self.proofs += 1
        now, generation = self._hands.clock.now(), event.generation
        if isinstance(event.result, TokendError):
            self._state = self._state.not_answered(generation, now)
            log.info("token.not_proved", homey=self.name, reason=event.result.message)
            return
        taken, expires_at = event.result
        if not taken:
            await self._keep(self._state.was_revoked(generation, now))
            self._herald.revoked(generation, now)
            return
        self._state = self._state.proved(generation, now, expires_at)
        self._hands.ledger.note(self._state)
        log.debug("token.proved", homey=self.name, generation=generation)

    async def _take_outcome(self, event: _Outcome) -> None:
        target, generation, result = event.target, event.generation, event.result
        self._facts = replace(self._facts, delivering=self._facts.delivering - {target})
        now = self._hands.clock.now()
        if isinstance(result, Delivered):
            await self._keep(self._state.delivered(target, generation, result, now))
            self._herald.delivered(target, generation, result, now)
            return
        draw = self._hands.clock.draw()
        state = self._state.undelivered(target, generation, result, at=now, draw=draw)
        held = state.token is not None and state.token.generation == generation
        if isinstance(result, BearerRefused) and held:
            state = state.doubted(generation)
        await self._keep(state)
        self._herald.undelivered(target, generation, result, now)

    async def _take_look(self, event: _Looked) -> None:
        target, generation = event.target, event.generation
        self._facts = replace(self._facts, delivering=self._facts.delivering - {target})
        if event.in_place is False:
            await self._keep(self._state.drifted(target, generation))
            log.warning("sink.drifted", homey=self.name, sink=target, generation=generation)
            return
        self._state = self._state.checked(target, generation, self._hands.clock.now())
        if isinstance(event.in_place, TokendError):
            reason = event.in_place.message
            log.info("sink.not_checked", homey=self.name, sink=target, reason=reason)
            if isinstance(event.in_place, BearerRefused):
                self._state = self._state.doubted(generation)


def _internal() -> TokendError:
    return TokendError("an internal error; the log has its traceback", remedy="Please report it.")
