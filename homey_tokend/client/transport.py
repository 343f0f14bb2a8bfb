"""One request over the daemon's socket, on little more than the bare socket.

``socket``, ``http.client``, ``typing`` and ``dataclasses`` each cost more time to
import than the whole request takes; what is needed only when something went
wrong is imported then.
"""

import os
import time

try:
    import _socket
except ImportError:  # pragma: no cover  a Python without CPython's module: slower, and right
    import socket as _socket  # type: ignore[no-redef]  # the same names

from homey_tokend import exit_codes

#: The socket's file in its folder.
SOCKET_NAME = "homey-tokend.sock"
#: How long may an answer take beyond the wait that was asked for?
DEADLINE_S = 10.0
#: How large may an answer be? The status of dozens of Homeys is far below.
_LARGEST = 4 * 1024 * 1024
#: How long is a full queue of the daemon's left alone before knocking again?
_KNOCK_S = 0.01


class ClientError(Exception):
    """What was asked for could not be had.

    Args:
        message: What happened, in plain words.
        exit_status: What a command ends with (``exits.py``).
        hint: What to do about it, or "".
        problem: The daemon's problem document (RFC 9457) where it sent one.
    """

    def __init__(
        self,
        message: str,
        exit_status: int,
        hint: str = "",
        problem: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.exit_status = exit_status
        self.hint = hint
        self.problem = problem or {}


class Response:
    """An HTTP answer, whole.

    ``status`` is the HTTP status, ``headers`` has its names in lower case, ``body`` is bytes.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def request(
    method: str, path: str, *, socket: str | None = None, timeout: float = DEADLINE_S
) -> Response:
    """Send one request and read its answer.

    Args:
        method: GET, HEAD or POST, without a body.
        path: Path and query, encoded.
        socket: The daemon's socket; None looks where it usually is.
        timeout: Seconds that all of it may take.

    Returns:
        An answer of 200 to 299.

    Raises:
        ClientError: Not reachable, not understood, or another status.
    """
    answer = exchange(method, path, socket=socket, timeout=timeout)
    if 200 <= answer.status < 300:
        return answer
    from homey_tokend.client.errors import daemon_error  # noqa: PLC0415  only when it is needed

    raise daemon_error(answer)


def exchange(
    method: str,
    path: str,
    *,
    socket: str | None = None,
    timeout: float = DEADLINE_S,
    body: bytes | None = None,
    most: int | None = None,
) -> Response:
    """Send one request and read its answer, whatever its status.

    Args:
        method: Any method; printable ASCII without blanks, as the path.
        path: Path and query, encoded.
        socket: The daemon's socket; None looks where it usually is.
        timeout: Seconds that all of it may take.
        body: A JSON body, or None for none.
        most: How many bytes the answer may have; None for what is usual.

    Raises:
        ClientError: Not reachable or not understood.
    """
    until = time.monotonic() + timeout  # noqa: TID251  a client has no clock injected
    connection = connect(socket, until)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if body is not None:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    elif method == "POST":
        head += "Content-Length: 0\r\n"
    try:
        connection.sendall(f"{head}\r\n".encode("ascii") + (body or b""))
        raw = _read(connection, until, most or _LARGEST)
    except TimeoutError:
        raise ClientError(
            f"the daemon did not answer within {timeout:g} s",
            exit_codes.UNREACHABLE,
            "Is it well? See: journalctl -u homey-tokend",
        ) from None
    except OSError as error:
        raise unusable_response(f"the connection broke: {error.strerror}") from error
    finally:
        connection.close()
    return parse_response(raw, bare=method == "HEAD")


def socket_candidates(named: str | None = None) -> list[str]:
    """Where the socket is looked for, first the most wanted.

    Args:
        named: The path of ``--socket``, or None.
    """
    explicit = named or os.environ.get("HOMEY_TOKEND_SOCKET")
    if explicit:
        return [explicit]
    folders = [*os.environ.get("RUNTIME_DIRECTORY", "").split(":"), "/run/homey-tokend"]
    if os.environ.get("XDG_RUNTIME_DIR"):
        folders.append(os.environ["XDG_RUNTIME_DIR"] + "/homey-tokend")
    return [f"{folder}/{SOCKET_NAME}" for folder in folders if folder]


def connect(named: str | None, until: float) -> _socket.socket:
    """A connection to the first socket that answers.

    Args:
        named: The path of ``--socket``, or None.
        until: When to give up, on the monotonic clock, in seconds.

    Raises:
        ClientError: None answers.
    """
    tried: list[tuple[str, Exception]] = []
    for path in socket_candidates(named):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            _knock(connection, path, until)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            connection.close()
            tried.append((path, error))
        else:
            return connection
    from homey_tokend.client.errors import unreachable_error  # noqa: PLC0415  only when it is needed

    raise unreachable_error(tried)


def _knock(connection: _socket.socket, path: str, until: float) -> None:
    while True:
        connection.settimeout(_left(until))
        try:
            connection.connect(path)
        except BlockingIOError:  # the daemon's queue is full (unix(7): EAGAIN)
            time.sleep(_KNOCK_S)  # noqa: TID251  a client has no clock injected
        else:
            return


def _left(until: float) -> float:
    left = until - time.monotonic()  # noqa: TID251  a client has no clock injected
    if left <= 0:
        raise TimeoutError
    return left


def _read(connection: _socket.socket, until: float, most: int) -> bytes:
    """All bytes until the daemon closes, which ``Connection: close`` asks it to."""
    parts: list[bytes] = []
    size = 0
    while True:
        connection.settimeout(_left(until))
        part = connection.recv(65536)
        if not part:
            return b"".join(parts)
        parts.append(part)
        size += len(part)
        if size > most:
            raise unusable_response("the answer is too large")


def parse_response(raw: bytes, *, bare: bool) -> Response:
    """Head and body of an answer (RFC 9112), by length, chunked, or to the end.

    Args:
        raw: All of its bytes.
        bare: It has no body, whatever its head says.

    Raises:
        ClientError: It is no HTTP, or was cut short.
    """
    head, gap, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not (gap and version in {"HTTP/1.1", "HTTP/1.0"} and code.isascii() and code.isdigit()):
        raise unusable_response("the answer is no HTTP: is this the daemon's socket?")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Response(int(code), headers, b"" if bare else _body(headers, body))


def _body(headers: dict[str, str], body: bytes) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _unchunked(body)
    length = headers.get("content-length")
    if length is None:
        return body
    if not (length.isascii() and length.isdigit()) or len(body) < int(length[:12]):
        raise unusable_response("the answer was cut short")
    return body[: int(length)]


def _unchunked(body: bytes) -> bytes:
    """The chunks of a body put together (RFC 9112, 7.1)."""
    parts: list[bytes] = []
    at = 0
    while True:
        end = max(at, body.find(b"\r\n", at))
        try:
            size = int(body[at:end].partition(b";")[0].strip(), 16)
        except ValueError:
            raise unusable_response("the answer was cut short") from None
        if size == 0:
            return b"".join(parts)
        at = end + 2
        if size < 0 or len(body) < at + size + 2:
            raise unusable_response("the answer was cut short")
        parts.append(body[at : at + size])
        at += size + 2


def unusable_response(message: str) -> ClientError:
    """An answer that cannot be used counts as not reachable."""
    return ClientError(message, exit_codes.UNREACHABLE, "See: journalctl -u homey-tokend")
