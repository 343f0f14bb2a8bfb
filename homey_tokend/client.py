"""Asks the daemon over its socket: what scripts in Python may import.

::

    from homey_tokend import client

    bearer = client.token("home", min_ttl="10m")
    health = client.status()["health"]

Written on little more than the bare socket, so that ``homey-tokend token``
starts near the speed of Python itself: ``socket``, ``http.client``, ``json``,
``typing`` and ``dataclasses`` each cost more than the whole request. What is
needed only when something went wrong is imported then.
"""

import os
import time

try:
    import _socket
except ImportError:  # pragma: no cover  a Python without CPython's module: slower, and right
    import socket as _socket  # type: ignore[no-redef]  # the same names

from homey_tokend import exits

#: The socket's file in its folder.
SOCKET_NAME = "homey-tokend.sock"
#: How long may an answer take beyond the wait that was asked for?
DEADLINE_S = 10.0
#: How long does the daemon wait for a refresh where nothing is said, and at most?
_DEFAULT_WAIT_S, _LONGEST_WAIT_S = 30.0, 300.0
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


class Answer:
    """An HTTP answer, whole.

    ``status`` is the HTTP status, ``headers`` has its names in lower case, ``body`` is bytes.
    """

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


def token(
    homey: str | None = None,
    min_ttl: str | float | None = None,
    wait: str | float | None = None,
    socket: str | None = None,
) -> str:
    """Get a valid bearer token.

    Args:
        homey: The Homey's name; None where only one is configured.
        min_ttl: How much life it shall have left: seconds, or text such as ``10m``.
        wait: How long to wait for a refresh: as ``min_ttl``, at most 300 s.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The token, without a newline.

    Raises:
        ClientError: No token; ``exit_status`` tells whether trying again can help.
    """
    answer = ask_token(homey, min_ttl, wait, socket)
    return answer.body.decode("ascii", "replace").strip()


def ask_token(
    homey: str | None,
    min_ttl: str | float | None,
    wait: str | float | None,
    socket: str | None,
    *,
    as_json: bool = False,
) -> Answer:
    """Ask for a token, as text or as the JSON document.

    Args:
        homey: As for ``token``.
        min_ttl: As for ``token``.
        wait: As for ``token``.
        socket: As for ``token``.
        as_json: The JSON document is wanted.

    Raises:
        ClientError: No token.
    """
    path = "/token" if homey is None else f"/homeys/{quoted(homey)}/token"
    pairs = (("min_ttl", min_ttl), ("wait", wait), ("format", "json" if as_json else None))
    query = "&".join(f"{name}={quoted(str(value))}" for name, value in pairs if value is not None)
    waits = min_ttl is not None or wait is not None
    return request(
        "GET",
        f"{path}?{query}" if query else path,
        socket=socket,
        timeout=DEADLINE_S + (_wait_s(wait) if waits else 0.0),
    )


def status(
    homey: str | None = None,
    socket: str | None = None,
) -> dict[str, object]:
    """Get the status document of all Homeys, or of one.

    Args:
        homey: A Homey's name, or None for all.
        socket: The daemon's socket; None looks where it usually is.

    Raises:
        ClientError: No status.
    """
    path = "/status" if homey is None else f"/homeys/{quoted(homey)}"
    return document(request("GET", path, socket=socket))


def refresh(
    homey: str,
    wait: str | float | None = None,
    socket: str | None = None,
) -> dict[str, object]:
    """Have one Homey's token refreshed now.

    Args:
        homey: The Homey's name.
        wait: How long to wait for it: seconds or text, at most 300 s.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The Homey's document; ``refreshed`` in it tells whether it is done.

    Raises:
        ClientError: It failed or may not be done now.
    """
    query = "" if wait is None else f"?wait={quoted(str(wait))}"
    path = f"/homeys/{quoted(homey)}/refresh{query}"
    return document(request("POST", path, socket=socket, timeout=DEADLINE_S + _wait_s(wait)))


def request(
    method: str, path: str, *, socket: str | None = None, timeout: float = DEADLINE_S
) -> Answer:
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
    until = time.monotonic() + timeout  # noqa: TID251  a client has no clock injected
    connection = _connect(socket, until)
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    length = "Content-Length: 0\r\n" if method == "POST" else ""
    try:
        connection.sendall(f"{head}{length}\r\n".encode("ascii"))
        raw = _read(connection, until)
    except TimeoutError:
        raise ClientError(
            f"the daemon did not answer within {timeout:g} s",
            exits.UNREACHABLE,
            "Is it well? See: journalctl -u homey-tokend",
        ) from None
    except OSError as error:
        raise _unusable(f"the connection broke: {error.strerror}") from error
    finally:
        connection.close()
    answer = _parsed(raw, bare=method == "HEAD")
    if 200 <= answer.status < 300:
        return answer
    from homey_tokend.failures import failure  # noqa: PLC0415  only when it is needed

    raise failure(answer)


def document(answer: Answer) -> dict[str, object]:
    """An answer's JSON object.

    Raises:
        ClientError: It is none.
    """
    import json  # noqa: PLC0415  a token needs none

    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise _unusable("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise _unusable("the answer is no JSON object")
    return found


def candidates(named: str | None = None) -> list[str]:
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


def quoted(text: str) -> str:
    """Percent-encode for one part of a path or query (RFC 3986, 2.3)."""
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "-._~")
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def _wait_s(wait: str | float | None) -> float:
    if wait is None:
        return _DEFAULT_WAIT_S
    from homey_tokend import durations  # noqa: PLC0415  most ask without a wait

    try:
        return min(durations.seconds(str(wait)), _LONGEST_WAIT_S)
    except ValueError as error:
        raise ClientError(f"wait: {error}", exits.USAGE) from error


def _connect(named: str | None, until: float) -> _socket.socket:
    tried: list[tuple[str, Exception]] = []
    for path in candidates(named):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        try:
            _knock(connection, path, until)
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            connection.close()
            tried.append((path, error))
        else:
            return connection
    from homey_tokend.failures import unreachable  # noqa: PLC0415  only when it is needed

    raise unreachable(tried)


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


def _read(connection: _socket.socket, until: float) -> bytes:
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
        if size > _LARGEST:
            raise _unusable("the answer is too large")


def _parsed(raw: bytes, *, bare: bool) -> Answer:
    """Head and body of an answer (RFC 9112), by length, chunked, or to the end."""
    head, gap, body = raw.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    version, _, rest = first.partition(" ")
    code = rest[:3]
    if not (gap and version in {"HTTP/1.1", "HTTP/1.0"} and code.isascii() and code.isdigit()):
        raise _unusable("the answer is no HTTP: is this the daemon's socket?")
    headers = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return Answer(int(code), headers, b"" if bare else _body(headers, body))


def _body(headers: dict[str, str], body: bytes) -> bytes:
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return _unchunked(body)
    length = headers.get("content-length")
    if length is None:
        return body
    if not (length.isascii() and length.isdigit()) or len(body) < int(length[:12]):
        raise _unusable("the answer was cut short")
    return body[: int(length)]


def _unchunked(body: bytes) -> bytes:
    """The chunks of a body put together (RFC 9112, 7.1)."""
    parts: list[bytes] = []
    while True:
        line, gap, body = body.partition(b"\r\n")
        try:
            size = int(line.partition(b";")[0].strip() if gap else b"", 16)
        except ValueError:
            raise _unusable("the answer was cut short") from None
        if size == 0:
            return b"".join(parts)
        if size < 0 or len(body) < size + 2:
            raise _unusable("the answer was cut short")
        parts.append(body[:size])
        body = body[size + 2 :]


def _unusable(message: str) -> ClientError:
    return ClientError(message, exits.UNREACHABLE, "See: journalctl -u homey-tokend")
