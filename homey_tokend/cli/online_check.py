"""The way to a token, rehearsed with a person watching (``check --online``).

Every step is named and timed; where one fails, what to do about it is said. A
password that goes out is written into the account's budget like any other. No
token is kept, served or written anywhere.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.config import HomeyConfig
from homey_tokend.core.decision import Activity, Constraint
from homey_tokend.core.errors import TokendError
from homey_tokend.core.homey import RefreshRequest
from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.core.tokens import Bearer, Token
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.sinks.logic_variable import LogicVariableSink

_NAMES = max(len(step) for step in Step)


@dataclass(frozen=True, slots=True)
class StepPrinter:
    """Tells a person line by line; ``say`` takes one."""

    say: Callable[[str], None]

    def heard(self, _name: str, request: Request, response: Response) -> None:
        """Tell one step as its answer comes in."""
        took = (response.received_at - response.sent_at).total_seconds() * 1000
        self.tell(request.step, f"{response.status}, {took:.0f} ms")

    def tell(self, name: str, words: str) -> None:
        """One line about a named thing."""
        self.say(f"  {name:<{_NAMES}}  {words}")


@dataclass(frozen=True, slots=True)
class OnlineCheck:
    """Walks the flow of every Homey once and tells each step; ``now`` gives the time."""

    parts: Components
    now: Callable[[], datetime]
    teller: StepPrinter

    async def run(self) -> int:
        """Rehearse all Homeys, one after another.

        Returns:
            The exit status, of several Homeys the worst.

        Raises:
            AlreadyRunning: a daemon runs; it owns the account's budget.
        """
        lock = self.parts.lock()
        if lock is not None:
            await run_in_thread(lock.acquire)
        try:
            await self.parts.ledger.load(self.now())
            statuses = [await self._homey(homey) for homey in self.parts.config.homeys.values()]
            return max(statuses)
        finally:
            if lock is not None:
                lock.release()
            await self.parts.close()

    async def _homey(self, homey: HomeyConfig) -> int:
        self.teller.say(f"{homey.name}:")
        try:
            bearer = await self._sign_in(homey)
            if isinstance(bearer, Constraint):
                self.teller.tell(
                    "held back", f"{bearer.why}, until {bearer.at:%Y-%m-%d %H:%M:%S} UTC"
                )
                return exit_codes.TRY_LATER
            life = bearer.expires_at - bearer.issued_at
            told = "as Homey tells" if bearer.expiry_reported else "assumed: Homey does not tell"
            self.teller.tell("token", f"good for {life} ({told}); address {bearer.url}")
            if bearer.note:
                self.teller.tell("note", bearer.note)
        except TokendError as error:
            return self._failed(error)
        return max(
            [exit_codes.OK, *[await self._variable(one, bearer) for one in self._sinks(homey)]]
        )

    async def _sign_in(self, homey: HomeyConfig) -> Bearer | Constraint:
        refresher = self.parts.refreshers[homey.name]
        await refresher.read_values()
        state = self.parts.ledger.homey(homey.name).of_homey(homey.cloudid)
        account, now = self.parts.accounts.state(refresher.digests.account), self.now()
        if account.refusal(refresher.digests.password) is not None:
            if account.may_force_at(now) > now:
                return Constraint(
                    account.may_force_at(now), "the account was rejected and tried again"
                )
            await self.parts.accounts.was_forced(refresher.digests.account, now)
        state = replace(state, wish=RefreshRequest(now, forced=True))
        return await refresher.attempt(state, Activity(forced=True), self.parts.plans[homey.name])

    def _sinks(self, homey: HomeyConfig) -> list[LogicVariableSink]:
        made = (self.parts.sink(sink) for sink in homey.sinks)
        return [sink for sink in made if isinstance(sink, LogicVariableSink)]

    async def _variable(self, sink: LogicVariableSink, bearer: Bearer) -> int:
        token = Token(bearer.value, 0, bearer.url, bearer.issued_at, bearer.expires_at)
        try:
            self.teller.tell("sink", f"{sink.target}: {await sink.look(token)}")
        except TokendError as error:
            return self._failed(error, sink.target)
        return exit_codes.OK

    def _failed(self, error: TokendError, where: str = "") -> int:
        name = where or str(error.step) or error.kind
        message = error.message.removeprefix(f"{error.step}: ")
        self.teller.tell(name, f"FAILED: {message}")
        if error.remedy:
            self.teller.tell("", f"What to do: {error.remedy}")
        return exit_codes.for_kind(error.kind)
