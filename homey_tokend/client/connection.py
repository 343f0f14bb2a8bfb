"""Requests over the daemon's socket by ``http.client``."""

import http.client
import socket as sockets
import time
from typing import Any

from homey_tokend.client.errors import unusable_response
from homey_tokend.client.transport import (
    MAX_BYTES,
    TIMEOUT_S,
    Response,
    connect,
    connection_error,
    seconds_left,
)


class DeadlineSocket(sockets.socket):
    """A socket whose reads together end at ``deadline`` (monotonic); None leaves its time-out."""

    deadline: float | None = None

    def recv_into(self, *args: Any) -> int:
        """Read within what is left of the time."""
        if self.deadline is not None:
            self.settimeout(seconds_left(self.deadline))
        return super().recv_into(*args)


class DaemonConnection(http.client.HTTPConnection):
    """One connection to the daemon.

    Args:
        path: The daemon's socket; None searches the usual places.
        timeout: Seconds for connecting, the request and the answer together.
    """

    sock: DeadlineSocket

    def __init__(self, path: str | None, timeout: float) -> None:
        super().__init__("localhost")
        self._path = path
        self._deadline = time.monotonic() + timeout  # noqa: TID251  a client has no clock injected

    def connect(self) -> None:
        """Connect to the first socket that accepts.

        Raises:
            ClientError: No socket accepts.
        """
        self.sock = DeadlineSocket(fileno=connect(self._path, self._deadline).detach())
        self.sock.settimeout(seconds_left(self._deadline))
        self.sock.deadline = self._deadline


def exchange(
    method: str,
    path: str,
    *,
    socket: str | None = None,
    timeout: float = TIMEOUT_S,
    body: bytes | None = None,
    max_bytes: int = MAX_BYTES,
) -> Response:
    """Send one request and read its answer, whatever its status.

    Args:
        method: Any method; printable ASCII without blanks, as the path.
        path: Path and query, encoded.
        socket: The daemon's socket; None searches the usual places.
        timeout: Seconds for all of it.
        body: A JSON body, or None for none.
        max_bytes: How many bytes the answer's body may have.

    Raises:
        ClientError: The daemon is not reachable, or its answer is not understood.
    """
    headers = {"Connection": "close"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    connection = DaemonConnection(socket, timeout)
    try:
        connection.request(method, path, body, headers)
        with connection.getresponse() as response:
            return Response(
                response.status, header_fields(response), read_body(response, max_bytes)
            )
    except OSError as error:
        raise connection_error(error, timeout) from None
    except http.client.IncompleteRead:
        raise unusable_response("the answer was cut short") from None
    except http.client.HTTPException:
        raise unusable_response("the response is not HTTP: is this the daemon's socket?") from None
    finally:
        connection.close()


def header_fields(response: http.client.HTTPResponse) -> dict[str, str]:
    """Return the header fields, their names in lower case."""
    return {name.lower(): value for name, value in response.getheaders()}


def read_body(response: http.client.HTTPResponse, max_bytes: int) -> bytes:
    """Read a body of a known end.

    Raises:
        ClientError: It is too large.
        http.client.IncompleteRead: It was cut short, or its end is not known.
    """
    if response.length is None and not response.chunked:  # the daemon always marks the end
        raise http.client.IncompleteRead(b"")
    # For a chunk with a negative size read() would read without a limit; read1() does not.
    read = response.read1 if response.chunked else response.read
    data = bytearray()
    while part := read(65536):
        data += part
        if len(data) > max_bytes:
            raise unusable_response("the answer is too large")
    if response.length:
        raise http.client.IncompleteRead(b"")
    return bytes(data)
