"""A call's way to the Homey: asked once, and once more where that may help."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import structlog
from yarl import URL

from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.tokens import Token
from homey_tokend.http.errors import host_and_port
from homey_tokend.proxy import headers
from homey_tokend.proxy.body import RequestBody
from homey_tokend.proxy.calls import ProxyCall, ProxyLimits, bad_gateway, failed_call
from homey_tokend.proxy.limiter import CallLimiter
from homey_tokend.proxy.retry_after import retry_after_delay
from homey_tokend.proxy.tokens import ProxyTokens
from homey_tokend.proxy.upstream import FOREIGN, Upstream

_log = structlog.get_logger()


class RetryingSender:
    """Asks Homeys.

    Args:
        desk: What time it is there.
        bearers: The tokens.
        upstream: The way to the Homeys.
        limits: How long it may take.
    """

    def __init__(
        self, desk: TokenProvider, bearers: ProxyTokens, upstream: Upstream, limits: ProxyLimits
    ) -> None:
        self._desk = desk
        self._bearers = bearers
        self._upstream = upstream
        self._limits = limits

    async def final(
        self, call: ProxyCall, turns: CallLimiter
    ) -> tuple[Token, aiohttp.ClientResponse]:
        """The answer that the caller gets, after at most one more try for 401 and one for 429.

        Raises:
            Problem: There is none.
        """
        token = await self._bearers.held(call.homey)
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
        self, call: ProxyCall, answer: aiohttp.ClientResponse, token: Token, turns: CallLimiter
    ) -> Token | None:
        """The token to try once more with, when the time for it has come; None: no second try."""
        if answer.status == 401:
            return await self._bearers.newer(call.homey, token, again=call.body.kept is not None)
        wait = retry_after_delay(answer.headers.get("Retry-After"), self._desk.now())
        if not call.may_wait or wait > self._limits.again:
            return None
        _log.info("call.throttled", homey=call.homey, wait_s=round(wait.total_seconds(), 3))
        await turns.pause(wait.total_seconds())
        return await self._bearers.held(call.homey)

    async def _ask(self, call: ProxyCall, token: Token) -> aiohttp.ClientResponse:
        """Send the call; a Problem where no answer comes."""
        limits, body, loop = self._limits, call.body, asyncio.get_running_loop()
        url = URL(token.url + call.target, encoded=True)
        sent = headers.request_headers(
            call.request.headers, token.value.reveal(), _told_length(body)
        )
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
            problem = failed_call(call, error, host_and_port(url), limits)
        else:
            if answer.status >= 200:
                return answer
            answer.close()
            problem = bad_gateway(call.homey, "it answers with a protocol of its own")
        finally:
            over = True
        # Raised out here, so that no foreign exception, URL and all, hangs on as its context.
        raise problem


def _told_length(body: RequestBody) -> int | None:
    """The length to send: none for a request without a body, or one whose end nobody knows."""
    return None if body.kept == b"" else body.length
