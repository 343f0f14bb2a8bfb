"""The sign-in with a person watching (``check --online``).

Every step is printed with its duration, and a failure with its remedy. A password that goes
out counts against the account's budget like any other. No token is kept, served or written.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.config import HomeyConfig
from homey_tokend.core.decision import Activity, Constraint
from homey_tokend.core.errors import AlreadyRunning, TokendError
from homey_tokend.core.homey import RefreshRequest
from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.core.timefmt import rough_duration
from homey_tokend.core.tokens import Bearer, Token
from homey_tokend.runtime.workers import run_in_thread
from homey_tokend.sinks.logic_variable import LogicVariableSink

_NAME_WIDTH = max(len(step) for step in Step)
_STOP_FIRST = "homey-tokend status shows its last error; to test the sign-in, stop it first."


@dataclass(frozen=True, slots=True)
class StepPrinter:
    """Print the steps of a sign-in with ``print_line``."""

    print_line: Callable[[str], None]

    def on_response(self, request: Request, response: Response) -> None:
        """Print a step when its answer arrives."""
        took = (response.received_at - response.sent_at).total_seconds() * 1000
        self.line(request.step, f"{response.status}, {took:.0f} ms")

    def line(self, name: str, text: str) -> None:
        """Print one line."""
        self.print_line(f"  {name:<{_NAME_WIDTH}}  {text}")


@dataclass(frozen=True, slots=True)
class OnlineCheck:
    """Sign in to every Homey once and print each step; ``now`` returns the time."""

    components: Components
    now: Callable[[], datetime]
    printer: StepPrinter

    async def run(self) -> int:
        """Check all Homeys in turn, and close the components.

        Returns:
            The exit status, the worst of all Homeys.

        Raises:
            AlreadyRunning: A daemon is running; it owns the account's budget.
        """
        lock = self.components.lock()
        try:
            if lock is not None:
                await run_in_thread(lock.acquire)
        except AlreadyRunning as error:
            raise AlreadyRunning(error.message, remedy=_STOP_FIRST) from None
        try:
            await self.components.store.load()
            return max(
                [await self._check(homey) for homey in self.components.config.homeys.values()]
            )
        finally:
            if lock is not None:
                lock.release()
            await self.components.close()

    async def _check(self, homey: HomeyConfig) -> int:
        self.printer.print_line(f"{homey.name}:")
        try:
            bearer = await self._sign_in(homey)
        except TokendError as error:
            return self._failed(error)
        if isinstance(bearer, Constraint):
            self.printer.line("waiting", f"{bearer.why}, until {bearer.at:%Y-%m-%d %H:%M:%S} UTC")
            return exit_codes.TRY_LATER
        source = "reported by the Homey" if bearer.expiry_reported else "assumed; not reported"
        lifetime = rough_duration(bearer.expires_at - bearer.issued_at)
        self.printer.line("token", f"valid for {lifetime} ({source}); address {bearer.url}")
        if bearer.note:
            self.printer.line("note", bearer.note)
        sinks = [self.components.sink(sink) for sink in homey.sinks]
        variables = [sink for sink in sinks if isinstance(sink, LogicVariableSink)]
        return max([exit_codes.OK, *[await self._check_sink(one, bearer) for one in variables]])

    async def _sign_in(self, homey: HomeyConfig) -> Bearer | Constraint:
        components, now = self.components, self.now()
        store, sign_in = components.store, components.sign_ins[homey.name]
        await sign_in.read_values()
        state = store.homey(homey.name).with_cloudid(homey.cloudid)
        digests = sign_in.progress.digests
        account = store.account(digests.account)
        if account.rejection(digests.password) is not None:
            free_at = account.may_force_at(now)
            if free_at > now:
                return Constraint(
                    free_at, "the account was rejected, and both manual tries are used"
                )
            await store.keep_account(digests.account, account.was_forced(now))
        state = replace(state, request=RefreshRequest(now, forced=True))
        settings = components.settings[homey.name]
        return await sign_in.attempt(state, Activity(forced=True), settings)

    async def _check_sink(self, sink: LogicVariableSink, bearer: Bearer) -> int:
        token = Token(bearer.value, 0, bearer.url, bearer.issued_at, bearer.expires_at)
        try:
            self.printer.line("sink", f"{sink.target}: {await sink.describe(token)}")
        except TokendError as error:
            return self._failed(error, sink.target)
        return exit_codes.OK

    def _failed(self, error: TokendError, where: str = "") -> int:
        message = error.message.removeprefix(f"{error.step}: ")
        self.printer.line(where or str(error.step) or error.kind, f"FAILED: {message}")
        if error.remedy:
            self.printer.line("", f"What to do: {error.remedy}")
        return exit_codes.for_kind(error.kind)
