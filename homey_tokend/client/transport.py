"""The bare socket: how the daemon is found, and one GET for a token.

``socket``, ``http.client``, ``typing`` and ``dataclasses`` each take longer to import than the
whole request. All other requests use ``http.client`` (``connection.py``).
"""

import os
import time

try:
    import _socket
except ImportError:  # pragma: no cover  a Python without CPython's module: slower, but correct
    import socket as _socket  # type: ignore[no-redef]  # the same names

from homey_tokend import exit_codes
from homey_tokend.client.errors import ClientError, unreachable_error, unusable_response

#: The file name of the socket in its directory.
SOCKET_NAME = "homey-tokend.sock"
#: Seconds that an answer may take beyond the requested wait.
TIMEOUT_S = 10.0
#: The most bytes of an answer; the status of dozens of Homeys has far fewer.
MAX_BYTES = 4 * 1024 * 1024
#: Seconds before connecting again while the daemon's queue is full.
_FULL_QUEUE_PAUSE_S = 0.01


class Response:
    """A complete HTTP response.

    ``status`` is the HTTP status, ``headers`` has names in lower case, ``body`` is bytes.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def socket_candidates(named: str | None = None) -> list[str]:
    """Return the paths where the socket may be, the preferred one first.

    Args:
        named: The path of ``--socket``, or None.
    """
    # A variable of an env-file with CRLF ends in a carriage return.
    explicit = named or os.environ.get("HOMEY_TOKEND_SOCKET", "").rstrip("\r\n")
    if explicit:
        return [explicit]
    folders = [*os.environ.get("RUNTIME_DIRECTORY", "").split(":"), "/run/homey-tokend"]
    if os.environ.get("XDG_RUNTIME_DIR"):
        folders.append(os.environ["XDG_RUNTIME_DIR"] + "/homey-tokend")
    return [f"{folder}/{SOCKET_NAME}" for folder in folders if folder]


def connect(named: str | None, deadline: float) -> _socket.socket:
    """Connect to the first socket that accepts.

    Args:
        named: The path of ``--socket``, or None.
        deadline: When to give up, in seconds of the monotonic clock.

    Raises:
        ClientError: No socket accepts.
    """
    tried: list[tuple[str, Exception]] = []
    for path in socket_candidates(named):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            _connect_when_queue_has_room(connection, path, deadline)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            connection.close()
            tried.append((path, error))
        else:
            return connection
    raise unreachable_error(tried)


def seconds_left(deadline: float) -> float:
    """Return the seconds until an instant of the monotonic clock.

    Raises:
        TimeoutError: It has passed.
    """
    left = deadline - time.monotonic()  # noqa: TID251  a client has no clock injected
    if left <= 0:
        raise TimeoutError
    return left


def get(path: str, socket: str | None, timeout: float, *, max_bytes: int = MAX_BYTES) -> Response:
    """Send one GET and read its answer, whatever its status.

    Args:
        path: Path and query, encoded.
        socket: The daemon's socket; None searches the usual places.
        timeout: Seconds for all of it.
        max_bytes: How many bytes the answer may have.

    Raises:
        ClientError: The daemon is not reachable, or its answer is not understood.
    """
    deadline = time.monotonic() + timeout  # noqa: TID251  as above
    connection = connect(socket, deadline)
    try:
        connection.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii")
        )
        return _parse(_read_to_end(connection, deadline, max_bytes))
    except OSError as error:
        raise connection_error(error, timeout) from None
    finally:
        connection.close()


def connection_error(error: OSError, timeout: float) -> ClientError:
    """Return the error for a connection that broke or timed out."""
    if isinstance(error, TimeoutError):
        return ClientError(
            f"the daemon did not answer within {timeout:g} s",
            exit_codes.UNREACHABLE,
            "Is it running normally? See: journalctl -u homey-tokend",
        )
    return unusable_response(f"the connection broke: {error.strerror}")


def _connect_when_queue_has_room(connection: _socket.socket, path: str, deadline: float) -> None:
    while True:
        connection.settimeout(seconds_left(deadline))
        try:
            connection.connect(path)
        except BlockingIOError:  # the daemon's queue is full (unix(7): EAGAIN)
            time.sleep(_FULL_QUEUE_PAUSE_S)  # noqa: TID251  as above
        else:
            return


def _read_to_end(connection: _socket.socket, deadline: float, max_bytes: int) -> bytes:
    """Read until the daemon closes, as ``Connection: close`` requests."""
    data = bytearray()
    while True:
        connection.settimeout(seconds_left(deadline))
        part = connection.recv(65536)
        if not part:
            return bytes(data)
        data += part
        if len(data) > max_bytes:
            raise unusable_response("the answer is too large")


def _parse(raw: bytes) -> Response:
    """Split a response (RFC 9112); the daemon always sends the length of a token."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not (gap and version in {"HTTP/1.1", "HTTP/1.0"} and code.isascii() and code.isdigit()):
        raise unusable_response("the response is not HTTP: is this the daemon's socket?")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    text = headers.get("content-length", "")
    length = int(text) if len(text) < 12 and text.isascii() and text.isdigit() else len(body) + 1
    if len(body) < length:
        raise unusable_response("the answer was cut short")
    return Response(int(code), headers, body[:length])
