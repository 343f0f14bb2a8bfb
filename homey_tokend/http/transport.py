"""Send requests with aiohttp (``ports.Transport``).

The caller handles cookies. Redirects are followed here (at most three, same origin). No
connection is kept: a few requests a day are not worth one that is dead after a suspend. A request
without a response is repeated here, by tenacity, if that does no harm; statuses are not examined.
"""

import socket
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote, urlencode

import aiohttp
import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from yarl import URL

from homey_tokend.core.errors import ProtocolChanged, UnreadableResponse
from homey_tokend.core.http_types import Repeat, Request, Response, cookie_header
from homey_tokend.core.ports import Clock
from homey_tokend.core.secret import Secret
from homey_tokend.http.body import read_body
from homey_tokend.http.errors import NoAnswer, describe_error, host_and_port
from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.http.session import FOREIGN, UNREADABLE, TlsContext, open_session
from homey_tokend.http.unreadable import describe_unreadable

#: How often, and within which time, a request without a response is sent. Short failures of the
#: network are over within seconds; for longer ones policy decides when to try again.
TRIES = 3
TRIES_WITHIN = timedelta(seconds=30)

#: The longest time for a connection: below half of ``TRIES_WITHIN``, so that one address of
#: several that does not respond does not use all of it up.
_CONNECT_WITHIN = timedelta(seconds=10)

#: The most redirects that are followed, if a request allows it.
_MAX_REDIRECTS = 3

#: The most connections at once: more than all Homeys of one daemon need.
_CONNECTIONS = 64

_HEADERS = {
    "Accept": "application/json, text/html;q=0.9, */*;q=0.1",
    # Not compressed: 48 KB of gzip can be 50 MB.
    "Accept-Encoding": "identity",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})

log = structlog.get_logger()


@dataclass(slots=True)
class _Try:
    """One try: its deadline by the monotonic clock, and whether the request may have been sent."""

    until: float
    sent: bool = False


class _ConnectionBroke(Exception):
    """Wraps an error after which aiohttp would send a GET or PUT again by itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class HttpTransport:
    """Send requests over HTTP and verified TLS.

    Args:
        clock: Time and randomness.
        timeout: The longest time for one HTTP request, including its response.
        environ: The environment with the proxies. OpenSSL reads ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR`` from the process's own environment.
        user_agent: The value of the User-Agent header.
        ssl_context: For tests; the default verifies with the system's authorities.
        look_up: Finds the addresses of a name, like ``socket.getaddrinfo``.

    Raises:
        ValueError: The given context does not verify.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        timeout: timedelta,
        environ: Mapping[str, str],
        user_agent: str,
        ssl_context: ssl.SSLContext | None = None,
        look_up: Callable[..., list[Any]] = socket.getaddrinfo,
    ) -> None:
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._proxies = ProxySettings(environ)
        self._user_agent = user_agent
        self._tls = TlsContext(environ, ssl_context)
        self._look_up = look_up
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Send one request, up to three times if there is no response.

        A request that uses up something (``Repeat.UNSENT``) is sent again only if it was not
        sent. All tries end within 30 s, or within ``timeout`` if that is longer.

        Raises:
            NoAnswer: There is no response (an ``errors.Unreachable``).
            UnreadableResponse: The response is not HTTP, too large or cannot be decoded.
            ProtocolChanged: There are more than three redirects.
        """
        if request.after:
            await self._clock.sleep(request.after.total_seconds())
        until = self._clock.monotonic() + max(TRIES_WITHIN.total_seconds(), self._timeout)

        def stop(state: RetryCallState) -> bool:
            # tenacity's stop_after_delay reads a clock that tests cannot set.
            late = self._clock.monotonic() + state.upcoming_sleep >= until
            return late or state.attempt_number >= TRIES

        tries = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop,
            wait=self._wait,
            retry=retry_if_exception(lambda error: _may_repeat(request, error)),
            before_sleep=_log_retry,
            reraise=True,
        )
        response: Response = await tries(self._try, request, until)
        return response

    async def close(self) -> None:
        """Abort running requests; later ones fail."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _wait(self, state: RetryCallState) -> float:
        # Before the second try 0.5 to 1 s, then twice that.
        most = 2.0 ** (state.attempt_number - 1)
        return most / 2 + most / 2 * self._clock.random()

    async def _try(self, request: Request, until: float) -> Response:
        attempt = _Try(min(until, self._clock.monotonic() + self._timeout))
        error: Exception
        try:
            return await self._follow(request, attempt)
        except _ConnectionBroke as broken:
            error = broken.error
        except FOREIGN as foreign:
            error = foreign
        # Raised outside of the handlers, so that no foreign exception, whose text contains the
        # URL, becomes its context.
        address = host_and_port(request.url)
        if attempt.sent and isinstance(error, UNREADABLE):
            sent = (Secret(value) for _, value in request.form or ())
            raise UnreadableResponse(
                describe_unreadable(error, address, sent),
                step=request.step,
                remedy="Look for a proxy or firewall between; Athom itself answers in HTTP.",
            )
        raise NoAnswer(
            describe_error(error, address),
            cause=type(error).__name__,
            step=request.step,
            remedy=self._tls.remedy(error, address),
            sent=attempt.sent,
        )

    async def _follow(self, request: Request, attempt: _Try) -> Response:
        """Send the request and follow its redirects; the response has the cookies of all of them."""
        url, headers = _url_of(request), _headers_of(request, self._user_agent)
        cookies: tuple[str, ...] = ()
        for _ in range(_MAX_REDIRECTS + 1):
            response = await self._exchange(request, url, headers, attempt)
            target = _next_redirect(request, url, response)
            if target is None:
                earlier = tuple(("set-cookie", cookie) for cookie in cookies)
                return replace(response, headers=earlier + response.headers)
            cookies += response.all_headers("set-cookie")
            if line := cookie_header(cookies, request.headers.get("Cookie", "")):
                headers["Cookie"] = line
            url = target
        raise ProtocolChanged(
            f"{host_and_port(url)} redirects more than {_MAX_REDIRECTS} times", step=request.step
        )

    async def _exchange(
        self, request: Request, url: URL, headers: Mapping[str, str], attempt: _Try
    ) -> Response:
        proxy = self._proxies.of(url)
        sent_at = self._clock.now()
        session = await self._open_session()
        async with session.request(
            request.method,
            url,
            headers=headers,
            data=urlencode(request.form).encode("ascii") if request.form is not None else None,
            json=request.json,
            allow_redirects=False,
            timeout=self._time_left(attempt),
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            trace_request_ctx=attempt,
        ) as answer:
            body = await read_body(answer, host_and_port(url), step=request.step)
            response = Response(
                status=answer.status,
                headers=tuple(
                    (name.decode("latin-1").lower(), value.decode("utf-8", "replace"))
                    for name, value in answer.raw_headers
                ),
                body=body,
                sent_at=sent_at,
                received_at=self._clock.now(),
                trusted=url.scheme == "https",
            )
        log.debug(
            "request.answered",
            step=request.step,
            address=host_and_port(url),
            status=response.status,
        )
        return response

    def _time_left(self, attempt: _Try) -> aiohttp.ClientTimeout:
        # Never 0, which means no limit to aiohttp.
        left = max(0.001, attempt.until - self._clock.monotonic())
        connect = min(left, _CONNECT_WITHIN.total_seconds())
        return aiohttp.ClientTimeout(total=left, sock_connect=connect)

    async def _open_session(self) -> aiohttp.ClientSession:
        context = await self._tls.load()
        if self._closed:
            raise aiohttp.ClientConnectionError
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_sent)
            self._session = open_session(
                context,
                connections=_CONNECTIONS,
                look_up=self._look_up,
                trace_configs=[trace],
                middlewares=[_send_once],
            )
        return self._session


async def _note_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    # Called just before the first byte is sent, after connecting and the TLS handshake.
    context.trace_request_ctx.sent = True


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp sends a GET or PUT again by itself if the connection breaks: a request that uses up
    # a user token would be sent twice.
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionBroke(error) from None


def _may_repeat(request: Request, error: BaseException) -> bool:
    return isinstance(error, NoAnswer) and (request.repeat is Repeat.SAFE or not error.sent)


def _log_retry(state: RetryCallState) -> None:
    # ``_may_repeat`` allows only this error.
    error = cast("NoAnswer", state.outcome and state.outcome.exception())
    log.debug(
        "request.retried",
        step=error.step,
        reason=error.message,
        cause=error.cause,
        attempt=state.attempt_number,
        wait_s=round(state.upcoming_sleep, 3),
    )


def _url_of(request: Request) -> URL:
    """Return the URL with its query, each value encoded once."""
    url = URL(request.url)
    if not request.query:
        return url
    # Not by yarl: what it leaves unencoded differs between versions.
    query = urlencode(request.query, quote_via=quote, safe="")
    joint = f"{url.raw_query_string}&{query}" if url.raw_query_string else query
    return URL(f"{url.with_query(None).with_fragment(None)}?{joint}", encoded=True)


def _headers_of(request: Request, user_agent: str) -> dict[str, str]:
    """Return all headers of a request."""
    headers = {**_HEADERS, "User-Agent": user_agent, **request.headers}
    if request.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if request.bearer is not None:
        headers["Authorization"] = f"Bearer {request.bearer.reveal()}"
    return headers


def _next_redirect(request: Request, url: URL, response: Response) -> URL | None:
    """Return the target of a redirect that is to be followed, else None.

    Only redirects of a GET that allows it, within the origin: the redirect to the redirect URL
    contains the code, and goes to the caller.
    """
    location = response.header("location")
    if not request.follow or request.method.upper() != "GET" or location is None:
        return None
    if response.status not in _REDIRECTS:
        return None
    try:
        # Unchanged: yarl would otherwise decode %3A%2F%2F and %7E.
        target = url.join(URL(location, encoded=True))
        same = (target.scheme, target.raw_host, target.port) == (url.scheme, url.raw_host, url.port)
    except (ValueError, IndexError):  # IndexError: yarl's, of "https://[]@"
        return None
    return target.with_fragment(None) if same else None
