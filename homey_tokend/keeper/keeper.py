"""The keeper of one Homey: apply messages, decide, start jobs, publish.

It is the only writer of its state. What takes time runs as a job in a task of its own, and its
result comes back as a message, so a job that hangs delays nothing else.
"""

import asyncio
from collections import deque
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any

from homey_tokend.athom.urls import fallback_url
from homey_tokend.core import outcomes, policy
from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import (
    Activity,
    Blocked,
    Check,
    Decision,
    Deliver,
    RefreshSettings,
    Renew,
    Verify,
    Wait,
)
from homey_tokend.core.events import Emit, Event, Level, LogEntry, RefreshRecovered, ignore_event
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.messages import ClockChanged, Message, RefreshRequested
from homey_tokend.core.ports import (
    CheckableSink,
    Notifier,
    ProbedSink,
    Scheduler,
    Sink,
    Transport,
)
from homey_tokend.core.status import View, view_of
from homey_tokend.core.timeline import shift
from homey_tokend.core.tokens import Delivery
from homey_tokend.keeper import jobs
from homey_tokend.keeper.notifications import Notifications
from homey_tokend.keeper.sign_in import SignIn
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.storage.store import StateStore


class Keeper:
    """Keep one Homey's token.

    Args:
        settings: The settings of policy.
        sign_in: Gets a new bearer.
        clock: Time and randomness.
        scheduler: Wakes the keeper when something is due.
        transport: Sends the requests that verify a token.
        store: Keeps the state across restarts.
        sinks: Where the token is written, by target.
        notifiers: What is notified of refreshes, by target.
        emit: Called with each event.
        deadline_s: The longest time in seconds for one delivery or notification.
    """

    def __init__(  # noqa: PLR0913  its dependencies, each by its name
        self,
        *,
        settings: RefreshSettings,
        sign_in: SignIn,
        clock: SteadyClock,
        scheduler: Scheduler,
        transport: Transport,
        store: StateStore,
        sinks: Mapping[str, Sink] | None = None,
        notifiers: Mapping[str, Notifier] | None = None,
        emit: Emit = ignore_event,
        deadline_s: float = jobs.DEADLINE_S,
    ) -> None:
        homey = sign_in.homey
        self.name = homey.name
        #: The settings of policy; a reload may replace them.
        self.settings = settings
        self.sinks: Mapping[str, Sink] = sinks or {}
        #: Set while nothing is due or running.
        self.settled = asyncio.Event()
        #: Whether the keeper has ended, and publishes no more views.
        self.ended = False
        self._url = fallback_url(homey.target())
        self._sign_in = sign_in
        self._clock = clock
        self._scheduler = scheduler
        self._transport = transport
        self._store = store
        self._emit_to_all = emit
        self._deadline_s = deadline_s
        self._notifications = Notifications(
            homey.name, (notifiers or {}).values(), self.wake, deadline_s
        )
        self._messages: deque[Message] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        self._published = asyncio.Event()
        self._blocked_reason = ""
        state = store.homey(homey.name).with_cloudid(homey.cloudid).keeper_started()
        state = state.clock_set(clock.offset)
        # A new address applies at once to the stored token: the old one may not work any more.
        self.state: HomeyState = state.with_url(homey.url or state.url or self._url)
        self.activity = Activity(sign_in=sign_in.progress, offset=clock.offset)
        self.view = self._view_of(self.state)

    # --- for callers ---

    @property
    def account_key(self) -> str:
        """Return the key of the account; empty while the credentials are unknown."""
        return self.activity.account_of(self.state)

    @property
    def forced_refresh_pending(self) -> bool:
        """Return whether a person requested a refresh that has not started yet."""
        request, now = self.state.request, self._clock.now()
        return (request is not None and request.forced and now < request.until) or any(
            isinstance(one, RefreshRequested) and one.forced for one in self._messages
        )

    @property
    def idle(self) -> bool:
        """Return whether nothing is due or running, and no message is waiting."""
        return self.settled.is_set() and not self._wake.is_set()

    def post(self, message: Message) -> None:
        """Queue a message; messages are applied in order."""
        self._messages.append(message)
        self._wake.set()

    def wake(self) -> None:
        """Make the keeper decide again."""
        self._wake.set()

    def clock_changed(self) -> None:
        """Handle a wall clock that was set: update the view at once, and post a message."""
        offset = self._clock.offset
        self.post(ClockChanged(offset))
        # The message may have to wait for the disk, but a loaded token may now expire earlier.
        self.view = self._view_of(self.state.clock_set(offset))

    def read_credentials(self, *, commands: bool = False) -> None:
        """Start reading the credentials, unless that is running; new ones end a rejection's wait.

        Args:
            commands: Read them even if that runs a command.
        """
        allowed = commands or self._sign_in.homey.watched
        if allowed and not (self.activity.reading or self.activity.refreshing):
            self.activity = replace(self.activity, reading=True)
            self._start(jobs.read_credentials(self.name, self._sign_in))

    async def next_view(self) -> View:
        """Wait for the next view."""
        await self._published.wait()
        return self.view

    # --- the loop ---

    async def run(self) -> None:
        """Keep the token until cancelled."""
        self._begin()
        try:
            while True:
                self._wake.clear()
                while self._messages:
                    await self._apply(self._messages.popleft())
                decision = self._decide()
                if isinstance(decision, Wait | Blocked):
                    await self._wait(decision)
                else:
                    self._act(decision)
        finally:
            self._scheduler.forget(self.name)
            for task in self._tasks:
                task.cancel()
            # All at once, because each may have to wait for a command that ignores SIGTERM.
            await asyncio.gather(*self._tasks, self._notifications.stop(), return_exceptions=True)
            self.ended = True
            self._published.set()

    async def _apply(self, message: Message) -> None:
        context = outcomes.Context(
            self._store.accounts,
            self.settings,
            self._clock.now(),
            self._clock.random(),
        )
        change = outcomes.apply(self.state, self.activity, message, context)
        # Disk before socket: nobody gets a token that may be lost.
        await self._store.keep_homey(change.state, write=change.save)
        self.state, self.activity = change.state, change.activity
        # Socket before sinks: a client that hears of a token must be able to read it.
        self._publish()
        for event in change.events:
            self._emit(event)

    async def _wait(self, decision: Wait | Blocked) -> None:
        blocked = decision.why if isinstance(decision, Blocked) else ""
        if blocked and blocked != self._blocked_reason:
            fields = {"why": blocked, "until": decision.until}
            self._log(Level.ERROR, "refresh.waiting", fields)
        self._blocked_reason = blocked
        if decision.wake is not None:
            self._scheduler.wake_at(self.name, decision.wake, self.wake)
        self._publish()
        if not (self.activity.busy or self._notifications.busy):
            self.settled.set()
        await self._wake.wait()
        self.settled.clear()

    def _begin(self) -> None:
        for sink in self.sinks.values():
            if isinstance(sink, ProbedSink):
                self._run(jobs.probe(self.name, sink))
        now = self._clock.now()
        if self.state.usable(now) is not None and self.state.failure is None:
            # A notifier may still show a failure of the previous run.
            recovered = RefreshRecovered(self.name, now, 0)
            self._notifications.post(*shift((recovered, self.view.token), self._clock.offset))
        rejected = self.state.rejection is not None or self._account.rejections
        unknown = not self.activity.sign_in.digests.account
        if rejected and unknown and not isinstance(self._decide(), Renew):
            # With the credentials it is known at once until when sign-ins are blocked.
            self.read_credentials(commands=True)

    # --- jobs ---

    def _act(self, decision: Renew | Deliver | Verify | Check) -> None:
        match decision:
            case Renew(why):
                self._renew(why)
            case Deliver(targets):
                for target in targets:
                    self._start(
                        jobs.deliver(self.sinks[target], self._delivery(target), self._deadline_s)
                    )
            case Verify():
                self._verify()
            case Check(targets):
                for target in targets:
                    sink = self.sinks[target]
                    if isinstance(sink, CheckableSink):
                        self._start(jobs.check(sink, self._delivery(target), self._deadline_s))

    def _renew(self, why: str) -> None:
        request = self.state.request
        forced = request is not None and request.forced
        self._log(Level.DEBUG, "refresh.started", {"why": why, "forced": forced})
        self.state = self.state.attempted(self._clock.now())
        self.activity = replace(
            self.activity,
            refreshing=True,
            forced=forced,
            blocked=None,
        )
        self._start(jobs.refresh(self._sign_in, self.state, self.activity, self.settings))

    def _verify(self) -> None:
        token = self.state.held(self.state.generation)
        self.activity = replace(self.activity, verifying=True)
        self._start(jobs.verify(self.name, self._transport, token))

    def _delivery(self, target: str) -> Delivery:
        self.activity = replace(
            self.activity,
            delivering=self.activity.delivering | {target},
            outdated=self.activity.outdated - {target},
        )
        token = shift(self.state.held(self.state.generation), self._clock.offset)
        return Delivery(self.name, token, self.state.sink(target).memory)

    def _start(self, job: Coroutine[Any, Any, Message]) -> None:
        async def post() -> None:
            self.post(await job)

        self._run(post())

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"{self.name}:job")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # --- decisions and reports ---

    @property
    def _account(self) -> AccountState:
        return self._store.account(self.account_key)

    def _decide(self) -> Decision:
        now = self._clock.now()
        return policy.decide(self.state, self._account, self.activity, now, self.settings)

    def _view_of(self, state: HomeyState) -> View:
        url = self._sign_in.homey.url or state.url or self._url
        now = self._clock.now()
        return view_of(
            state,
            self._account,
            self.activity,
            now,
            self.settings,
            url,
            storage_error=self._store.error,
        )

    def _publish(self) -> None:
        self.view = self._view_of(self.state)
        self._published.set()
        self._published = asyncio.Event()

    def _log(self, level: Level, name: str, fields: Mapping[str, object]) -> None:
        self._emit(LogEntry(self.name, self._clock.now(), level, name, fields))

    def _emit(self, event: Event | LogEntry) -> None:
        event, token = shift((event, self.view.token), self._clock.offset)
        self._emit_to_all(event)
        self._notifications.post(event, token)
