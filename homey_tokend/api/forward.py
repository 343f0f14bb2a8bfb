"""The forwarding door: ``/homeys/NAME/api/…`` is asked of the Homey, with the bearer added.

Bodies stream both ways as they are; what is checked, added and left out is said in
``paths.py`` and ``fields.py``, who may call when in ``turns.py``.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import structlog
from aiohttp import web
from yarl import URL

from homey_tokend.api import fields, problems
from homey_tokend.api.acceptable import check
from homey_tokend.api.bodies import Body, bad_body, stalled
from homey_tokend.api.paths import target_of
from homey_tokend.api.patience import waited_for
from homey_tokend.api.problems import Problem
from homey_tokend.api.turns import Line, Turns
from homey_tokend.api.upstream import FOREIGN, Upstream
from homey_tokend.model import Token, View
from homey_tokend.ports import Clock, Desk
from homey_tokend.transport_errors import address_of, explain

_log = structlog.get_logger()

#: Sending these twice does what sending them once does (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class Limits:
    """How long a call may take.

    Args:
        connect: A connection (TCP, TLS).
        silence: Nothing from the Homey, or nothing of the caller's body.
        whole: All of one call, once it has its turn; before that, a short body.
        refresh: A refresh, where the Homey refuses the token or none is held.
        again: A wait that the Homey asks for with 429; longer ones are the caller's.
        line: How many at once.
    """

    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=30)
    whole: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(seconds=30)
    again: timedelta = timedelta(seconds=10)
    line: Line = field(default_factory=Line)


@dataclass(slots=True)
class _Call:
    """One request as it goes to the Homey, once or again; ``response`` once ours has begun."""

    request: web.Request
    homey: str
    target: str
    body: Body
    response: web.StreamResponse | None = None

    @property
    def may_wait(self) -> bool:
        """Whether it may be sent again after a 429."""
        return self.request.method in _IDEMPOTENT and self.body.kept is not None


class Forwarder:
    """Passes calls on.

    Args:
        desk: Where the tokens are.
        upstream: The way to the Homeys.
        clock: How long a pause lasts.
        limits: How long everything else may take.
    """

    def __init__(
        self, desk: Desk, upstream: Upstream, clock: Clock, limits: Limits | None = None
    ) -> None:
        self._desk = desk
        self._upstream = upstream
        self._clock = clock
        self._limits = limits or Limits()
        self._turns: dict[str, Turns] = {}

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Ask the Homey, and stream its answer.

        1. What may not be passed on is refused: path, method, upgrade, headers.
        2. The body is read, as far as it is kept.
        3. The call waits for its turn.
        4. 401: the token is proved, refreshed if it is dead, and the call sent once more;
           503 where it is dead and no other comes in time.
           429: a short wait that the Homey asks for is kept, and the call sent once more.
           Both only where the body was kept.
        5. The answer streams; where it breaks off, so does ours.

        Raises:
            Problem: nothing was passed on, or no answer came.
        """
        name = request.match_info["name"]
        self._view(name)
        target = target_of(request.raw_path, name)
        check(request)
        body = await Body.of(request, self._limits.silence, self._limits.whole)
        call = _Call(request, name, target, body)
        turns = self._turns.get(name)
        if turns is None:
            turns = self._turns[name] = Turns(self._limits.line, self._clock)
        async with turns.turn(name):
            return await self._within(call, turns)

    async def _within(self, call: _Call, turns: Turns) -> web.StreamResponse:
        """The call, within its whole time."""
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._limits.whole.total_seconds()):
                response = await self._carried(call, turns)
        except TimeoutError as error:
            if call.response is None:
                raise _too_late(call.homey, "the call took too long") from None
            self._cut(call, explain(error, "the Homey"))
            return call.response
        _log.debug(
            "call.answered",
            homey=call.homey,
            method=call.request.method,
            status=response.status,
            ms=round(1e3 * (self._clock.monotonic() - begun)),
        )
        return response

    async def _carried(self, call: _Call, turns: Turns) -> web.StreamResponse:
        token, answer = await self._final(call, turns)
        try:
            return await self._stream(call, answer, token)
        finally:
            answer.close()

    async def _final(self, call: _Call, turns: Turns) -> tuple[Token, aiohttp.ClientResponse]:
        """The answer that the caller gets, after at most one more try for 401 and one for 429."""
        token = await self._token(call.homey)
        answer = await self._ask(call, token)
        spent: set[int] = set()
        while answer.status in {401, 429} - spent:
            spent.add(answer.status)
            try:
                newer = await self._before_again(call, answer, token, turns)
            except BaseException:
                answer.close()
                raise
            if newer is None:
                break
            answer.close()
            token = newer
            answer = await self._ask(call, token)
        return token, answer

    async def _before_again(
        self, call: _Call, answer: aiohttp.ClientResponse, token: Token, turns: Turns
    ) -> Token | None:
        """The token to try once more with, when the time for it has come; None: no second try."""
        if answer.status == 401:
            return await self._newer(call, token)
        wait = waited_for(answer.headers.get("Retry-After"), self._desk.now())
        if not call.may_wait or wait > self._limits.again:
            return None
        _log.info("call.asked_to_wait", homey=call.homey, wait_s=round(wait.total_seconds(), 3))
        await turns.pause(wait.total_seconds())
        return await self._token(call.homey)

    async def _newer(self, call: _Call, token: Token) -> Token | None:
        """A token after the refused one; where the call cannot be repeated nobody waits for it.

        Raises:
            Problem: 503, the token is dead and none came in time.
        """
        again = call.body.kept is not None
        wait = self._limits.refresh if again else timedelta(0)
        view = self._view(call.homey)
        if view.token is None or view.token.generation <= token.generation:
            view = await self._desk.refuted(call.homey, token.generation, wait)
        if not again:
            return None
        newer = self._valid(view)
        if newer is None:
            raise problems.no_token(view, self._desk.now())
        if newer.generation <= token.generation:
            return None
        _log.info("call.repeated", homey=call.homey, generation=newer.generation)
        return newer

    async def _token(self, name: str) -> Token:
        """The token held, or one that comes within the time of a refresh."""
        token = self._valid(self._view(name))
        if token is None:
            view = await self._desk.token_for(name, timedelta(0), self._limits.refresh)
            token = self._valid(view)
            if token is None:
                raise problems.no_token(view, self._desk.now())
        return token

    def _valid(self, view: View) -> Token | None:
        token = view.token
        return token if token is not None and token.valid(self._desk.now()) else None

    def _view(self, name: str) -> View:
        try:
            return self._desk.view(name)
        except KeyError:
            raise problems.unknown_homey(name, list(self._desk.names())) from None

    async def _ask(self, call: _Call, token: Token) -> aiohttp.ClientResponse:
        """Send the call; a Problem where no answer comes."""
        limits, body, loop = self._limits, call.body, asyncio.get_running_loop()
        url = URL(token.url + call.target, encoded=True)
        sent = fields.to_send(call.request.headers, token.value.reveal(), _told_length(body))
        over = False
        try:
            async with asyncio.timeout_at(
                loop.time() + (limits.connect + limits.silence).total_seconds()
            ) as limit:

                def put_off() -> None:
                    # A Homey may begin its answer before it has the whole body.
                    if not (over or limit.expired()):
                        limit.reschedule(loop.time() + limits.silence.total_seconds())

                data: bytes | AsyncIterator[bytes] | None = body.kept
                if data is None:
                    data = body.stream(put_off)
                answer = await self._upstream.ask(
                    call.request.method,
                    url,
                    sent,
                    data or None,
                    connect=limits.connect,
                    silence=limits.silence,
                )
        except FOREIGN as error:
            problem = self._no_answer(call, error, address_of(url))
        else:
            if answer.status >= 200:
                return answer
            answer.close()
            problem = _unreachable(call.homey, "it answers with a protocol of its own")
        finally:
            over = True
        # Raised out here, so that no foreign exception, URL and all, hangs on as its context.
        raise problem

    def _no_answer(self, call: _Call, error: BaseException, address: str) -> Problem:
        if call.body.broken:
            return bad_body()
        if isinstance(error, TimeoutError) and call.body.awaited:
            return stalled(self._limits.silence.total_seconds())
        reason = explain(error, address)
        _log.info("call.failed", homey=call.homey, reason=reason, cause=type(error).__name__)
        if isinstance(error, TimeoutError):
            return _too_late(call.homey, reason)
        return _unreachable(call.homey, reason)

    async def _stream(
        self, call: _Call, answer: aiohttp.ClientResponse, token: Token
    ) -> web.StreamResponse:
        """Pass the answer on, piece by piece; the first is waited for, so that we can still say no."""
        told, hidden = fields.to_tell(answer.headers, token.value.reveal())
        if hidden:
            _log.warning("call.header_dropped", homey=call.homey, count=hidden)
        try:
            first = await answer.content.readany()
        except FOREIGN as error:
            problem = self._no_answer(call, error, address_of(token.url))
        else:
            call.response = web.StreamResponse(status=answer.status, headers=told)
            await call.response.prepare(call.request)
            try:
                await _pass_on(first, answer.content, call.response)
            except FOREIGN as error:
                self._cut(call, explain(error, address_of(token.url)))
            return call.response
        raise problem

    @staticmethod
    def _cut(call: _Call, reason: str) -> None:
        """Break our answer off where the Homey's broke off: the caller must not take it for whole."""
        transport = call.request.transport
        if transport is None or transport.is_closing():
            return  # the caller left
        _log.info("call.cut", homey=call.homey, reason=reason)
        transport.close()


async def _pass_on(
    piece: bytes, content: aiohttp.StreamReader, response: web.StreamResponse
) -> None:
    while piece:
        await response.write(piece)
        piece = await content.readany()
    await response.write_eof()


def _told_length(body: Body) -> int | None:
    """The length to send: none for a request without a body, or one whose end nobody knows."""
    return None if body.kept == b"" else body.length


def _too_late(homey: str, reason: str) -> Problem:
    return Problem(504, "too-late", f"{homey}: {reason}", kind="too_late", more={"homey": homey})


def _unreachable(homey: str, reason: str) -> Problem:
    return Problem(
        502, "unreachable", f"{homey}: {reason}", kind="unreachable", more={"homey": homey}
    )
