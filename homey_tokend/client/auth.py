"""Bearers for one Homey's requests, and a newer one where the Homey refuses: for HTTP libraries.

A token goes to its own Homey only: for any other host there is none, and where the Homey is
reached over https, none for the same host without it.
"""

from urllib.parse import urlsplit

from homey_tokend import client, exit_codes
from homey_tokend.client import ClientError


class AuthHeaders:
    """The tokens of one Homey, from the daemon.

    Args:
        homey: Its name; None where only one is configured.
        min_ttl: How much life a token shall have left: seconds, or text such as ``10m``.
        socket: The daemon's socket; None looks where it usually is.
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
        """The value of ``Authorization`` for a request to this URL.

        Raises:
            ClientError: There is no token, or the URL is not the Homey's.
        """
        told = self._told()
        asked, own = urlsplit(url), urlsplit(str(told.get("url")))
        host = asked.netloc.lower()
        if host in {name.lower() for name in self._hosts}:
            return f"Bearer {told.get('access_token')}"
        if host != own.netloc.lower():
            raise ClientError(
                f"the token is for {own.netloc}, not for {asked.netloc}",
                exit_codes.USAGE,
                "Another name of the same Homey is told by hosts=(...).",
            )
        if own.scheme == "https" != asked.scheme:
            raise ClientError(
                f"the token does not go to {asked.netloc} without TLS",
                exit_codes.USAGE,
                f"Write the URL with https, as it is told: {told.get('url')}",
            )
        return f"Bearer {told.get('access_token')}"

    def newer(self, url: str, refused: str) -> str | None:
        """Another value of ``Authorization``, after the Homey refused one with 401.

        Returns:
            The value, or None where none can be had now: let the 401 stand.
        """
        try:
            found = self.header(url)
            if found == refused:
                client.refresh(str(self._told().get("homey")), socket=self._socket)
                found = self.header(url)
        except ClientError:
            return None
        return None if found == refused else found

    def _told(self) -> dict[str, object]:
        answer = client.ask_token(self._homey, self._min_ttl, None, self._socket, as_json=True)
        return client.json_object(answer)
