"""The daemon's token for httpx: ``httpx.Client(auth=HomeyAuth())``.

It needs httpx, which the package does not install.
Source: https://www.python-httpx.org/advanced/authentication/
"""

import asyncio
from collections.abc import AsyncGenerator, Generator

import httpx

from homey_tokend.client.auth import AuthHeaders


class HomeyAuth(httpx.Auth):
    """Send each request with a valid token, and once more with a newer one after a 401.

    Args:
        homey: The Homey's name; None if only one is configured.
        min_ttl: The minimum remaining lifetime of the token: seconds, or text such as ``10m``.
        socket: The daemon's socket; None: at the usual paths.
        hosts: Further names of the Homey, such as its local address; with the port, if any.

    Raises:
        ClientError: From a request: no token, or the URL is not the Homey's.
    """

    requires_request_body = True

    def __init__(
        self,
        homey: str | None = None,
        min_ttl: str | float | None = None,
        socket: str | None = None,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self._headers = AuthHeaders(homey, min_ttl, socket, hosts)

    def sync_auth_flow(
        self, request: httpx.Request
    ) -> Generator[httpx.Request, httpx.Response, None]:
        """Authenticate a request of ``httpx.Client``."""
        request.read()
        url = str(request.url)
        header = request.headers["Authorization"] = self._headers.header(url)
        response = yield request
        if response.status_code == 401:
            newer = self._headers.newer(url, header)
            if newer is not None:
                response.read()
                request.headers["Authorization"] = newer
                yield request

    async def async_auth_flow(
        self, request: httpx.Request
    ) -> AsyncGenerator[httpx.Request, httpx.Response]:
        """Authenticate a request of ``httpx.AsyncClient``; the daemon is asked in a thread."""
        await request.aread()
        url = str(request.url)
        header = await asyncio.to_thread(self._headers.header, url)
        request.headers["Authorization"] = header
        response = yield request
        if response.status_code == 401:
            newer = await asyncio.to_thread(self._headers.newer, url, header)
            if newer is not None:
                await response.aread()
                request.headers["Authorization"] = newer
                yield request
