"""The door's way to the Homeys: one session, kept connections, nothing done behind our back.

The rules are those of ``transport.py``, but that bodies stream, bytes pass as they
are, and connections are kept for the next call.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import aiohttp
from aiohttp.http import HttpProcessingError
from multidict import CIMultiDict
from yarl import URL

from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.http.resolver import DaemonThreadResolver

#: What may come out of a call: of aiohttp, its parser, the system, and a URL that is none.
FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)

#: How long is an idle connection kept? A hub on Node closes it after 5 s, and a call that goes
#: out just then finds it closed.
_KEPT_S = 4.0
#: The longest header that a Homey may answer with.
_LONGEST_HEADER = 16 * 1024
#: What aiohttp would add by itself where the caller sent none.
_NOT_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class Upstream:
    """Calls Homeys.

    Build it before the event loop runs: reading the certificates takes some 20 ms.

    Args:
        environ: Where proxies are looked up.
        ssl_context: For tests; the default verifies against the system's authorities.
    """

    def __init__(
        self, environ: Mapping[str, str], *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._ssl = ssl_context or ssl.create_default_context()
        self._ssl.minimum_version = ssl.TLSVersion.TLSv1_2
        self._proxies = ProxySettings(environ)
        self._session: aiohttp.ClientSession | None = None

    async def ask(
        self,
        method: str,
        url: URL,
        fields: CIMultiDict[str],
        data: bytes | AsyncIterator[bytes] | None,
        *,
        connect: timedelta,
        silence: timedelta,
    ) -> aiohttp.ClientResponse:
        """Send one request and return once the answer's head is there.

        aiohttp sends an idempotent one whose body can be sent again once more where a
        kept connection turns out to be closed; nothing else is repeated here.

        Args:
            method: Its method.
            url: Its URL, encoded.
            fields: All its header fields.
            data: Its body.
            connect: How long a connection (TCP, TLS) may take.
            silence: How long the Homey may say nothing.

        Raises:
            FOREIGN: No answer.
        """
        proxy = self._proxies.of(url)
        return await self._opened().request(
            method,
            url,
            headers=fields,
            data=data,
            allow_redirects=False,
            timeout=aiohttp.ClientTimeout(
                total=None,
                sock_connect=connect.total_seconds(),
                sock_read=silence.total_seconds(),
            ),
            proxy=proxy.url if proxy else None,
            proxy_headers=proxy.headers if proxy else None,
        )

    async def close(self) -> None:
        """Break off what is under way."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """The session, made at the first call: it belongs to the running loop."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                ssl=self._ssl,
                resolver=DaemonThreadResolver(),
                limit=0,  # how many at once is a matter of turns.py
                keepalive_timeout=_KEPT_S,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=False,
                trust_env=False,
                skip_auto_headers=_NOT_ADDED,
                max_line_size=_LONGEST_HEADER,
                max_field_size=_LONGEST_HEADER,
            )
        return self._session
