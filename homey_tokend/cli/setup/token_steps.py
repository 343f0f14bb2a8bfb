"""The way to a token for a person who is asked in between: ``SetupSteps``, step by step."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, Self, TypeVar

from homey_tokend import __version__
from homey_tokend.build import Runtime
from homey_tokend.cli.setup.session import SetupSteps
from homey_tokend.config import Config
from homey_tokend.core.errors import SignInExpired
from homey_tokend.core.secret import Credentials
from homey_tokend.core.tokens import Bearer, UserToken
from homey_tokend.http.transport import HttpTransport

T = TypeVar("T")


class SetupSession:
    """The way to a token, over one connection pool and one event loop.

    Args:
        config: As far as it is known.
        world: Clock, environment, and who hears of secrets and answers.
        who: The sign-in values; the Homey is named later.

    Every step raises KeyboardInterrupt on Ctrl-C, and what ``SetupSteps`` raises.
    """

    def __init__(self, config: Config, world: Runtime, who: Credentials) -> None:
        self._runner = asyncio.Runner()
        self._transport = HttpTransport(
            world.clock,
            timeout=config.refresh.timeout,
            environ=world.environ,
            user_agent=f"homey-tokend/{__version__}",
        )
        heard = world.heard
        self._steps = SetupSteps(
            transport=self._transport,
            endpoints=config.endpoints,
            lifetime=config.refresh.lifetime,
            clock=world.clock,
            hide=world.hide,
            heard=lambda request, response: heard("", request, response),
        )
        self._who = who
        self._user: UserToken

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._runner:
            self._runner.run(self._transport.close())

    def _run(self, step: Coroutine[Any, Any, T]) -> T:
        try:
            return self._runner.run(step)
        except asyncio.CancelledError:
            # asyncio forgets a Ctrl-C that comes just as a run begins, and nobody else cancels.
            raise KeyboardInterrupt from None

    def log_in(self) -> None:
        """Send the password."""
        self._user = self._run(self._steps.log_in(self._who))

    def past_the_code(self) -> None:
        """Wait until the one-time code that was sent is over."""
        self._run(self._steps.past_the_code(self._user))

    def homeys(self) -> dict[str, str]:
        """The account's Homeys, cloudid to name."""
        return self._run(self._steps.homeys(self._who, self._user))

    def pick(self, cloudid: str) -> None:
        """Name the Homey that is meant."""
        self._who = replace(self._who, cloudid=cloudid)

    def bearer(self) -> Bearer:
        """The rest of the way; once more from the login where that has ended meanwhile."""
        try:
            return self._run(self._steps.bearer(self._who, self._user))
        except SignInExpired:
            # The person thought longer than a sign-in lives.
            if self._who.totp_secret is not None:
                self.past_the_code()
            self.log_in()
            return self._run(self._steps.bearer(self._who, self._user))

    def variables(self, bearer: Bearer) -> dict[str, bool]:
        """The Homey's logic variables, and whether each is a text."""
        return self._run(self._steps.variables(bearer))
