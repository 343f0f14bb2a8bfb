"""The tokens that calls are made with: the one that is held, or one that comes in time."""

from datetime import timedelta

import structlog

from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.server import problems

_log = structlog.get_logger()


class ProxyTokens:
    """Asks the desk for what a call needs.

    Args:
        desk: Where the tokens are.
        patience: How long a refresh may take, where the Homey refuses the token or none is held.
    """

    def __init__(self, desk: TokenProvider, patience: timedelta) -> None:
        self._desk = desk
        self._patience = patience

    async def newer(self, name: str, token: Token, *, again: bool) -> Token | None:
        """A token after the refused one.

        Args:
            name: The Homey's name.
            token: The one that the Homey refused.
            again: The call can be repeated; where it cannot, nobody waits for a token.

        Raises:
            Problem: 503, the token is dead and none came in time.
        """
        wait = self._patience if again else timedelta(0)
        view = self.view(name)
        if view.token is None or view.token.generation <= token.generation:
            view = await self._desk.refuted(name, token.generation, wait)
        if not again:
            return None
        newer = self._valid(view)
        if newer is None:
            raise problems.no_token(view, self._desk.now())
        if newer.generation <= token.generation:
            return None
        _log.info("call.retried", homey=name, generation=newer.generation)
        return newer

    async def held(self, name: str) -> Token:
        """The token held, or one that comes within the time of a refresh.

        Raises:
            Problem: 503, none came.
        """
        token = self._valid(self.view(name))
        if token is None:
            view = await self._desk.token_for(name, timedelta(0), self._patience)
            token = self._valid(view)
            if token is None:
                raise problems.no_token(view, self._desk.now())
        return token

    def _valid(self, view: View) -> Token | None:
        token = view.token
        return token if token is not None and token.valid(self._desk.now()) else None

    def view(self, name: str) -> View:
        """A Homey's view.

        Raises:
            Problem: 404, there is no such Homey.
        """
        try:
            return self._desk.view(name)
        except KeyError:
            raise problems.unknown_homey(name, list(self._desk.names())) from None
