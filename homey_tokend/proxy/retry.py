"""Send a call to the Homey with the current token, and once more if that may help."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta

import aiohttp
import structlog
from yarl import URL

from homey_tokend.core.http_types import parse_retry_after
from homey_tokend.core.ports import TokenProvider
from homey_tokend.core.status import View
from homey_tokend.core.tokens import Token
from homey_tokend.http.errors import host_and_port
from homey_tokend.http.session import FOREIGN
from homey_tokend.proxy.call import ProxyCall, ProxyLimits, bad_gateway, failed_call
from homey_tokend.proxy.headers import request_headers
from homey_tokend.proxy.limiter import CallLimiter
from homey_tokend.proxy.upstream import Upstream
from homey_tokend.server import problems

#: The delay after a 429 without a Retry-After.
DEFAULT_DELAY = timedelta(seconds=1)
#: The delay for an invalid Retry-After: too long to wait here, so the client gets the 429.
_FAR = timedelta(days=1)

_log = structlog.get_logger()


class RetryingSender:
    """Send calls to Homeys.

    Args:
        provider: Where the tokens come from.
        upstream: The HTTP session.
        limits: How long it may take.
    """

    def __init__(self, provider: TokenProvider, upstream: Upstream, limits: ProxyLimits) -> None:
        self._provider = provider
        self._upstream = upstream
        self._limits = limits

    async def send(
        self, call: ProxyCall, limiter: CallLimiter
    ) -> tuple[Token, aiohttp.ClientResponse]:
        """Return the response for the client, after at most one retry for 401 and one for 429.

        Raises:
            Problem: There is none.
        """
        token = await self._held_token(call.homey)
        response = await self._send_once(call, token)
        retried: set[int] = set()
        while response.status in {401, 429} - retried:
            retried.add(response.status)
            try:
                newer = await self._token_for_retry(call, response, token, limiter)
            except BaseException:
                response.close()
                raise
            if newer is None:
                break
            response.close()
            token = newer
            response = await self._send_once(call, token)
        return token, response

    def view(self, name: str) -> View:
        """Return a Homey's view.

        Raises:
            Problem: 404, there is no such Homey.
        """
        try:
            return self._provider.view(name)
        except KeyError:
            raise problems.unknown_homey(name, list(self._provider.names())) from None

    async def _token_for_retry(
        self, call: ProxyCall, response: aiohttp.ClientResponse, token: Token, limiter: CallLimiter
    ) -> Token | None:
        """Return the token for a retry once the time for it has come; None: no retry."""
        if response.status == 401:
            return await self._newer_token(call, token)
        wait = retry_after_delay(response.headers, self._provider.now())
        if not call.may_repeat or wait > self._limits.retry_after:
            return None
        _log.info("call.throttled", homey=call.homey, wait_s=round(wait.total_seconds(), 3))
        await limiter.pause(wait.total_seconds())
        return await self._held_token(call.homey)

    async def _newer_token(self, call: ProxyCall, rejected: Token) -> Token | None:
        """Return a token newer than the one the Homey rejected.

        If the call cannot be repeated, the token is verified all the same, without waiting.

        Raises:
            Problem: 503, the token is invalid and no other came in time.
        """
        name, may_repeat = call.homey, call.body.buffered is not None
        view = self.view(name)
        if view.token is None or view.token.generation <= rejected.generation:
            wait = self._limits.refresh if may_repeat else timedelta(0)
            view = await self._provider.token_rejected(name, rejected.generation, wait)
        if not may_repeat:
            return None
        newer = self._valid_token(view)
        if newer is None:
            raise problems.no_token(view, self._provider.now())
        if newer.generation <= rejected.generation:
            return None
        _log.info("call.retried", homey=name, generation=newer.generation)
        return newer

    async def _held_token(self, name: str) -> Token:
        """Return the current token, or one that comes within the time of a refresh.

        Raises:
            Problem: 503, none came.
        """
        token = self._valid_token(self.view(name))
        if token is None:
            view = await self._provider.token_for(name, timedelta(0), self._limits.refresh)
            token = self._valid_token(view)
            if token is None:
                raise problems.no_token(view, self._provider.now())
        return token

    def _valid_token(self, view: View) -> Token | None:
        token = view.token
        return token if token is not None and token.valid(self._provider.now()) else None

    async def _send_once(self, call: ProxyCall, token: Token) -> aiohttp.ClientResponse:
        limits, body, loop = self._limits, call.body, asyncio.get_running_loop()
        url = URL(token.url + call.target, encoded=True)
        # No length for a request without a body, or one whose end is not known.
        length = None if body.buffered == b"" else body.length
        headers = request_headers(call.request.headers, token.value.reveal(), length)
        done = False
        try:
            async with asyncio.timeout_at(
                loop.time() + (limits.connect + limits.silence).total_seconds()
            ) as deadline:

                def postpone() -> None:
                    # A Homey may begin its response before it has the whole body.
                    if not (done or deadline.expired()):
                        deadline.reschedule(loop.time() + limits.silence.total_seconds())

                data: bytes | AsyncIterator[bytes] | None = body.buffered
                if data is None:
                    data = body.stream(postpone)
                response = await self._upstream.send(
                    call.request.method,
                    url,
                    headers,
                    data or None,
                    connect=limits.connect,
                    silence=limits.silence,
                )
        except FOREIGN as error:
            address = host_and_port(url)
            remedy = self._upstream.remedy(error, address)
            problem = failed_call(call, error, address, limits, remedy)
        else:
            if response.status >= 200:
                return response
            response.close()
            problem = bad_gateway(call.homey, "it switches to another protocol")
        finally:
            done = True
        # Raised out here, so that no foreign exception with its URL stays as the context.
        raise problem


def retry_after_delay(headers: Mapping[str, str], now: datetime) -> timedelta:
    """Return the delay that a 429 asks for (RFC 9110, 10.2.3), at most a day.

    Args:
        headers: The header fields of the response.
        now: When it came.
    """
    text = headers.get("Retry-After")
    if text is None:
        return DEFAULT_DELAY
    wait = parse_retry_after(text, headers.get("Date"), now)
    return _FAR if wait is None else min(wait, _FAR)
