"""The commands with something else behind the socket: no traceback, nothing raw on the terminal."""

import io
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli import main
from tests.support.api_server import serve_responses

Run = Callable[..., tuple[int, str]]

#: Clears the screen, sets the title, turns the line around, and adds a line of its own.
EVIL = "\x1b[2J\x1b]0;x\x07\x9b31m\u202e\r\nhome: ok\x00\ud800"
LONG = "x" * 100_000
DEEP = b'{"a":' * 900 + b"1" + b"}" * 900
DEEPER = b"[" * 100_000
COMMANDS = [
    ("token",),
    ("token", "--json"),
    ("token", "home", "--min-ttl", "1m"),
    ("status",),
    ("status", "home"),
    ("status", "--json"),
    ("refresh", "home"),
    ("health",),
    ("call", "GET", "/api/x"),
    ("call", "--homey", "home", "GET", "/api/x"),
    ("call", "--homey", "home", "--json", "GET", "/api/x"),
    ("exec", "--", "/nonexistent/command"),
]
STATUSES = {value for value in vars(exit_codes).values() if isinstance(value, int)}


@pytest.fixture
def socket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


class Terminal(io.TextIOWrapper):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command with stdout and stderr on a terminal, and return status and output."""

    def ran(*words: str) -> tuple[int, str]:
        out, err = (Terminal(io.BytesIO(), encoding="utf-8") for _ in range(2))
        err.reconfigure(errors="backslashreplace")
        with monkeypatch.context() as patch:
            patch.setattr(sys, "argv", ["homey-tokend", *words])
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            status = main.main()
        out.flush()
        err.flush()
        written = [one.buffer.getvalue().decode() for one in (out, err)]  # type: ignore[attr-defined]  # BytesIO
        return status, "".join(written)

    return ran


def http(body: bytes, status: str = "200 OK", *fields: str) -> bytes:
    lines = "".join(f"{one}\r\n" for one in fields)
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{lines}\r\n".encode() + body


def document(text: str, number: object = 1) -> bytes:
    """Return a document with everything that any command shows, and this text in all of it."""
    error = {
        "at": text,
        "kind": text,
        "step": text,
        "message": text,
        "remedy": text,
        "count": number,
        "action_needed": text,
    }
    token = {
        "fingerprint": text,
        "generation": number,
        "valid": text,
        "expires_at": text,
        "expiry_reported": text,
    }
    sink = {"target": text, "generation": number, "delivered_at": text, "last_error": error}
    homey = {
        "name": text,
        "now": text,
        "url": text,
        "health": text,
        "token": token,
        "renew_at": text,
        "next_at": text,
        "next_reason": text,
        "last_error": error,
        "outage_at": text,
        "sinks": [sink, {**sink, "last_error": None}],
        "refreshed": True,
    }
    problem = {"detail": text, "remedy": text, "retry_after": number, "error": text, "type": text}
    variables = {"access_token": text, "url": text, "expires_at": text}
    # No Homey's name here: with one a command would send another request.
    return json.dumps({"homeys": {}, **homey, **problem, **variables}).encode()


ANSWERS = {
    "nothing": b"",
    "garbage": b"\x1b[2J\xff\xfe garbage \x00" * 100,
    "ssh": b"SSH-2.0-x\x1b[2J\r\n\r\n",
    "huge": http(LONG.encode() * 50),
    "endless lines": b"HTTP/1.1 200 OK\r\n" + b"X: a\r\n" * 20_000,
    "lengths": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"0" * 20 + b"9" * 5000 + b"\r\n\r\n{}",
    "negative": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + b"a" * 1000,
    "negative error": b"HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\n" + b"a" * 1000,
    "status": b"HTTP/1.1 99\x1b[2J OK\r\n\r\n",
    "empty": http(b""),
    "evil": http(EVIL.encode("utf-8", "surrogatepass")),
    "evil lines": http((EVIL + "\n").encode("utf-8", "surrogatepass") * 1000),
    "evil error": http(EVIL.encode("utf-8", "surrogatepass"), "404 No"),
    "evil type": http(b"\x1b[2J", "200 OK", f"Content-Type: {LONG[:60_000]}"),
    "evil json": http(json.dumps(EVIL).encode()),
    "raw json": http('["\x9b31m\u202e\u0085"]'.encode()),
    "document": http(document(EVIL)),
    "long document": http(document(LONG)),
    "document error": http(document(EVIL, 10**4000), "503 No"),
    "long error": http(document(LONG), "403 No"),
    "problem": http(document(EVIL), "403 No", "Content-Type: application/problem+json"),
    "first instant": http(document("0001-01-01T00:00:00+00:00")),
    "last instant": http(document("9999-12-31T23:59:59-12:00")),
    "no zone": http(document("2026-01-01T00:00:00")),
    "date": http(document("2026-01-01")),
    "numbers": http(document("a", 10**4000)),
    "names": http(json.dumps({"homeys": {EVIL: {}, "a" * 5000: 1, "b": []}}).encode()),
    "items": http(json.dumps([{EVIL: EVIL, "name": EVIL, LONG: LONG}] * 3).encode()),
    "deep": http(DEEP),
    "deeper": http(DEEPER),
    "deep error": http(DEEP, "503 No"),
    "deep problem": http(
        b'{"type":' + DEEP + b',"detail":' + DEEP + b"}",
        "403 No",
        "Content-Type: application/problem+json",
    ),
    "deep error of the Homey": http(b'{"error":' + DEEP + b"}", "500 No"),
    "deep members": http(
        b'{"name":%b,"url":%b,"token":%b,"last_error":%b,"sinks":[%b]}' % ((DEEP,) * 5)
    ),
    "wrong types": http(
        json.dumps(
            {
                "homeys": {"a": 1, "b": []},
                "name": [1],
                "token": "x",
                "last_error": [],
                "sinks": {"a": 1},
                "now": 7,
                "renew_at": {},
                "url": None,
                "health": 1e999,
                "refreshed": "yes",
                "retry_after": True,
                "access_token": 7,
            }
        ).encode()
    ),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_whatever_answers(socket: Path, run: Run, answer: bytes) -> None:
    """A command ends with an exit status, and what it writes is printable and bounded."""
    for words in COMMANDS:
        with serve_responses(socket, answer):
            status, written = run(*words)
        socket.unlink()

        assert status in STATUSES
        assert "Traceback" not in written
        assert written.replace("\n", "").isprintable(), words
        if "call" not in words:  # which prints the answer itself
            assert not re.search("^home: ok", written, re.MULTILINE), words
            assert len(written) < 25_000 or "--json" in words, words


def test_a_token_that_is_none(socket: Path, run: Run) -> None:
    """What cannot be a bearer is not printed, into a pipe neither."""
    for body in (b"a b\n", b"a\r\nX: y\n", b"a" * 4097, "tökén\n".encode(), b"\n", b""):
        with serve_responses(socket, http(body)):
            status, written = run("token")
        socket.unlink()

        assert exit_codes.UNREACHABLE == status
        assert written.startswith("homey-tokend: the answer is not a token")


def test_json_of_a_call_on_a_terminal(socket: Path, run: Run) -> None:
    """``--json`` on a terminal writes the same JSON, with escapes for what is not printable."""
    answer = '{\n\t"a": "\x9b31mä\u202e\U000e0001"}'
    with serve_responses(socket, http(answer.encode())):
        status, written = run("call", "--homey", "home", "--json", "GET", "/api/x")

    assert exit_codes.OK == status
    assert json.loads(answer) == json.loads(written)
    assert written.startswith('{\n "a": "\\u009b31mä\\u202e')


def test_every_depth(socket: Path, run: Run) -> None:
    """JSON of any depth is shown, or an error: reading and writing have different limits."""
    for depth in range(900, 1000, 5):
        body = b'{"a":' * depth + b"1" + b"}" * depth
        for words in (("status", "--json"), ("call", "--homey", "home", "GET", "/api/x")):
            with serve_responses(socket, http(body)):
                status, written = run(*words)
            socket.unlink()

            assert status in STATUSES
            assert written.startswith(("{", "homey-tokend: the "))
