"""The API proxy: ``/homeys/NAME/api/…`` is sent to the Homey with the bearer added.

Bodies stream both ways unchanged. ``target.py`` and ``headers.py`` have what is checked, added
and removed, ``limiter.py`` how many calls are under way, ``retry.py`` when a call is repeated.
"""

import asyncio
from collections.abc import Callable

import aiohttp
import structlog
from aiohttp import web

from homey_tokend.core.ports import Clock, TokenProvider
from homey_tokend.core.tokens import Token
from homey_tokend.http.errors import describe_error, host_and_port
from homey_tokend.http.session import FOREIGN
from homey_tokend.proxy.body import RequestBody
from homey_tokend.proxy.call import ProxyCall, ProxyLimits, failed_call, gateway_timeout
from homey_tokend.proxy.headers import response_headers
from homey_tokend.proxy.limiter import CallLimiter
from homey_tokend.proxy.retry import RetryingSender
from homey_tokend.proxy.target import check_request, request_target
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.proxy.variables import check_shows_no_variable
from homey_tokend.server.connection import connection_of
from homey_tokend.server.peers import Peer
from homey_tokend.server.responses import AT_ONCE

#: Whether a caller may see the token of a Homey, by its name, in what the Homey answers.
MaySeeToken = Callable[[Peer | None, str], bool]

#: The user of a connection whose peer is not known.
_NOBODY = -1

_log = structlog.get_logger()


class Forwarder:
    """The handler of the API proxy.

    Args:
        provider: Where the tokens come from.
        upstream: The HTTP session.
        clock: Measures pauses and durations.
        limits: How long a call may take.
        may_see_token: Whether every call of a caller is passed on.
    """

    def __init__(
        self,
        provider: TokenProvider,
        upstream: Upstream,
        clock: Clock,
        limits: ProxyLimits | None = None,
        *,
        may_see_token: MaySeeToken = lambda _peer, _homey: True,
    ) -> None:
        self._limits = limits or ProxyLimits()
        self._sender = RetryingSender(provider, upstream, self._limits)
        self._clock = clock
        self._may_see_token = may_see_token
        self._limiters: dict[str, CallLimiter] = {}

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Send the request to the Homey and stream its response.

        1. What may not be passed on is rejected: path, method, upgrade, headers.
        2. The body is read, as far as it is kept.
        3. The call waits in the queue of its Homey.
        4. A call that could show the token to a caller who may not read it is rejected: here,
           since a reload may have added a sink meanwhile.
        5. 401: the token is verified, refreshed if it is invalid, and the call repeated once;
           503 if it is invalid and no other comes in time.
           429: after a short wait that the Homey requests, the call is repeated once.
           Both only if the body was kept.
        6. The response streams; if it breaks off, so does ours.

        Raises:
            Problem: Nothing was passed on, or no response came.
        """
        name = request.match_info["name"]
        self._sender.view(name)
        target = request_target(request.raw_path, name)
        check_request(request)
        body = await RequestBody.read(request, self._limits.silence, self._limits.total)
        call = ProxyCall(request, name, target, body)
        limiter = self._limiters.get(name)
        if limiter is None:
            limiter = self._limiters[name] = CallLimiter(self._limits.queue, self._clock)
        peer = connection_of(request).peer
        async with limiter.slot(name, _NOBODY if peer is None else peer.uid):
            if not self._may_see_token(peer, name):
                check_shows_no_variable(request.method, target, name)
            return await self._within_total(call, limiter)

    async def _within_total(self, call: ProxyCall, limiter: CallLimiter) -> web.StreamResponse:
        start = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._limits.total.total_seconds()):
                token, upstream_response = await self._sender.send(call, limiter)
                try:
                    response = await self._stream(call, upstream_response, token)
                finally:
                    upstream_response.close()
        except TimeoutError as error:
            if call.response is None:
                raise gateway_timeout(call.homey, "the call took too long") from None
            _abort(call, describe_error(error, "the Homey"))
            return call.response
        _log.debug(
            "call.answered",
            homey=call.homey,
            method=call.request.method,
            status=response.status,
            ms=round(1e3 * (self._clock.monotonic() - start)),
        )
        return response

    async def _stream(
        self, call: ProxyCall, upstream_response: aiohttp.ClientResponse, token: Token
    ) -> web.StreamResponse:
        """Pass the response on; its first piece is awaited, so that a problem is still possible."""
        headers, dropped = response_headers(upstream_response.headers, token.value.reveal())
        if dropped:
            _log.warning("call.header_dropped", homey=call.homey, count=dropped)
        content = upstream_response.content
        try:
            piece = await content.readany()
        except FOREIGN as error:
            problem = failed_call(call, error, host_and_port(token.url), self._limits)
        else:
            whole = content.at_eof() and "Content-Length" in headers
            if whole and 0 < len(piece) <= AT_ONCE:
                # aiohttp sends it in one piece, after the slot is released.
                return web.Response(status=upstream_response.status, headers=headers, body=piece)
            response = web.StreamResponse(status=upstream_response.status, headers=headers)
            call.response = response
            await response.prepare(call.request)
            try:
                while piece:
                    await response.write(piece)
                    piece = await content.readany()
                await response.write_eof()
            except FOREIGN as error:
                _abort(call, describe_error(error, host_and_port(token.url)))
            return response
        raise problem


def _abort(call: ProxyCall, reason: str) -> None:
    """Break our response off where the Homey's broke off: it must not look complete."""
    transport = call.request.transport
    if transport is None or transport.is_closing():
        return  # the client left
    _log.info("call.aborted", homey=call.homey, reason=reason)
    transport.close()
