"""The client's events: parsed by the standard, resumed after a break, ended by malformed input."""

import contextlib
import shutil
import socket
import tempfile
import threading
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pytest

from homey_tokend import client, exit_codes
from homey_tokend.client import ClientError, event_stream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
CHUNKED = HEAD[:-2] + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


@contextlib.contextmanager
def serve_responses(
    path: Path, answers: Sequence[bytes | Sequence[bytes]]
) -> Iterator[list[bytes]]:
    """A server that gives each connection the next response, in pieces, and closes it."""
    requests: list[bytes] = []
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)

        def turn() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                with connection, contextlib.suppress(OSError):
                    requests.append(connection.recv(65536))
                    for piece in [answer] if isinstance(answer, bytes) else answer:
                        connection.sendall(piece)
            path.unlink()
            listening.close()

        thread = threading.Thread(target=turn, daemon=True)
        thread.start()
        yield requests
        for _ in answers:  # those that were not called
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as last:
                last.connect(str(path))
        thread.join(40)


def event(number: int, kind: str = "token") -> bytes:
    return b'id: b-%d\nevent: %s\ndata: {"generation": %d}\n\n' % (number, kind.encode(), number)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def events_at(
    path: Path, last_id: str | None = None, reconnect_timeout: float = 60.0, silence: float = 90.0
) -> Iterator[event_stream.Event]:
    return event_stream.events(
        "/events", last_id, str(path), reconnect_timeout, pauses=(0.01, 0.02), silence=silence
    )


def test_events(path: Path) -> None:
    """Events have id, type and document, whatever the pieces; comments are ignored."""
    body = b": hello\n\n" + event(1) + b"retry: 5\nid: b-2\r\ndata:{\ndata: }\n\n"
    for body_pieces in ([HEAD + body], [HEAD, *[body[at : at + 1] for at in range(len(body))]]):
        with serve_responses(path, [body_pieces]) as requests:
            first, second = islice(events_at(path, reconnect_timeout=0), 2)

        assert ("b-1", "token", {"generation": 1}) == (first.id, first.type, first.data)
        assert ("b-2", "message", {}) == (second.id, second.type, second.data)
        assert requests[0].startswith(b"GET /events HTTP/1.1\r\n")
        assert b"Last-Event-ID" not in requests[0]
        assert "b-1" in repr(first)


def test_chunks(path: Path) -> None:
    """An event may be spread over chunks, and chunks over pieces."""
    whole = CHUNKED + chunk(event(1)[:9]) + chunk(event(1)[9:] + event(2)) + b"0\r\n\r\n"
    with serve_responses(path, [[whole[at : at + 3] for at in range(0, len(whole), 3)]]):
        ids = [each.id for each in islice(events_at(path), 2)]

    assert ["b-1", "b-2"] == ids


def test_reconnecting(path: Path) -> None:
    """After a break it continues after the last event, as often as the daemon returns."""
    answers = [
        HEAD + event(3),
        b"",
        HEAD[:20],
        b"HTTP/1.1 503 Service Unavailable\r\n\r\n",
        CHUNKED + chunk(event(4)) + b"0\r\n\r\n",
        CHUNKED + chunk(event(5)) + b"5\r\nab",
        HEAD + event(9, "reset"),
    ]
    with serve_responses(path, answers) as requests:
        reported = [
            each.id for each in islice(events_at(path, last_id="b-2", reconnect_timeout=10), 4)
        ]

    assert ["b-3", "b-4", "b-5", "b-9"] == reported
    asked = [request.partition(b"Last-Event-ID: ")[2].partition(b"\r")[0] for request in requests]
    assert [b"b-2", b"b-3", b"b-3", b"b-3", b"b-3", b"b-4", b"b-5"] == asked


def test_a_daemon_that_does_not_return(path: Path) -> None:
    """A daemon that does not return within the time-out is not reachable."""
    with serve_responses(path, [HEAD + event(1)]):
        coming = events_at(path, reconnect_timeout=0.1)
        first = next(coming)
        with pytest.raises(ClientError) as caught:
            next(coming)

    assert "b-1" == first.id
    assert exit_codes.UNREACHABLE == caught.value.exit_status


def test_no_daemon(path: Path) -> None:
    """Without a daemon at the start it raises at once."""
    with pytest.raises(ClientError, match="the daemon is not reachable") as caught:
        next(events_at(path))

    assert exit_codes.UNREACHABLE == caught.value.exit_status


def test_an_error(path: Path) -> None:
    """An error of the daemon is raised with its message, and not retried."""
    body = b'{"detail": "no Homey is named b/c"}'
    no = b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    with (
        serve_responses(path, [no]) as requests,
        pytest.raises(ClientError, match="no Homey is named b/c") as caught,
    ):
        next(client.events(homey="b/c", socket=str(path)))

    assert exit_codes.USAGE == caught.value.exit_status
    assert requests[0].startswith(b"GET /events?homey=b%2Fc HTTP/1.1\r\n")


@pytest.mark.parametrize(
    ("answer", "reported"),
    [
        (b"SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "not an event stream"),
        (HEAD + b"data: oops\n\n", "not a JSON object"),
        (HEAD + b"data: []\n\n", "not a JSON object"),
        (HEAD + b"data: \xff\n\n", "not a JSON object"),
        (HEAD + b"data: " + b"[" * 100_000 + b"\n\n", "not a JSON object"),
        (b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + b"a" * 99, "broke"),
        (CHUNKED + b"zz\r\n", "broke"),
        (CHUNKED + b"-5\r\nab", "broke"),
        (CHUNKED + b"fffffff\r\nab", "broke"),
        (HEAD + b"x" * 300_000, "too long"),
        (HEAD + (b"data: " + b"x" * 100_000 + b"\n") * 4, "too large"),
        (b"x" * 300_000, "not HTTP"),
    ],
)
def test_garbage(path: Path, answer: bytes, reported: str) -> None:
    """Malformed or unbounded input ends the iterator with a plain message."""
    with serve_responses(path, [answer]), pytest.raises(ClientError, match=reported) as caught:
        next(events_at(path, reconnect_timeout=0))

    assert exit_codes.UNREACHABLE == caught.value.exit_status


def test_silence(path: Path) -> None:
    """After too long a silence it reconnects."""
    answers = [HEAD + event(1), HEAD + event(2)]
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen(8)
        held = []

        def turn() -> None:
            for answer in answers:
                connection, _ = listening.accept()
                connection.sendall(answer)
                held.append(connection)

        thread = threading.Thread(target=turn)
        thread.start()
        ids = [each.id for each in islice(events_at(path, silence=0.05), 2)]
        thread.join(40)
        for connection in held:
            connection.close()

    assert ["b-1", "b-2"] == ids


@pytest.mark.parametrize("odd", ["a\r\nX: y", "ä", "\0"])
def test_an_odd_id(path: Path, odd: str) -> None:
    """An invalid id is rejected, and not sent."""
    with pytest.raises(ClientError, match="not an event's id") as caught:
        next(events_at(path, last_id=odd))

    assert exit_codes.USAGE == caught.value.exit_status


@pytest.mark.parametrize("odd", ["ä", "\u2028", "a\rb", "a\x1b[2J", "\0"])
def test_an_odd_id_of_the_stream(path: Path, odd: str) -> None:
    """An id that no header could carry is not remembered."""
    answers = [HEAD + event(1) + f"id: {odd}\ndata: {{}}\n\n".encode(), HEAD + event(3)]
    with serve_responses(path, answers) as requests:
        seen = [each.id for each in islice(events_at(path), 3)]

    assert ["b-1", "b-1", "b-3"] == seen
    assert b"Last-Event-ID: b-1\r\n" in requests[1]
