"""A Request over aiohttp, a stamped Response back (``ports.Transport``).

Cookies are the caller's own, redirects are followed by hand (at most three, same origin), no
connection is kept (two requests a day are not worth a stale one after suspend). What may be
repeated, and when, is decided here, by tenacity; statuses are never looked at.
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
from homey_tokend.http.errors import (
    REBINDING_REMEDY,
    NoAnswer,
    describe_error,
    host_and_port,
    is_hidden_by_router,
    is_unknown_authority,
)
from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.http.session import FOREIGN, UNREADABLE, TlsContext, open_session
from homey_tokend.http.unreadable import describe_unreadable

#: How often, and within which time, is a request sent that found no answer? A hiccup of the
#: network is over within seconds; whatever lasts longer is spaced by policy.
TRIES = 3
TRIES_WITHIN = timedelta(seconds=30)

#: How long may a connection (TCP, TLS) take? Less than a third of the tries' time, so
#: that a dead address among several does not use all of it up.
_CONNECT_WITHIN = timedelta(seconds=10)

#: How many redirects of the same origin are followed where a request allows it?
_MAX_REDIRECTS = 3

#: How many connections at once? Above what all Homeys of one daemon need.
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
    """What is known of one try: until when it may last, and whether anything left."""

    until: float
    sent: bool = False


class _ConnectionBroke(Exception):
    """Stands for an error at which aiohttp would send a GET or PUT again by itself."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class HttpTransport:
    """Sends requests over HTTP and verified TLS.

    Args:
        clock: Time and random numbers.
        timeout: The most that one HTTP request may take, reading included.
        environ: Where proxies are looked up. OpenSSL reads ``SSL_CERT_FILE`` and
            ``SSL_CERT_DIR`` from the process's own environment.
        user_agent: The value of the User-Agent header.
        ssl_context: For tests; the default verifies against the system's authorities.
        look_up: Finds the addresses of a name, as ``socket.getaddrinfo`` does.

    Raises:
        ValueError: the given context does not verify.
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
        """Send one request, up to three times where nothing answers.

        A request that spends something (``Repeat.UNSENT``) is sent again only if it
        never left. All tries end within 30 s, or within ``timeout`` if that is longer.

        Raises:
            NoAnswer: no answer came (an ``errors.Unreachable``).
            UnreadableResponse: no HTTP, or beyond the bounds of what is read.
            ProtocolChanged: more than three redirects.
        """
        if request.after:
            await self._clock.sleep(request.after.total_seconds())
        until = self._clock.monotonic() + max(TRIES_WITHIN.total_seconds(), self._timeout)

        def stop(state: RetryCallState) -> bool:
            # tenacity's own stop_after_delay reads a clock that no test can move.
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
        """Break off what is under way; whatever is sent later finds no answer."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _wait(self, state: RetryCallState) -> float:
        # Half a second to a second before the second try, then twice that.
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
        # Raised out here, so that no foreign exception, URL and all, hangs on as its context.
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
            remedy=self._remedy(error, address),
            sent=attempt.sent,
        )

    def _remedy(self, error: Exception, address: str) -> str:
        if is_unknown_authority(error):
            return self._tls.remedy
        return REBINDING_REMEDY if is_hidden_by_router(error, address) else ""

    async def _follow(self, request: Request, attempt: _Try) -> Response:
        """Send the request and follow its redirects, all cookies on the way kept."""
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
        # Never 0: aiohttp takes that as "no limit".
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
    # Called when the first byte is about to leave; connecting and TLS are behind us.
    context.trace_request_ctx.sent = True


async def _send_once(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    # aiohttp sends a GET or PUT again by itself when the connection breaks: one that spends a
    # user token would go out twice.
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionBroke(error) from None


def _may_repeat(request: Request, error: BaseException) -> bool:
    return isinstance(error, NoAnswer) and (request.repeat is Repeat.SAFE or not error.sent)


def _log_retry(state: RetryCallState) -> None:
    # ``_may_repeat`` lets nothing else through.
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
    # Not yarl's own way: what it leaves bare has changed between versions.
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
    """Return where a redirect leads if it is to be followed, else None.

    Only a GET that allows it, and only within the origin: the redirect to the redirect
    URL contains the code and is returned to the caller.
    """
    location = response.header("location")
    if not request.follow or request.method.upper() != "GET" or location is None:
        return None
    if response.status not in _REDIRECTS:
        return None
    try:
        # As it was written: yarl would undo %3A%2F%2F and %7E otherwise.
        target = url.join(URL(location, encoded=True))
        same = (target.scheme, target.raw_host, target.port) == (url.scheme, url.raw_host, url.port)
    except (ValueError, IndexError):  # IndexError: yarl's, of "https://[]@"
        return None
    return target.with_fragment(None) if same else None
