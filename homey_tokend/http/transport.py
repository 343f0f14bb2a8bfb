"""A Request over aiohttp, a stamped Response back (``ports.Transport``).

What aiohttp does by itself is switched off: cookies (the flow carries its
own), redirects (at most three, same origin, by hand), ``trust_env`` (it reads
``~/.netrc``), kept connections (two requests a day are not worth a stale one
after suspend), its own silent repetition. What may be repeated, and when, is
decided here, by tenacity; statuses are never looked at.
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
from aiohttp.http import HttpProcessingError
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from yarl import URL

from homey_tokend.core.errors import ProtocolChanged
from homey_tokend.core.http_types import Repeat, Request, Response
from homey_tokend.core.ports import Clock
from homey_tokend.http.body import read_body
from homey_tokend.http.errors import NoAnswer, describe_error, host_and_port
from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.http.redirects import merge_cookies, next_redirect
from homey_tokend.http.resolver import DaemonThreadResolver

#: How often, and within which time, is a request sent that found no answer? A hiccup of the
#: network is over within seconds; whatever lasts longer is spaced by policy.
TRIES = 3
TRIES_WITHIN = timedelta(seconds=30)

#: How long may a connection (TCP, TLS) take? Less than a third of the tries' time, so
#: that a dead address among several does not use all of it up.
_CONNECT_WITHIN = timedelta(seconds=10)

#: How many redirects of the same origin are followed where a request allows it?
_HOPS = 3

#: The longest header that is read: a Location may carry a user token of some kilobytes.
_LONGEST_HEADER = 16 * 1024

#: How many connections at once? Above what all Homeys of one daemon need.
_CONNECTIONS = 64

_FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)

_HEADERS = {
    "Accept": "application/json, text/html;q=0.9, */*;q=0.1",
    # Not compressed: 48 KB of gzip can be 50 MB.
    "Accept-Encoding": "identity",
}

log = structlog.get_logger()


@dataclass(slots=True)
class _Trip:
    """What is known of one try: until when, and whether anything left."""

    until: float
    sent: bool = False


class HttpTransport:
    """Sends requests over HTTP and verified TLS.

    Build it before the event loop runs: reading the certificates takes some 20 ms.

    Args:
        clock: Time and chance.
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
        context = ssl_context or ssl.create_default_context()
        if context.verify_mode != ssl.CERT_REQUIRED or not context.check_hostname:
            raise ValueError("the TLS context must verify certificate and name")
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._clock = clock
        self._timeout = timeout.total_seconds()
        self._proxies = ProxySettings(environ)
        self._headers = {**_HEADERS, "User-Agent": user_agent}
        self._ssl = context
        self._look_up = look_up
        self._session: aiohttp.ClientSession | None = None
        self._closed = False

    async def send(self, request: Request) -> Response:
        """Sends one request, up to three times where nothing answers.

        A request that spends something (``Repeat.UNSENT``) is sent again only if it
        never left. All tries end within 30 s, or within ``timeout`` if that is longer.

        Raises:
            NoAnswer: no answer came (an ``errors.Unreachable``).
            Garbled: a 2xx beyond the bounds of ``bounded.py``.
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
            before_sleep=_tell_repetition,
            reraise=True,
        )
        response: Response = await tries(self._try, request, until)
        return response

    async def close(self) -> None:
        """Breaks off what is under way; whatever is sent later finds no answer."""
        self._closed = True
        if self._session is not None:
            await self._session.close()

    def _wait(self, state: RetryCallState) -> float:
        """Half a second to a second before the second try, then twice that."""
        most = 2.0 ** (state.attempt_number - 1)
        return most / 2 + most / 2 * self._clock.draw()

    async def _try(self, request: Request, until: float) -> Response:
        trip = _Trip(min(until, self._clock.monotonic() + self._timeout))
        try:
            return await self._walk(request, trip)
        except _FOREIGN as error:
            failure = NoAnswer(
                describe_error(error, host_and_port(request.url)),
                cause=type(error).__name__,
                step=request.step,
                sent=trip.sent,
            )
        # Raised out here, so that no foreign exception, URL and all, hangs on as its context.
        raise failure

    async def _walk(self, request: Request, trip: _Trip) -> Response:
        """The request and the redirects that it allows, all cookies on the way kept."""
        if self._closed:
            raise aiohttp.ClientConnectionError
        url, headers = _url_of(request), self._headers_of(request)
        cookies: tuple[tuple[str, str], ...] = ()
        for _ in range(_HOPS + 1):
            response = await self._exchange(request, url, headers, trip)
            hop = next_redirect(request, url, response)
            if hop is None:
                return replace(response, headers=cookies + response.headers)
            new = response.all_headers("set-cookie")
            cookies += tuple(("set-cookie", cookie) for cookie in new)
            headers = merge_cookies(headers, new)
            url = hop
        raise ProtocolChanged(
            f"{host_and_port(url)} redirects more than {_HOPS} times", step=request.step
        )

    async def _exchange(
        self, request: Request, url: URL, headers: Mapping[str, str], trip: _Trip
    ) -> Response:
        proxy = self._proxies.of(url)
        sent_at = self._clock.now()
        async with self._open_session().request(
            request.method,
            url,
            headers=headers,
            data=urlencode(request.form).encode("ascii") if request.form is not None else None,
            json=request.json,
            allow_redirects=False,
            timeout=self._time_left(trip),
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
            trace_request_ctx=trip,
        ) as answer:
            body = await read_body(answer, host_and_port(url), step=request.step)
            pairs = tuple(
                (name.decode("latin-1").lower(), value.decode("utf-8", "replace"))
                for name, value in answer.raw_headers
            )
            response = Response(
                status=answer.status,
                headers=pairs,
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

    def _time_left(self, trip: _Trip) -> aiohttp.ClientTimeout:
        # Never 0: aiohttp takes that as "no limit".
        left = max(0.001, trip.until - self._clock.monotonic())
        connect = min(left, _CONNECT_WITHIN.total_seconds())
        return aiohttp.ClientTimeout(total=left, sock_connect=connect)

    def _headers_of(self, request: Request) -> dict[str, str]:
        headers = {**self._headers, **request.headers}
        if request.form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        if request.bearer is not None:
            headers["Authorization"] = f"Bearer {request.bearer.reveal()}"
        return headers

    def _open_session(self) -> aiohttp.ClientSession:
        """The session, made at the first request: it belongs to the running loop."""
        if self._session is None:
            trace = aiohttp.TraceConfig()
            trace.on_request_headers_sent.append(_note_sent)
            connector = aiohttp.TCPConnector(
                ssl=self._ssl,
                resolver=DaemonThreadResolver(self._look_up),
                force_close=True,
                limit=_CONNECTIONS,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                trace_configs=[trace],
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
            )
            # aiohttp sends a GET or PUT again by itself when the connection breaks, and there
            # is no argument against it: a GET that spends a user token would go out twice.
            self._session._retry_connection = False  # noqa: SLF001  no public way, see above
        return self._session


async def _note_sent(
    _: aiohttp.ClientSession, context: SimpleNamespace, __: aiohttp.TraceRequestHeadersSentParams
) -> None:
    """Called when the first byte is about to leave; connecting and TLS are behind us."""
    context.trace_request_ctx.sent = True


def _may_repeat(request: Request, error: BaseException) -> bool:
    return isinstance(error, NoAnswer) and (request.repeat is Repeat.SAFE or not error.sent)


def _tell_repetition(state: RetryCallState) -> None:
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
    """The URL with its query, each value encoded once."""
    url = URL(request.url)
    if not request.query:
        return url
    # Not yarl's own way: what it leaves bare has changed between versions.
    query = urlencode(request.query, quote_via=quote, safe="")
    joint = f"{url.raw_query_string}&{query}" if url.raw_query_string else query
    return URL(f"{url.with_query(None).with_fragment(None)}?{joint}", encoded=True)
