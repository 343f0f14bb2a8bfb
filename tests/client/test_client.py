"""The client: finding the daemon, reading responses, and errors."""

import errno
import functools
import grp
import json
import os
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend import client, exit_codes
from homey_tokend.client import ClientError, errors, responses, transport
from homey_tokend.client.connection import exchange
from homey_tokend.core.status import RefreshResult
from tests.support.api_server import serve_provider, serve_responses
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to root")
#: A group that this user may give a socket to, other than root's.
GROUP = os.getegid() or 50


@pytest.fixture
def path() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


@pytest.fixture
def provider(path: Path) -> Iterator[FakeProvider]:
    made = FakeProvider(view("home", token()))
    with serve_provider(made, path):
        yield made


def test_token(provider: FakeProvider, path: Path) -> None:
    """A token comes without a newline, and the parameters are passed on."""
    plain = client.token(socket=str(path))
    named = client.token("home", min_ttl="25h", wait=2, socket=str(path))

    assert (plain, named) == (CANARY, CANARY)
    assert provider.asked == [("home", timedelta(hours=25), timedelta(seconds=2))]


def test_status(provider: FakeProvider, path: Path) -> None:
    """The status is a document, of all Homeys or of one."""
    assert list(provider.views) == list(client.status(socket=str(path))["homeys"])  # type: ignore[call-overload]  # JSON
    assert client.status("home", socket=str(path))["health"] == "ok"


def test_refresh(provider: FakeProvider, path: Path) -> None:
    """A refresh returns the Homey's document."""
    provider.renewed["home"] = view("home", token(generation=8))

    assert client.refresh("home", wait="5s", socket=str(path))["refreshed"] is True
    assert provider.asked == [("home", timedelta(0), timedelta(seconds=5))]


def exchange_get(path: str, socket: str, timeout: float) -> client.Response:
    return exchange("GET", path, socket=socket, timeout=timeout)


def error_of(path: Path, homey: str | None = None, **wishes: str) -> ClientError:
    with pytest.raises(ClientError) as caught:
        client.token(homey, socket=str(path), **wishes)
    return caught.value


def test_unknown_homey(provider: FakeProvider, path: Path) -> None:
    """An unknown name is wrong usage; odd names reach the daemon unchanged."""
    error = error_of(path, "no/pe ä?")

    assert (error.exit_status, error.problem["homeys"]) == (exit_codes.USAGE, list(provider.views))
    assert "'no/pe ä?'" in error.message


def test_several(provider: FakeProvider, path: Path) -> None:
    """With several Homeys and no name it is wrong usage, and the error lists them."""
    provider.views["hut"] = view("hut")
    error = error_of(path)

    assert error.exit_status == exit_codes.USAGE
    assert "home, hut" in error.message


@pytest.mark.parametrize("name", ["min_ttl", "wait"])
def test_bad_duration(provider: FakeProvider, path: Path, name: str) -> None:
    """An invalid duration is wrong usage."""
    error = error_of(path, **{name: "soon"})

    assert error.exit_status == exit_codes.USAGE
    assert error.message.startswith(f"{name}: a duration is expected")
    assert error.message.endswith("; not 'soon'")
    assert provider.asked == []


def test_no_token(provider: FakeProvider, path: Path) -> None:
    """Without a token trying later can help; a rejection needs a person, and has the remedy."""
    provider.views["home"] = view(next_at=NOW + timedelta(seconds=42))
    later = error_of(path)
    provider.views["home"] = view(last_error=rejected())
    never = error_of(path)

    assert (later.exit_status, later.hint) == (exit_codes.TRY_LATER, "The next attempt is in 42 s.")
    assert (never.exit_status, never.hint) == (exit_codes.ACTION_NEEDED, "Correct it.")


def test_too_soon(provider: FakeProvider, path: Path) -> None:
    """The error of a refresh too soon has the time of the next one."""
    provider.refreshed = RefreshResult(
        view("home", token()), done=False, too_soon=NOW + timedelta(0, 30)
    )
    with pytest.raises(ClientError, match="possible again in 30 s") as caught:
        client.refresh("home", socket=str(path))

    assert caught.value.exit_status == exit_codes.TRY_LATER


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 200\r\ncontent-length: 3\r\n\r\nabcdef", b"abc"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\n\r\n",
            b"abc",
        ),
    ],
)
def test_bodies(path: Path, answer: bytes, body: bytes) -> None:
    """A body is read by its length, or by chunks."""
    with serve_responses(path, answer) as requests:
        found = client.request("GET", "/x", socket=str(path)).body

    assert found == body
    assert requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
    assert b"Connection: close\r\n" in requests[0]


def test_the_request_for_a_token(path: Path) -> None:
    """A request for a token is one line and two header fields."""
    with serve_responses(path, b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nabc\n") as requests:
        found = client.token(socket=str(path))

    assert "abc" == found
    assert [b"GET /token HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"] == requests


def test_many_chunks(path: Path) -> None:
    """A body of very many chunks is read in one pass: otherwise this takes minutes."""
    count = 50_000
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with serve_responses(path, head + b"40\r\n%s\r\n" % (b"x" * 64) * count + b"0\r\n\r\n"):
        found = client.request("GET", "/x", socket=str(path)).body

    assert b"x" * 64 * count == found


def test_post_and_head(path: Path) -> None:
    """A POST says that it has no body; a response to HEAD has none, whatever its length says."""
    with serve_responses(path, b"HTTP/1.1 204 No Content\r\n\r\n") as requests:
        client.request("POST", "/x", socket=str(path))
    path.unlink()
    with serve_responses(path, b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"):
        bare = client.request("HEAD", "/x", socket=str(path)).body

    assert b"Content-Length: 0\r\n" in requests[0]
    assert bare == b""


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 \xb2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nab",
        b"HTTP/1.1 500 Internal Server Error\r\n\r\noops",
        b"HTTP/1.1 799 Odd\r\n\r\n[]",
        b"HTTP/1.1 302 Found\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\nabc",
        b"HTTP/1.1 200 OK\r\nContent-Ty",
    ],
)
@pytest.mark.parametrize("ask", [client.token, client.status])
def test_unusable_responses(path: Path, answer: bytes, ask: Callable[..., object]) -> None:
    """An incomplete response counts as not reachable, on the bare socket and with http.client."""
    with serve_responses(path, answer), pytest.raises(ClientError) as caught:
        ask(socket=str(path))

    assert caught.value.exit_status == exit_codes.UNREACHABLE


@pytest.mark.parametrize("body", [b"oops", b"[]"])
def test_no_document(path: Path, body: bytes) -> None:
    """A status that is no JSON object counts as not reachable."""
    with (
        serve_responses(path, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body),
        pytest.raises(ClientError, match=r"the response is not (a )?JSON") as caught,
    ):
        client.status(socket=str(path))

    assert caught.value.exit_status == exit_codes.UNREACHABLE


def test_too_large(path: Path) -> None:
    """An endless response is given up."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n" + b"x" * 200_000
    for ask in (
        functools.partial(transport.get, "/token", str(path), 10),
        functools.partial(exchange, "GET", "/x", socket=str(path)),
    ):
        with (
            serve_responses(path, answer),
            pytest.raises(ClientError, match="the answer is too large"),
        ):
            ask(max_bytes=100_000)
        path.unlink()


@pytest.mark.parametrize("answer", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab"])
@pytest.mark.parametrize("ask", [transport.get, exchange_get])
def test_a_daemon_that_hangs(
    path: Path, answer: bytes, ask: Callable[[str, str, float], object]
) -> None:
    """A daemon that does not finish its response is given up at the deadline."""
    with (
        serve_responses(path, answer, hold=True),
        pytest.raises(ClientError, match=r"did not answer within 0\.5 s") as caught,
    ):
        ask("/token", str(path), 0.5)

    assert caught.value.exit_status == exit_codes.UNREACHABLE


def test_a_full_queue(path: Path) -> None:
    """Connecting to a busy daemon is retried until the deadline."""
    with socket.socket(socket.AF_UNIX) as busy, socket.socket(socket.AF_UNIX) as first:
        busy.bind(str(path))
        busy.listen(0)
        first.connect(str(path))
        with pytest.raises(ClientError, match="it did not answer") as caught:
            client.request("GET", "/token", socket=str(path), timeout=0.5)

    assert caught.value.exit_status == exit_codes.UNREACHABLE


def test_a_broken_connection(path: Path) -> None:
    """A connection that breaks counts as not reachable."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def turn() -> None:
            breaking, _ = listening.accept()
            with breaking:  # closed with a request that nobody took: the kernel resets it
                breaking.recv(1, socket.MSG_PEEK)

        thread = threading.Thread(target=turn)
        thread.start()
        error = error_of(path)
        thread.join(40)

    assert (error.exit_status, error.message) == (
        exit_codes.UNREACHABLE,
        "the connection broke: Connection reset by peer",
    )


def test_no_daemon_at_all(path: Path) -> None:
    """Without a daemon the error lists the paths tried and what to do."""
    missing = error_of(path)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))
    dead = error_of(path)

    assert (missing.exit_status, dead.exit_status) == (
        exit_codes.UNREACHABLE,
        exit_codes.UNREACHABLE,
    )
    assert f"{path}: No such file" in missing.message
    assert "no process listens on this socket" in dead.message
    assert "systemctl status homey-tokend" in dead.hint
    assert dead.hint.endswith("or start it: homey-tokend run")


@pytest.mark.parametrize("name", ["a\0b", "x" * 200])
def test_impossible_paths(name: str) -> None:
    """An invalid socket path is reported as a ClientError."""
    error = error_of(Path("/tmp") / name)

    assert error.exit_status == exit_codes.UNREACHABLE


def a_socket(path: Path, mode: int, gid: int) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))
    os.chown(path, -1, gid)
    path.chmod(mode)


def rejected_at(path: Path) -> ClientError:
    """The error of a user whom the kernel denies access."""
    return errors.unreachable_error(
        [(str(path), PermissionError(errno.EACCES, "Permission denied"))]
    )


def test_not_permitted(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The error of a user without access names the group that has it."""
    a_socket(path, 0o660, gid=GROUP)
    name = grp.getgrgid(GROUP).gr_name
    group = rejected_at(path)
    monkeypatch.setattr(grp, "getgrgid", {}.__getitem__)  # a group without a name
    number = rejected_at(path)
    hidden = rejected_at(path / "x")

    assert f"The group {name} has access: sudo usermod -aG {name} $USER" in group.hint
    assert f"The group {GROUP} has access: " in number.hint
    assert hidden.hint == "Ask for access to the directory of the socket."
    assert group.exit_status == exit_codes.UNREACHABLE


@pytest.mark.parametrize(
    ("mode", "gid"), [(0o600, GROUP), pytest.param(0o660, 0, marks=ROOT_NEEDED)]
)
def test_no_group_has_access(path: Path, mode: int, gid: int) -> None:
    """The error does not suggest root's group, or one that does not help: it names the keys."""
    a_socket(path, mode, gid)

    assert "No group has access: socket.group and socket.mode" in rejected_at(path).hint


def test_no_socket_at_all(path: Path) -> None:
    """The group of a regular file is not suggested."""
    path.touch()

    assert "It is not a socket. Use the daemon's: --socket" in rejected_at(path).hint


def test_access_denied() -> None:
    """A daemon that denies access is a rejection."""
    error = responses.daemon_error(
        client.Response(403, {}, json.dumps({"detail": "no\x1b[31m"}).encode())
    )

    assert (error.exit_status, error.message) == (exit_codes.ACTION_NEEDED, "no[31m")


def test_the_search_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """A given socket is the only one; otherwise the usual directories are tried in order."""
    bare = transport.socket_candidates()
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/a:/run/b")
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/run/user/1000")
    usual = transport.socket_candidates()
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", "/x.sock\r")

    assert bare == ["/run/homey-tokend/homey-tokend.sock"]
    assert usual == [
        "/run/a/homey-tokend.sock",
        "/run/b/homey-tokend.sock",
        "/run/homey-tokend/homey-tokend.sock",
        "/run/user/1000/homey-tokend/homey-tokend.sock",
    ]
    assert transport.socket_candidates() == ["/x.sock"]
    assert transport.socket_candidates("/y.sock") == ["/y.sock"]


def test_the_first_that_serves(monkeypatch: pytest.MonkeyPatch, path: Path) -> None:
    """A stale socket before a live one is skipped."""
    live = path.parent / "homey-tokend"
    live.mkdir()
    monkeypatch.setenv("RUNTIME_DIRECTORY", str(path.parent))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(path.parent))
    with serve_provider(FakeProvider(view("home", token())), live / "homey-tokend.sock"):
        found = client.token()

    assert found == CANARY
