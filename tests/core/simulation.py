"""A simulated keeper that runs from one wake-up to the next, without waiting.

Time jumps to each instant that policy names, so months take milliseconds.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import pairwise

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import (
    Activity,
    Blocked,
    Check,
    Deliver,
    RefreshSettings,
    Renew,
    Verify,
    Wait,
)
from homey_tokend.core.errors import (
    AccountRejected,
    ProtocolChanged,
    Rejected,
    TokendError,
    Transient,
)
from homey_tokend.core.failure import last_error_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Step
from homey_tokend.core.policy import decide, sign_in_constraint
from homey_tokend.core.tokens import DeliveryResult
from homey_tokend.core.totp import time_step
from tests.core.samples import IDLE, bearer
from tests.support.clock import NOON

#: The duration of each attempt.
_TAKES = timedelta(milliseconds=200)


@dataclass
class Simulation:
    """One Homey, and the responses of the servers.

    ``answer`` gives an error or None for a sign-in at an instant; ``draw`` the
    random numbers. ``tried`` has the time of each attempt, ``passwords`` that of each password.
    """

    answer: Callable[[datetime], TokendError | None]
    settings: RefreshSettings = field(default_factory=RefreshSettings)
    state: HomeyState = field(default_factory=lambda: HomeyState("home"))
    account: AccountState = field(default_factory=AccountState)
    activity: Activity = IDLE
    random: Callable[[], float] = lambda: 0.5
    life: timedelta = timedelta(hours=24)
    now: datetime = NOON
    tried: list[datetime] = field(default_factory=list)
    passwords: list[datetime] = field(default_factory=list)
    codes: list[int] = field(default_factory=list)
    renewed: list[datetime] = field(default_factory=list)
    held: list[tuple[datetime, datetime]] = field(default_factory=list)

    def live(self, until: datetime) -> None:
        """Run until an instant; a busy loop is an error."""
        acts = 0
        while self.now < until:
            decision = decide(self.state, self.account, self.activity, self.now, self.settings)
            if isinstance(decision, Wait | Blocked):
                assert decision.wake is not None
                assert decision.wake > self.now
                self.now, acts = min(decision.wake, until), 0
                continue
            acts += 1
            assert acts < 20, (decision, self.now)
            self._act(decision)

    def _act(self, decision: Renew | Deliver | Verify | Check) -> None:
        match decision:
            case Renew():
                self._attempt()
            case Deliver(targets):
                for target in targets:
                    self.state = self.state.delivered(
                        target, self.state.generation, DeliveryResult(), self.now
                    )
            case Check(targets):
                for target in targets:
                    self.state = self.state.checked(target, self.state.generation, self.now)
            case Verify():
                self.state = self.state.verified(self.state.generation, self.now, None)

    def _attempt(self) -> None:
        self.tried.append(self.now)
        forced = self.state.request is not None and self.state.request.forced
        self.state = self.state.attempted(self.now)
        activity = replace(self.activity, forced=forced)
        constraint = sign_in_constraint(self.state, self.account, activity, self.now, self.settings)
        assert constraint is None, "decide allowed this attempt"
        step = time_step(self.now) if self.settings.one_time else None
        if step is not None:
            self.codes.append(step)
        began = self.now
        self.account = self.account.signing_in(began, step)
        self.passwords.append(began)
        error = self.answer(began)
        self.now += _TAKES
        if error is None:
            self._succeed()
        else:
            self._fail(error)

    def _succeed(self) -> None:
        self.account = self.account.accepted(self.activity.sign_in.digests.password)
        self.state = self.state.renewed(
            bearer(at=self.now, life=self.life),
            since=self.state.generation,
            at=self.now,
            fraction=self.settings.fraction(self.random()),
        )
        self.renewed.append(self.now)
        self.held.append((self.now, self.now + self.life))

    def _fail(self, error: TokendError) -> None:
        activity, at, random = self.activity, self.now, self.random()
        if isinstance(error, Transient) and error.step == Step.LOGIN:
            self.account = self.account.not_judged()
        if isinstance(error, AccountRejected):
            self.account = self.account.rejected(
                activity.sign_in.digests.password, last_error_of(error, at)
            )
        elif not isinstance(error, ProtocolChanged):
            self.account = self.account.accepted(activity.sign_in.digests.password)
        if isinstance(error, Rejected) and not isinstance(error, AccountRejected):
            self.state = self.state.rejected(
                error, digest=activity.sign_in.digests.site, at=at, random=random
            )
        else:
            self.state = self.state.failed(error, at=at, random=random)


def gaps(instants: list[datetime]) -> list[timedelta]:
    """Return the spans between one instant and the next."""
    return [after - before for before, after in pairwise(instants)]


def most_within(span: timedelta, instants: list[datetime]) -> int:
    """Return the largest number of instants within any span of this length, its end excluded."""
    return max(
        (sum(start <= at < start + span for at in instants) for start in instants), default=0
    )
