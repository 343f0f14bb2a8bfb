"""The ``Authorization`` header of requests to a Homey, for HTTP libraries.

A token is only sent to its own Homey: to no other host, and if the Homey's address is https, not
without TLS.
"""

from urllib.parse import urlsplit

from homey_tokend import client, exit_codes
from homey_tokend.client import ClientError


class AuthHeaders:
    """The tokens of one Homey, from the daemon.

    Args:
        homey: Its name; None if only one is configured.
        min_ttl: The minimum remaining lifetime of a token: seconds, or text such as ``10m``.
        socket: The daemon's socket; None: at the usual paths.
        hosts: Further names of the Homey, such as its local address; with the port, if any.
    """

    def __init__(
        self,
        homey: str | None = None,
        min_ttl: str | float | None = None,
        socket: str | None = None,
        hosts: tuple[str, ...] = (),
    ) -> None:
        self._homey = homey
        self._min_ttl = min_ttl
        self._socket = socket
        self._hosts = hosts

    def header(self, url: str) -> str:
        """Return the value of ``Authorization`` for a request to this URL.

        Raises:
            ClientError: There is no token, or the URL is not the Homey's.
        """
        token = self._token()
        asked, own = urlsplit(url), urlsplit(str(token.get("url")))
        host = asked.netloc.lower()
        if host in {name.lower() for name in self._hosts}:
            return f"Bearer {token.get('access_token')}"
        if host != own.netloc.lower():
            raise ClientError(
                f"the token is for {own.netloc}, not for {asked.netloc}",
                exit_codes.USAGE,
                "Add another name of the same Homey with hosts=(...).",
            )
        if own.scheme == "https" != asked.scheme:
            raise ClientError(
                f"the token does not go to {asked.netloc} without TLS",
                exit_codes.USAGE,
                f"Use the URL with https: {token.get('url')}",
            )
        return f"Bearer {token.get('access_token')}"

    def newer(self, url: str, rejected: str) -> str | None:
        """Return another value of ``Authorization`` after a 401.

        Returns:
            The value, or None if none is available now.
        """
        try:
            found = self.header(url)
            if found == rejected:
                client.refresh(str(self._token().get("homey")), socket=self._socket)
                found = self.header(url)
        except ClientError:
            return None
        return None if found == rejected else found

    def _token(self) -> dict[str, object]:
        answer = client.ask_token(self._homey, self._min_ttl, None, self._socket, as_json=True)
        return client.json_object(answer)
