"""One Homey's keeper: decide, act, remember, publish.

It is the only writer of its state (``record``). Everything that takes time (a refresh,
a proof, each sink) runs in a task of its own (``errands``) and comes back as an event;
the keeper takes events one by one (``inbox``), so nothing that hangs holds up anything
else. It never naps: it tells the schedule when to wake it.
"""

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

import structlog

from homey_tokend.core import events, policy
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
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.ports import Notification, Sink
from homey_tokend.core.status import View
from homey_tokend.keeper.dependencies import Dependencies
from homey_tokend.keeper.jobs import Jobs
from homey_tokend.keeper.messages import ClockChanged, Message, RefreshRequested
from homey_tokend.keeper.notifications import Notifications
from homey_tokend.keeper.outcomes import Outcomes
from homey_tokend.keeper.report import Reporter, stamp
from homey_tokend.keeper.sign_in import Refresher

log = structlog.get_logger()


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
        self,
        name: str,
        *,
        url: str,
        plan: RefreshSettings,
        refresher: Refresher,
        hands: Dependencies,
    ) -> None:
        self.name = name
        #: Set while nothing is due and nothing under way.
        self.settled = asyncio.Event()
        #: Set when the keeper will publish no more.
        self.ended = False
        self._refresher = refresher
        self._hands = hands
        self._notices = Notifications(name, hands.listeners, self.ring)
        self._record = Outcomes(
            name,
            url=url,
            plan=plan,
            refresher=refresher,
            hands=hands,
            herald=Reporter(name, self._tell_on),
            publish=self._publish,
        )
        self._errands = Jobs(name, refresher, hands, self.post)
        self._inbox: deque[Message] = deque()
        self._wake = asyncio.Event()
        self._published = asyncio.Event()
        self._told = ""
        self.view = self._record.view()

    # --- what the doors see and say ---

    @property
    def state(self) -> HomeyState:
        """The state as it is now."""
        return self._record.state

    @property
    def finished(self) -> int:
        """How many attempts have ended, well or not."""
        return self._record.finished

    @property
    def proofs(self) -> int:
        """How many proofs have ended, whatever they said."""
        return self._record.proofs

    @property
    def plan(self) -> RefreshSettings:
        """What the configuration says to policy."""
        return self._record.plan

    def follow(self, plan: RefreshSettings) -> None:
        """From now on the configuration says this."""
        self._record.plan = plan

    @property
    def sinks(self) -> Mapping[str, Sink]:
        """The sinks it writes to, by target."""
        return self._hands.sinks

    @property
    def facts(self) -> Activity:
        """What is under way, with what the refresher holds."""
        return self._record.facts

    @property
    def person_waits(self) -> bool:
        """Whether a person has asked for a refresh that is still to begin."""
        wish, now = self._record.state.wish, self._hands.clock.now()
        return (wish is not None and wish.forced and now < wish.until) or any(
            isinstance(one, RefreshRequested) and one.forced for one in self._inbox
        )

    @property
    def account_key(self) -> str:
        """The account that the sign-in values name; empty while they are unknown."""
        return self._record.account_key

    def post(self, event: Message) -> None:
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
        # Before what waits already: that is taken, and stamped, with the clock as it is now.
        waiting = [
            replace(one, until=one.until + by) if isinstance(one, RefreshRequested) else one
            for one in self._inbox
        ]
        first = sum(isinstance(one, ClockChanged) for one in waiting)
        self._inbox = deque([*waiting[:first], ClockChanged(by), *waiting[first:]])
        self._wake.set()
        if self.view.token is not None:
            shown = replace(self._record.state, token=self.view.token).shifted(by).token
            self.view = replace(self.view, token=shown)

    @property
    def clock_sets(self) -> Sequence[timedelta]:
        """By how much the clock was set, each time, that is still to be taken."""
        return [one.by for one in self._inbox if isinstance(one, ClockChanged)]

    def inherit(self, clock_sets: Sequence[timedelta]) -> None:
        """Take over what the keeper of before was told of the clock and has not taken."""
        for by in clock_sets:
            self.clock_was_set(by)
        # By the new time, what is not moved yet may have seemed to be from the future.
        moved = self._record.state.shifted(sum(clock_sets, timedelta(0)))
        self.view = replace(self.view, token=moved.usable(self._hands.clock.now()))

    def look_for_new_values(self, *, commands: bool = False) -> None:
        """Read the sign-in values anew: after a refusal, others free the next try at once.

        Args:
            commands: Also where a command must be run for them.
        """
        allowed = commands or self._refresher.watched
        if allowed and not self._record.signing_in:
            self._record.reading_begins()
            self._errands.reread()

    async def next_view(self) -> View:
        """Wait until a view is published."""
        await self._published.wait()
        return self.view

    # --- the loop ---

    async def run(self) -> None:
        """Keep the token until cancelled."""
        self._tell_of_start()
        if self._record.unsure_of_refusals and not isinstance(self._decide(), Renew):
            # Until when the next sign-in is held back is told at once, not when one is due.
            self.look_for_new_values(commands=True)
        try:
            while True:
                self._wake.clear()
                self.settled.clear()
                while self._inbox:
                    await self._record.take(self._inbox.popleft())
                if self._act(self._decide()):
                    self._publish()
                    if not (self._record.busy or self._notices.busy):
                        self.settled.set()
                    await self._wake.wait()
        finally:
            self._hands.schedule.forget(self.name)
            # Side by side: each may have to wait for a command that is deaf to its end.
            await asyncio.gather(self._errands.stop(), self._notices.stop())
            self.ended = True
            self._published.set()

    def _tell_on(self, happened: events.Event) -> None:
        """To whoever listens within the daemon, and to the listeners outside."""
        self._hands.tell(happened)
        if isinstance(
            happened, events.TokenRenewed | events.RefreshFailed | events.RefreshRecovered
        ):
            held = self._record.state.usable(self._hands.clock.now())
            self._notices.take(Notification(happened, held))

    def _tell_of_start(self) -> None:
        """What is held and well is told anew: whoever listens may remember an older trouble."""
        now = self._hands.clock.now()
        state = self._record.state
        held = state.usable(now)
        if held is not None and state.failure is None:
            self._notices.take(Notification(events.RefreshRecovered(self.name, now, 0), held))

    def _decide(self) -> Decision:
        record, now = self._record, self._hands.clock.now()
        return policy.decide(record.state, record.account, record.facts, now, record.plan)

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
        record, errands = self._record, self._errands
        match decision:
            case Renew(why):
                errands.renew(*record.renewal_begins(why))
            case Deliver(targets):
                for target in targets:
                    errands.deliver(target, record.delivery_begins(target))
            case Verify():
                errands.prove(record.proof_begins())
            case Check(targets):
                for target in targets:
                    errands.check(target, record.delivery_begins(target))

    def _tell_when_blocked(self, decision: Wait | Blocked) -> None:
        told = decision.why if isinstance(decision, Blocked) else ""
        if told and told != self._told:
            log.error("refresh.waiting", homey=self.name, why=told, until=stamp(decision.until))
        self._told = told

    def _publish(self) -> None:
        self.view = self._record.view()
        self._published.set()
        self._published = asyncio.Event()
