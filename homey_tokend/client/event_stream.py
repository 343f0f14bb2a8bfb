"""What happens at the daemon, as an iterator over its Server-Sent Events.

The format is WHATWG's (HTML standard, 9.2.6); the framing RFC 9112, 7.1. A connection that
breaks is made anew and goes on behind the last event, so that a restart of the daemon
passes unnoticed.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import closing

from homey_tokend import exit_codes
from homey_tokend.client import transport
from homey_tokend.client.errors import daemon_error
from homey_tokend.client.transport import ClientError, unusable_response

#: How long may the daemon be silent? It writes a comment more often than that.
_SILENCE_S = 90.0
#: How long is paused before the connection is made anew, at first and at most?
_PAUSE_FIRST_S, _PAUSE_MOST_S = 0.25, 5.0
#: How large may a head, a line, a chunk and an event be? The daemon's have some hundred bytes.
_LARGEST = 256 * 1024


class Event:
    """Something that happened.

    ``type`` is ``token``, ``error``, ``recovered``, ``sink`` or ``reset``; ``id`` is what
    ``last_id`` takes; ``data`` is the event's document, in which there is never a token.
    """

    __slots__ = ("data", "id", "type")

    def __init__(self, id: str, type: str, data: dict[str, object]) -> None:  # noqa: A002  the fields' names
        self.id = id
        self.type = type
        self.data = data

    def __repr__(self) -> str:
        return f"Event({self.id!r}, {self.type!r}, {self.data!r})"


class _Gone(Exception):
    """The stream ended; no error yet, for the connection is made anew."""


def events(path: str, last_id: str | None, socket: str | None, patience: float) -> Iterator[Event]:
    """Iterate over what happens, for ever.

    Args:
        path: Path and query of the stream, encoded.
        last_id: Behind which event to begin; None for what comes from now on.
        socket: The daemon's socket; None looks where it usually is.
        patience: How many seconds the daemon may be away once it was reached.

    Raises:
        ClientError: It was not reached, was away too long, or sent what is no event.
    """
    if last_id is not None and not (last_id.isascii() and last_id.isprintable()):
        raise ClientError("last_id is not an event's id", exit_codes.USAGE)
    stream = _Stream(path, last_id, socket)
    pause, until = _PAUSE_FIRST_S, 0.0
    while True:
        try:
            for event in stream.connected():
                pause = _PAUSE_FIRST_S
                yield event
        except _Gone as gone:
            now = time.monotonic()  # noqa: TID251  a client has no clock injected
            until = now + patience if stream.take_reached() else until
            if now + pause > until:
                raise unusable_response(str(gone)) from None
        time.sleep(pause)  # noqa: TID251  a client has no clock injected
        pause = min(2 * pause, _PAUSE_MOST_S)


class _Stream:
    """Connections, one after another, and how far the events have come."""

    def __init__(self, path: str, last_id: str | None, socket: str | None) -> None:
        self._path = path
        self._socket = socket
        self._id = last_id or ""
        self._ever = self._reached = False

    def take_reached(self) -> bool:
        """Whether the daemon was reached since this was asked last."""
        reached, self._reached = self._reached, False
        return reached

    def connected(self) -> Iterator[Event]:
        """The events of one connection.

        Raises:
            _Gone: It ended, or could not be made anew.
            ClientError: It could not be made at first, or what came is no event.
        """
        until = time.monotonic() + transport.DEADLINE_S  # noqa: TID251  as above
        try:
            connection = transport.connect(self._socket, until)
        except ClientError as error:
            if self._ever:
                raise _Gone(error.message) from None
            raise
        with closing(connection):
            source = _Source(connection.recv)
            connection.settimeout(transport.DEADLINE_S)
            self._asked(connection.sendall, source)
            connection.settimeout(_SILENCE_S)
            yield from self._parsed(source)

    def _asked(self, send: Callable[[bytes], object], source: "_Source") -> None:
        """Send the request, read the answer's head.

        Raises:
            ClientError: It is a no.
        """
        head = f"GET {self._path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n"
        if self._id:
            head += f"Last-Event-ID: {self._id}\r\n"
        try:
            send(f"{head}Connection: close\r\n\r\n".encode("ascii"))
        except OSError as error:
            raise _Gone("the connection broke") from error
        raw = source.until(b"\r\n\r\n")
        answer = transport.parse_response(raw, bare=True)
        if answer.status != 200:
            if answer.status >= 500 and self._ever:
                raise _Gone(f"the daemon answered {answer.status}")
            raise daemon_error(transport.parse_response(raw + source.rest(), bare=False))
        if not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise unusable_response(
                "the answer is no stream of events: is this the daemon's socket?"
            )
        source.chunked = answer.headers.get("transfer-encoding", "").lower() == "chunked"
        self._ever = self._reached = True

    def _parsed(self, source: "_Source") -> Iterator[Event]:
        kind, data, size = "", [], 0
        while True:
            name, _, value = source.line().partition(":")
            value = value.removeprefix(" ")
            size += len(value)
            if size > _LARGEST:
                raise unusable_response("an event is too large")
            if name == "event":
                kind = value
            elif name == "data":
                data.append(value)
            elif name == "id" and "\0" not in value:
                self._id = value
            elif not name and not _:
                if data:
                    yield Event(self._id, kind or "message", _document("\n".join(data)))
                kind, data, size = "", [], 0


class _Source:
    """Bytes of a connection, by lines; framing is taken off where ``chunked`` is set."""

    def __init__(self, receive: Callable[[int], bytes]) -> None:
        self._receive = receive
        self._raw = b""
        self._text = b""
        self.chunked = False

    def until(self, end: bytes) -> bytes:
        """Raw bytes up to and with ``end``."""
        while end not in self._raw:
            self._bounded(self._raw)
            self._raw += self._more()
        found, _, self._raw = self._raw.partition(end)
        return found + end

    def rest(self) -> bytes:
        """All raw bytes to the end."""
        try:
            while True:
                self._bounded(self._raw)
                self._raw += self._more()
        except _Gone:
            return self._raw

    def line(self) -> str:
        """One line of the body, without its end."""
        while b"\n" not in self._text:
            self._bounded(self._text)
            self._text += self._piece()
        line, _, self._text = self._text.partition(b"\n")
        return line.removesuffix(b"\r").decode("utf-8", "replace")

    def _piece(self) -> bytes:
        if not self.chunked:
            found, self._raw = self._raw or self._more(), b""
            return found
        try:
            size = int(self.until(b"\r\n").partition(b";")[0].strip(), 16)
        except ValueError:
            raise unusable_response("the stream is garbled") from None
        if size == 0:
            raise _Gone("the daemon ended the stream")
        if not 0 < size <= _LARGEST:
            raise unusable_response("an event is too large")
        while len(self._raw) < size + 2:
            self._raw += self._more()
        found, self._raw = self._raw[:size], self._raw[size + 2 :]
        return found

    def _more(self) -> bytes:
        try:
            found = self._receive(65536)
        except OSError as error:
            raise _Gone("the connection broke, or was silent for too long") from error
        if not found:
            raise _Gone("the daemon ended the stream")
        return found

    @staticmethod
    def _bounded(held: bytes) -> None:
        if len(held) > _LARGEST:
            raise unusable_response("a line of the stream is too long")


def _document(text: str) -> dict[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise unusable_response("an event is no JSON object")
    return found
