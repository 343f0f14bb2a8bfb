"""``homey-tokend exec``: a command replaces this process, with a token in its environment."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from tests.support.api_server import serve_provider, serve_responses
from tests.support.provider import CANARY, FakeProvider, rejected, token, view

pytestmark = [pytest.mark.slow, pytest.mark.timeout(60)]

PROGRAM = (sys.executable, "-m", "homey_tokend", "exec")


@pytest.fixture
def socket() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    yield folder / "d.sock"
    shutil.rmtree(folder)


@pytest.fixture
def provider(socket: Path) -> Iterator[FakeProvider]:
    made = FakeProvider(view("home", token()))
    with serve_provider(made, socket):
        yield made


def begun(socket: Path, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(  # noqa: S603  our own program
        [*PROGRAM, *words],
        env={**os.environ, "HOMEY_TOKEND_SOCKET": str(socket)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def done(socket: Path, *words: str) -> tuple[int, str, str]:
    process = begun(socket, *words)
    out, err = process.communicate(timeout=30)
    return process.returncode, out, err


@pytest.mark.usefixtures("provider")
def test_the_environment(socket: Path) -> None:
    """Token, address and expiry are added to the environment of the command."""
    code = "import json, os; print(json.dumps(dict(os.environ)))"
    status, out, err = done(socket, "--homey", "home", "--", sys.executable, "-c", code)
    environ = json.loads(out)

    assert (exit_codes.OK, "") == (status, err)
    assert CANARY == environ["HOMEY_TOKEN"]
    assert "https://abc.connect.athom.com" == environ["HOMEY_URL"]
    assert "2026-03-02T12:00:00Z" == environ["HOMEY_TOKEN_EXPIRES_AT"]
    assert os.environ["PATH"] == environ["PATH"]


@pytest.mark.usefixtures("provider")
def test_arguments(socket: Path) -> None:
    """Arguments are passed unchanged; a command without options needs no -- before it."""
    assert "--homey -- -x\n" == done(socket, "--", "echo", "--homey", "--", "-x")[1]
    assert "a b\n" == done(socket, "echo", "a b")[1]


def test_several_homeys(provider: FakeProvider, socket: Path) -> None:
    """With several Homeys, --homey is required, and the hint says so."""
    provider.views["hut"] = view("hut", token())
    status, out, err = done(socket, "--", "echo", "run")

    assert (exit_codes.USAGE, "") == (status, out)
    assert "the request names none: home, hut" in err
    assert "Pass --homey NAME." in err
    assert (exit_codes.OK, "run\n") == done(socket, "--homey", "hut", "--", "echo", "run")[:2]


def test_token_options(provider: FakeProvider, socket: Path) -> None:
    """--min-ttl and --wait reach the daemon."""
    status, _, _ = done(socket, "--min-ttl", "25h", "--wait", "1", "--", "true")

    assert exit_codes.OK == status
    assert [(25, 1)] == [
        (ttl.total_seconds() / 3600, wait.total_seconds()) for _, ttl, wait in provider.asked
    ]


@pytest.mark.usefixtures("provider")
@pytest.mark.parametrize("number", [0, 1, 7, 255])
def test_exit_status(socket: Path, number: int) -> None:
    """The exit status is that of the command."""
    assert number == done(socket, "--", "sh", "-c", f"exit {number}")[0]


@pytest.fixture
def hang_up_is_not_ignored() -> Iterator[None]:
    """Undo what nohup sets for the tests; a command inherits it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("provider", "hang_up_is_not_ignored")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE])
def test_signals(socket: Path, number: signal.Signals) -> None:
    """A signal ends the command; none is left ignored or blocked."""
    process = begun(socket, "--", "sh", "-c", "echo ready; exec sleep 30")
    assert process.stdout is not None
    ready = process.stdout.readline()
    process.send_signal(number)
    process.communicate(timeout=40)

    assert "ready\n" == ready
    assert -number == process.returncode


@pytest.mark.usefixtures("provider")
def test_no_such_command(socket: Path) -> None:
    """A missing command exits with 127, by name or by path, as in a shell."""
    for name in ("no-such-command-here", "/nowhere/at/all"):
        status, out, err = done(socket, "--", name)

        assert (127, "") == (status, out)
        assert f"homey-tokend: {name}: command not found\n" == err


@pytest.mark.usefixtures("provider")
def test_a_command_that_cannot_be_executed(socket: Path) -> None:
    """A command that cannot be executed exits with 126, and the message says why."""
    place = socket.parent / "script"
    place.write_text("echo hello\n")
    plain = done(socket, "--", str(place))
    place.chmod(0o755)
    headless = done(socket, "--", str(place))
    folder = done(socket, "--", str(socket.parent))

    assert [126, 126, 126] == [each[0] for each in (plain, headless, folder)]
    assert "permission denied\nCheck that it is a file and executable" in plain[2]
    assert "#!/bin/sh" in headless[2]
    assert "permission denied" in folder[2]


@pytest.mark.usefixtures("provider")
def test_no_interpreter(socket: Path) -> None:
    """A script whose interpreter is missing is not reported as missing itself."""
    place = socket.parent / "script"
    place.write_text("#!/nowhere/interpreter\n")
    place.chmod(0o755)
    status, _, err = done(socket, "--", str(place))

    assert 127 == status
    assert "Check that the interpreter" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "a command is required"),
        (("--",), "a command is required"),
        (("--", ""), "a command is required"),
        (("echo", "--", "x"), "'echo' is before --"),
        (("--homey",), "expected one argument"),
    ],
)
def test_wrong_usage(socket: Path, words: tuple[str, ...], message: str) -> None:
    """Wrong usage exits with 64 and the right usage, before the daemon is asked."""
    status, out, err = done(socket, *words)

    assert (exit_codes.USAGE, "") == (status, out)
    assert message in err
    assert "homey-tokend exec" in err


def test_without_a_token(provider: FakeProvider, socket: Path) -> None:
    """Without a token the command does not run: unknown Homey, none now, rejected."""
    unknown = done(socket, "--homey", "nope", "--", "echo", "ran")
    provider.views["home"] = view()
    later = done(socket, "--", "echo", "ran")
    provider.views["home"] = view(last_error=rejected())
    never = done(socket, "--", "echo", "ran")

    assert [exit_codes.USAGE, exit_codes.TRY_LATER, exit_codes.ACTION_NEEDED] == [
        unknown[0],
        later[0],
        never[0],
    ]
    assert ["", "", ""] == [unknown[1], later[1], never[1]]


def test_no_daemon(socket: Path) -> None:
    """Without a daemon the command does not run, and the message has the path tried."""
    status, out, err = done(socket, "--", "echo", "ran")

    assert (exit_codes.UNREACHABLE, "") == (status, out)
    assert str(socket) in err


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"access_token": 5, "url": "x", "expires_at": "y"}',
        b'{"access_token": "a\\u0000b", "url": "x", "expires_at": "y"}',
    ],
)
def test_an_impostor(socket: Path, body: bytes) -> None:
    """An answer that is not a token document runs nothing."""
    with serve_responses(
        socket, b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
    ):
        status, out, err = done(socket, "--", "echo", "ran")

    assert (exit_codes.UNREACHABLE, "") == (status, out)
    assert "not a token document" in err


@pytest.mark.usefixtures("provider")
def test_no_message_shows_the_token(socket: Path) -> None:
    """No message shows the token, whatever fails later."""
    said = [done(socket, "--", name)[2] for name in ("/nowhere", str(socket.parent), "/dev/null")]

    assert all(said)
    assert not any(CANARY in each for each in said)
