"""The daemon's token for requests: ``session.auth = HomeyAuth()``.

It needs requests, which the package does not install.
Source: https://requests.readthedocs.io/en/latest/user/authentication/
"""

from typing import Any

import requests
from requests.auth import AuthBase

from homey_tokend.client.auth import AuthHeaders


class HomeyAuth(AuthBase):
    """Send each request with a valid token, and once more with a newer one after a 401.

    A body that is a stream is not sent again: its 401 is returned.

    Args:
        homey: The Homey's name; None if only one is configured.
        min_ttl: The minimum remaining lifetime of the token: seconds, or text such as ``10m``.
        socket: The daemon's socket; None: at the usual paths.
        hosts: Further names of the Homey, such as its local address; with the port, if any.

    Raises:
        ClientError: From a request: no token, or the URL is not the Homey's.
    """

    def __init__(
        self,
        homey: str | None = None,
        min_ttl: str | float | None = None,
        socket: str | None = None,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self._headers = AuthHeaders(homey, min_ttl, socket, hosts)

    def __call__(self, r: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the bearer, and register for a 401."""
        r.headers["Authorization"] = self._headers.header(str(r.url))
        r.register_hook("response", self._repeat)  # type: ignore[no-untyped-call]  # as its stubs are
        return r

    def _repeat(self, response: requests.Response, **kwargs: Any) -> requests.Response:
        request = response.request
        rejected = request.headers.get("Authorization", "")
        again = response.status_code == 401 and isinstance(request.body, str | bytes | None)
        newer = self._headers.newer(str(request.url), rejected) if again and rejected else None
        if newer is None:
            return response
        _ = response.content  # read to its end, so that the connection can be used again
        response.close()
        repeated = request.copy()
        repeated.headers["Authorization"] = newer
        repeated.deregister_hook("response", self._repeat)  # type: ignore[no-untyped-call]  # as above
        connection: Any = response.connection
        found: requests.Response = connection.send(repeated, **kwargs)
        found.history.append(response)
        found.request = repeated
        return found
