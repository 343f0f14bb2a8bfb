"""The HTTP session to the Homeys, whose connections are reused.

The rules are those of ``http/transport.py``, except that bodies stream and bytes pass unchanged.
"""

import ssl
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import aiohttp
from multidict import CIMultiDict
from yarl import URL

from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.http.session import TlsContext, open_session

#: Seconds that an idle connection is kept: a Homey closes it after 5 s, and a call that is sent
#: just then would find it closed.
_KEEPALIVE_S = 4.0
#: What aiohttp would add where the client sent none.
_NOT_ADDED = ("Accept", "Accept-Encoding", "User-Agent", "Content-Type")


class Upstream:
    """Send calls to Homeys.

    Args:
        environ: Where proxies are looked up.
        ssl_context: For tests; the default verifies against the system's authorities.
    """

    def __init__(
        self, environ: Mapping[str, str], *, ssl_context: ssl.SSLContext | None = None
    ) -> None:
        self._tls = TlsContext(environ, ssl_context)
        self._proxies = ProxySettings(environ)
        self._session: aiohttp.ClientSession | None = None

    async def send(
        self,
        method: str,
        url: URL,
        headers: CIMultiDict[str],
        data: bytes | AsyncIterator[bytes] | None,
        *,
        connect: timedelta,
        silence: timedelta,
    ) -> aiohttp.ClientResponse:
        """Send one request and return once the head of the response is there.

        aiohttp repeats an idempotent request whose body can be sent again if a kept connection
        turns out to be closed; nothing else is repeated here.

        ``connect`` limits connecting (TCP, TLS), ``silence`` the time without a byte received.

        Raises:
            FOREIGN: No response (``http.session``).
        """
        proxy = self._proxies.of(url)
        session = await self._open()
        return await session.request(
            method,
            url,
            headers=headers,
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

    def remedy(self, error: BaseException, address: str) -> str:
        """Return what a person can do about an error of ``send`` to an address, or ""."""
        return self._tls.remedy(error, address)

    async def close(self) -> None:
        """Close the session; calls under way end."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _open(self) -> aiohttp.ClientSession:
        """Return the session, made at the first call: it belongs to the running loop."""
        context = await self._tls.load()
        if self._session is None:
            self._session = open_session(
                context,
                connections=0,  # limiter.py decides how many run at once
                keepalive_s=_KEEPALIVE_S,
                skip_auto_headers=_NOT_ADDED,
            )
        return self._session
