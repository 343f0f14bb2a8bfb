"""The daemon's Server-Sent Events as an iterator (WHATWG HTML standard, 9.2.6).

After a lost connection it reconnects and continues after the last event, so that a restart of the
daemon goes unnoticed.
"""

import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing

from homey_tokend import exit_codes
from homey_tokend.client.connection import (
    DaemonConnection,
    DeadlineSocket,
    header_fields,
    read_body,
)
from homey_tokend.client.errors import ClientError, unusable_response
from homey_tokend.client.responses import daemon_error
from homey_tokend.client.transport import TIMEOUT_S, Response

#: The most bytes of a line and of an event; the daemon's have some hundred.
_MAX_BYTES = 256 * 1024


class Event:
    """One event.

    ``type`` is ``token``, ``error``, ``recovered``, ``sink`` or ``reset``; ``id`` is what
    ``last_id`` accepts; ``data`` is the event's document, which never contains a token.
    """

    __slots__ = ("data", "id", "type")

    def __init__(self, id: str, type: str, data: dict[str, object]) -> None:  # noqa: A002  the fields' names
        self.id = id
        self.type = type
        self.data = data

    def __repr__(self) -> str:
        return f"Event({self.id!r}, {self.type!r}, {self.data!r})"


class _Disconnected(Exception):
    """The stream ended; it can be opened again."""


def events(
    path: str,
    last_id: str | None,
    socket: str | None,
    reconnect_timeout: float,
    *,
    pauses: tuple[float, float] = (0.25, 5.0),
    silence: float = 90.0,
) -> Iterator[Event]:
    """Yield events without end.

    Args:
        path: Path and query of the stream, encoded.
        last_id: Start after this event; None starts with the next one.
        socket: The daemon's socket; None searches the usual places.
        reconnect_timeout: How many seconds the daemon may be unreachable after it was reached.
        pauses: Seconds before connecting again, at first and at most.
        silence: How many seconds the daemon may send nothing; it sends a comment every 15.

    Raises:
        ClientError: The daemon was not reached, was unreachable for too long, or sent something
            that is not an event.
    """
    if last_id is not None and not (last_id.isascii() and last_id.isprintable()):
        raise ClientError("last_id is not an event's id", exit_codes.USAGE)
    stream = _Stream(path, last_id or "", socket, silence)
    pause, until = pauses[0], 0.0
    while True:
        stream.reached = False
        try:
            for event in stream.connection_events():
                pause = pauses[0]
                yield event
        except _Disconnected as reason:
            now = time.monotonic()  # noqa: TID251  a client has no clock injected
            until = now + reconnect_timeout if stream.reached else until
            if now + pause > until:
                raise unusable_response(str(reason)) from None
        time.sleep(pause)  # noqa: TID251  as above
        pause = min(2 * pause, pauses[1])


class _Stream:
    """Successive connections, and the id of the last event."""

    def __init__(self, path: str, last_id: str, socket: str | None, silence: float) -> None:
        self._path = path
        self._socket = socket
        self._last_id = last_id
        self._silence = silence
        self._ever_reached = False
        self.reached = False

    def connection_events(self) -> Iterator[Event]:
        """Yield the events of one connection.

        Raises:
            _Disconnected: It ended, or could not be opened again.
            ClientError: The first connection failed, or something was received that is not an
                event.
        """
        with closing(DaemonConnection(self._socket, TIMEOUT_S)) as connection:
            try:
                sock = self._send_request(connection)
                with connection.getresponse() as response:
                    self._check(response)
                    sock.deadline = None
                    sock.settimeout(self._silence)
                    self._ever_reached = self.reached = True
                    yield from self._parse(response)
            except (OSError, http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
                raise _Disconnected("the connection broke, or was silent for too long") from error
            except http.client.HTTPException as error:
                text = "the response is not HTTP: is this the daemon's socket?"
                raise unusable_response(text) from error

    def _send_request(self, connection: DaemonConnection) -> DeadlineSocket:
        try:
            connection.connect()
        except ClientError as error:
            if self._ever_reached:
                raise _Disconnected(error.message) from None
            raise
        headers = {"Accept": "text/event-stream"}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        sock = connection.sock
        connection.request("GET", self._path, headers=headers)
        return sock

    def _check(self, response: http.client.HTTPResponse) -> None:
        """Check the head of the response.

        Raises:
            _Disconnected: The daemon is stopping or starting.
            ClientError: It rejects the request, or another program answers.
        """
        if response.status != 200:
            if response.status >= 500 and self._ever_reached:
                raise _Disconnected(f"the daemon answered {response.status}")
            body = read_body(response, _MAX_BYTES)
            raise daemon_error(Response(response.status, header_fields(response), body))
        if not response.getheader("content-type", "").startswith("text/event-stream"):
            text = "the response is not an event stream: is this the daemon's socket?"
            raise _Disconnected(text) if self._ever_reached else unusable_response(text)

    def _parse(self, response: http.client.HTTPResponse) -> Iterator[Event]:
        kind, data, size = "", [], 0
        for line in _lines(response):
            name, colon, value = line.partition(":")
            value = value.removeprefix(" ")
            size += len(value)
            if size > _MAX_BYTES:
                raise unusable_response("an event is too large")
            if name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif (
                name == "id" and value.isascii() and value.isprintable()
            ):  # a header takes no other
                self._last_id = value
            elif not name and not colon:
                if data:
                    yield Event(self._last_id, kind or "message", _document("\n".join(data)))
                kind, data, size = "", [], 0


def _lines(response: http.client.HTTPResponse) -> Iterator[str]:
    """Yield the lines of the body; ``readline()`` has no limit for a negative chunk size."""
    text = b""
    while part := response.read1(65536):
        *lines, text = (text + part).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")
        if len(text) > _MAX_BYTES:
            raise unusable_response("a line of the stream is too long")
    raise _Disconnected("the daemon ended the stream")


def _document(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise unusable_response("an event is not a JSON object")
    return found
