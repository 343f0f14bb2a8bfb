"""The forwarding door: ``/homeys/NAME/api/…`` is asked of the Homey, with the bearer added.

Bodies stream both ways as they are; what is checked, added and left out is said in
``acceptable.py``, ``paths.py`` and ``fields.py``, who may call when in ``turns.py``, and when a
Homey is asked once more in ``attempts.py``.
"""

import asyncio

import aiohttp
import structlog
from aiohttp import web

from homey_tokend.core.ports import Clock, TokenProvider
from homey_tokend.core.tokens import Token
from homey_tokend.http.errors import describe_error, host_and_port
from homey_tokend.proxy import headers
from homey_tokend.proxy.acceptable import check_request
from homey_tokend.proxy.body import RequestBody
from homey_tokend.proxy.calls import ProxyCall, ProxyLimits, failed_call, gateway_timeout
from homey_tokend.proxy.limiter import CallLimiter
from homey_tokend.proxy.retry import RetryingSender
from homey_tokend.proxy.target import request_target
from homey_tokend.proxy.tokens import ProxyTokens
from homey_tokend.proxy.upstream import FOREIGN, Upstream

_log = structlog.get_logger()


class Forwarder:
    """Passes calls on.

    Args:
        desk: Where the tokens are.
        upstream: The way to the Homeys.
        clock: How long a pause lasts.
        limits: How long everything else may take.
    """

    def __init__(
        self,
        desk: TokenProvider,
        upstream: Upstream,
        clock: Clock,
        limits: ProxyLimits | None = None,
    ) -> None:
        self._limits = limits or ProxyLimits()
        self._bearers = ProxyTokens(desk, self._limits.refresh)
        self._attempts = RetryingSender(desk, self._bearers, upstream, self._limits)
        self._clock = clock
        self._turns: dict[str, CallLimiter] = {}

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
        self._bearers.view(name)
        target = request_target(request.raw_path, name)
        check_request(request)
        body = await RequestBody.of(request, self._limits.silence, self._limits.whole)
        call = ProxyCall(request, name, target, body)
        turns = self._turns.get(name)
        if turns is None:
            turns = self._turns[name] = CallLimiter(self._limits.line, self._clock)
        async with turns.turn(name):
            return await self._within(call, turns)

    async def _within(self, call: ProxyCall, turns: CallLimiter) -> web.StreamResponse:
        """The call, within its whole time."""
        begun = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._limits.whole.total_seconds()):
                response = await self._carried(call, turns)
        except TimeoutError as error:
            if call.response is None:
                raise gateway_timeout(call.homey, "the call took too long") from None
            self._cut(call, describe_error(error, "the Homey"))
            return call.response
        _log.debug(
            "call.answered",
            homey=call.homey,
            method=call.request.method,
            status=response.status,
            ms=round(1e3 * (self._clock.monotonic() - begun)),
        )
        return response

    async def _carried(self, call: ProxyCall, turns: CallLimiter) -> web.StreamResponse:
        token, answer = await self._attempts.final(call, turns)
        try:
            return await self._stream(call, answer, token)
        finally:
            answer.close()

    async def _stream(
        self, call: ProxyCall, answer: aiohttp.ClientResponse, token: Token
    ) -> web.StreamResponse:
        """Pass the answer on, piece by piece; the first is waited for, so that we can still say no."""
        told, hidden = headers.response_headers(answer.headers, token.value.reveal())
        if hidden:
            _log.warning("call.header_dropped", homey=call.homey, count=hidden)
        try:
            first = await answer.content.readany()
        except FOREIGN as error:
            problem = failed_call(call, error, host_and_port(token.url), self._limits)
        else:
            call.response = web.StreamResponse(status=answer.status, headers=told)
            await call.response.prepare(call.request)
            try:
                await _pass_on(first, answer.content, call.response)
            except FOREIGN as error:
                self._cut(call, describe_error(error, host_and_port(token.url)))
            return call.response
        raise problem

    @staticmethod
    def _cut(call: ProxyCall, reason: str) -> None:
        """Break our answer off where the Homey's broke off: the caller must not take it for whole."""
        transport = call.request.transport
        if transport is None or transport.is_closing():
            return  # the caller left
        _log.info("call.aborted", homey=call.homey, reason=reason)
        transport.close()


async def _pass_on(
    piece: bytes, content: aiohttp.StreamReader, response: web.StreamResponse
) -> None:
    while piece:
        await response.write(piece)
        piece = await content.readany()
    await response.write_eof()
