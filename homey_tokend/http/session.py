"""Create aiohttp sessions without aiohttp's own handling of cookies, proxies and compression.

No cookies are kept and nothing is decompressed. ``trust_env`` is off, because it would also read
``~/.netrc`` and send Basic credentials to the login.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Any

import aiohttp
import structlog
from aiohttp.http import HttpProcessingError

from homey_tokend.http.authorities import authority_remedy, authority_warnings
from homey_tokend.http.errors import REBINDING_REMEDY, is_hidden_by_router, is_unknown_authority
from homey_tokend.http.resolver import DaemonThreadResolver

#: What a request may raise: aiohttp, its parser, the system, and a malformed URL.
FOREIGN = (aiohttp.ClientError, HttpProcessingError, OSError, ValueError)
#: Those of them that mean: an answer came, and the parser does not accept it.
UNREADABLE = (aiohttp.ClientResponseError, HttpProcessingError)

#: The longest header that is read: a Location may contain a user token of some kilobytes.
_LONGEST_HEADER = 16 * 1024

log = structlog.get_logger()


class TlsContext:
    """A TLS context that verifies certificate and name, for TLS 1.2 and later.

    It is loaded on a thread when it is first used: this takes some 30 ms, and serving a stored
    token does not need it.

    Args:
        environ: The process's environment, for ``remedy``.
        given: A context for tests; by default the system's authorities are trusted, or those of
            ``SSL_CERT_FILE`` and ``SSL_CERT_DIR``.

    Raises:
        ValueError: The given context does not verify.
    """

    def __init__(self, environ: Mapping[str, str], given: ssl.SSLContext | None = None) -> None:
        if given is not None and (
            given.verify_mode != ssl.CERT_REQUIRED or not given.check_hostname
        ):
            raise ValueError("the TLS context must verify certificate and name")
        if given is not None:
            given.minimum_version = ssl.TLSVersion.TLSv1_2
        self._environ = environ
        self._context = given
        self._loading = asyncio.Lock()
        self._authority_remedy = ""

    async def load(self) -> ssl.SSLContext:
        """Return the context; load it if this is the first use."""
        if self._context is None:
            async with self._loading:  # once, although all Homeys begin at the same time
                if self._context is None:
                    self._context = await asyncio.to_thread(self._load)
        return self._context

    def remedy(self, error: BaseException, address: str) -> str:
        """Return what a person can do about an error of a request to an address, or ""."""
        if is_unknown_authority(error):
            return self._authority_remedy
        return REBINDING_REMEDY if is_hidden_by_router(error, address) else ""

    def _load(self) -> ssl.SSLContext:
        for fault in authority_warnings(self._environ):
            log.warning("tls.authorities_unusable", fault=str(fault))
        self._authority_remedy = authority_remedy(self._environ)
        context = ssl.create_default_context()
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def open_session(
    context: ssl.SSLContext,
    *,
    connections: int,
    keepalive_s: float | None = None,
    look_up: Callable[..., list[Any]] = socket.getaddrinfo,
    **options: Any,
) -> aiohttp.ClientSession:
    """Open a session; it belongs to the running loop.

    Args:
        context: Verifies the hosts (``TlsContext``).
        connections: The most connections at once; 0: no limit.
        keepalive_s: The seconds that an idle connection is kept; None: it is closed at once.
        look_up: Finds the addresses of a name, like ``socket.getaddrinfo``.
        options: Further arguments of ``aiohttp.ClientSession``.
    """
    keeping: dict[str, Any] = (
        {"force_close": True} if keepalive_s is None else {"keepalive_timeout": keepalive_s}
    )
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=context, resolver=DaemonThreadResolver(look_up), limit=connections, **keeping
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trust_env=False,
        max_line_size=_LONGEST_HEADER,
        max_field_size=_LONGEST_HEADER,
        **options,
    )
