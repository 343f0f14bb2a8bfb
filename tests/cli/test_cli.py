"""The command line: output and exit status."""

import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from homey_tokend import __version__, exit_codes
from homey_tokend.cli import main, parser
from homey_tokend.cli import token as token_command
from homey_tokend.core.status import RefreshResult, SinkView
from tests.support.api_server import serve_provider, serve_responses
from tests.support.cli_page import PAGE, page
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    made = FakeProvider(view("home", token()))
    with serve_provider(made, folder / "d.sock"):
        yield made
    shutil.rmtree(folder)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["homey-tokend", *words])
        capsys.readouterr()
        status = main.main()
        output = capsys.readouterr()
        return status, output.out, output.err

    return ran


@pytest.mark.parametrize(
    "words",
    [
        ("token",),
        ("token", "home"),
        ("token", "--wait", "5", "home"),
        ("token", "home", "--min-ttl=10m", "--wait=5"),
    ],
)
def test_token(provider: FakeProvider, run: Run, words: tuple[str, ...]) -> None:
    """The token and a newline are printed, and nothing else."""
    assert run(*words) == (exit_codes.OK, CANARY + "\n", "")
    assert provider.asked == []


def test_token_as_json(provider: FakeProvider, run: Run) -> None:
    """--json prints the daemon's document."""
    status, out, _ = run("token", "--json")

    assert (status, json.loads(out)["access_token"]) == (exit_codes.OK, CANARY)
    assert "home" in provider.views


def test_token_by_argparse(provider: FakeProvider, run: Run) -> None:
    """argparse parses what the fast path does not, and asks for the same."""
    status, out, _ = run("token", "--min-ttl", "2d", "--wait", "1", "--", "home")

    assert (status, out) == (exit_codes.OK, CANARY + "\n")
    assert provider.asked == [("home", timedelta(days=2), timedelta(seconds=1))]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], {}),
        (["home", "--json"], {"homey": "home", "json": True}),
        (["--socket=/a=b"], {"socket": "/a=b"}),
        (["--wait", "-1"], None),
        (["--wait"], None),
        (["--wait=-1"], {"wait": "-1"}),
        (["--json=1"], None),
        (["--help"], None),
        (["-h"], None),
        (["a", "b"], None),
        ([""], None),
        (["--"], None),
    ],
)
def test_the_fast_path(words: list[str], expected: dict[str, object] | None) -> None:
    """The fast path takes only plain arguments."""
    assert token_command.parse(words) == expected


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ((), "See: homey-tokend --help"),
        (("tokn",), "did you mean token?"),
        (("tokn", "--help"), "unknown: tokn; did you mean token?"),
        (("--bad",), "unknown: --bad"),
        (("token", "a", "b"), "See: homey-tokend token --help"),
        (("token", "--wait"), "expected one argument"),
        (("token", "--min", "5"), "unrecognized arguments: --min"),
        (("status", "--nope"), "See: homey-tokend status --help"),
        (("simulate", "--nope"), "See: homey-tokend simulate --help"),
    ],
)
def test_wrong_usage(run: Run, words: tuple[str, ...], hint: str) -> None:
    """Wrong usage exits with 64 and a hint, and prints nothing on stdout."""
    status, out, err = run(*words)

    assert (status, out) == (exit_codes.USAGE, "")
    assert hint in err


@pytest.mark.parametrize("words", [("token", "nope"), ("status", "nope"), ("refresh", "nope")])
def test_unknown_homey(provider: FakeProvider, run: Run, words: tuple[str, ...]) -> None:
    """An unknown Homey exits with 64, and the message lists the known ones."""
    status, out, err = run(*words)

    assert (status, out) == (exit_codes.USAGE, "")
    assert f"known: {', '.join(provider.views)}" in err


def test_several_homeys_and_none_named(provider: FakeProvider, run: Run) -> None:
    """With several Homeys, the message ends with a command that works."""
    provider.views["hut"] = view("hut", token())

    for words in (("token",), ("token", "--json")):
        status, out, err = run(*words)
        assert (status, out) == (exit_codes.USAGE, "")
        assert err.endswith(f"Name one: homey-tokend token {next(iter(provider.views))}\n")


def test_not_reachable(run: Run, tmp_path: Path) -> None:
    """Without a daemon every command that needs it exits with 69 and a hint."""
    words = ("--socket", str(tmp_path / "x"))
    found = [run(command, *words) for command in ("token", "status", "refresh")]

    assert [status for status, _, _ in found] == [exit_codes.UNREACHABLE] * 3
    assert all("Is the daemon running?" in err for _, _, err in found)


def test_no_token(provider: FakeProvider, run: Run) -> None:
    """Without a token the status is 75 or 77, with the reason and nothing on stdout."""
    provider.views["home"] = view()
    later = run("token")
    provider.views["home"] = view(last_error=rejected())
    denied = run("token")

    assert (later[0], denied[0]) == (exit_codes.TRY_LATER, exit_codes.ACTION_NEEDED)
    assert later[1] == denied[1] == ""
    assert "the account rejects the password\nCorrect it.\n" in denied[2]


def test_status(provider: FakeProvider, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status shows the token, its expiry, the next attempt and what failed."""
    monkeypatch.setenv("TZ", "UTC")
    held = token(timedelta(hours=11, minutes=32, seconds=5))
    sinks = (
        SinkView("file /run/t", 7, NOW - timedelta(seconds=90), None, None),
        SinkView("exec a", None, None, None, None),
        SinkView("logic accesstoken", 6, NOW, rejected(), NOW + timedelta(seconds=5)),
    )
    provider.views["home"] = view(
        "home",
        held,
        renew_at=NOW - timedelta(minutes=2),
        next_at=NOW + timedelta(minutes=13),
        next_reason="the account was rejected",
        last_error=rejected(),
        outage_at=held.expires_at,
        sinks=sinks,
    )
    status, out, _ = run("status")

    assert status == exit_codes.OK
    assert CANARY not in out
    assert (
        out
        == f"""home: ok  https://abc.connect.athom.com
  token    {held.value.fingerprint()} (generation 7), valid until 2026-03-01 23:32:05 UTC (in 11 h 32 min)
  refresh  due since 2026-03-01 11:58:00 UTC; next try 2026-03-01 12:13:00 UTC (in 13 min): the account was rejected
  error    account_rejected at login, 2026-03-01 12:00:00 UTC (now), 3 times: the account rejects the password
           Correct it.
  outage   2026-03-01 23:32:05 UTC (in 11 h 32 min)
  sink     file /run/t: generation 7 written 2026-03-01 11:58:30 UTC (1 min 30 s ago)
  sink     exec a: not written yet
  sink     logic accesstoken: account_rejected at login, 2026-03-01 12:00:00 UTC (now), 3 times: the account rejects the password
           Correct it.
           next try 2026-03-01 12:00:05 UTC (in 5 s)
"""
    )


def test_status_of_several(provider: FakeProvider, run: Run) -> None:
    """The exit status is the worst of the Homeys shown."""
    well = run("status")[0]
    provider.views["hut"] = view("hut", refreshing=True)
    later = run("status")
    provider.views["attic"] = view("attic", token(timedelta(0)), last_error=rejected())
    worst = run("status")
    one = run("status", "home")

    assert (well, later[0], worst[0], one[0]) == (
        exit_codes.OK,
        exit_codes.TRY_LATER,
        exit_codes.ACTION_NEEDED,
        exit_codes.OK,
    )
    assert "token    none\n  refresh  in progress\n" in later[1]
    assert "expired" in worst[1]


def test_status_as_json(provider: FakeProvider, run: Run) -> None:
    """--json prints the daemon's document for one Homey or all."""
    everything = json.loads(run("status", "--json")[1])
    one = json.loads(run("status", "home", "--json")[1])

    assert list(everything["homeys"]) == list(provider.views)
    assert one["name"] == "home"


def test_refresh(provider: FakeProvider, run: Run) -> None:
    """Without a name all Homeys are refreshed; the output contains no token."""
    provider.views["hut"] = view("hut")
    provider.renewed = {
        "home": view("home", token(generation=8)),
        "hut": view("hut", token(generation=8)),
    }
    status, out, _ = run("refresh", "--wait", "5")

    assert status == exit_codes.OK
    assert [name for name, _, _ in provider.asked] == ["home", "hut"]
    assert out.count(f"{token().value.fingerprint()}, valid until 2026-03-02T12:00:00Z\n") == 2
    assert CANARY not in out


def test_a_refresh_without_a_new_token(provider: FakeProvider, run: Run) -> None:
    """A refresh in progress or too soon exits with 75, a rejected one with 77."""
    provider.views["home"] = view("home", token(), refreshing=True)
    in_progress = run("refresh", "home", "--wait", "0")
    provider.views["home"] = view("home", token(), last_error=rejected())
    denied = run("refresh", "home")
    provider.refreshed = RefreshResult(
        provider.views["home"],
        done=False,
        too_soon=NOW + timedelta(0, 30),
        why="the token is only 30 s old",
    )
    too_soon = run("refresh")

    assert (in_progress[0], denied[0], too_soon[0]) == (
        exit_codes.TRY_LATER,
        exit_codes.ACTION_NEEDED,
        exit_codes.TRY_LATER,
    )
    assert "still in progress" in in_progress[2]
    assert too_soon[2].endswith(
        "homey-tokend: home: the token is only 30 s old; possible again in 30 s\n"
    )


def test_a_failure_is_explained(run: Run, tmp_path: Path) -> None:
    """A failing command prints the reason and the remedy, but no traceback."""
    file = tmp_path / "config.yaml"
    file.write_text("homeys: {home: {emial: x}}")
    status, out, err = run("once", "-c", str(file))

    assert (exit_codes.CONFIGURATION, "") == (status, out)
    assert err.startswith("homey-tokend: ")
    assert "email" in err
    assert "Traceback" not in err


@pytest.mark.slow
@pytest.mark.parametrize("word", ["token", "status"])
def test_interrupted(tmp_path: Path, word: str) -> None:
    """Ctrl-C exits without a message."""
    path = tmp_path / "d.sock"
    with (
        serve_responses(path, b"", hold=True) as asked,
        subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-m", "homey_tokend", word, "--socket", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as waiting,
    ):
        while not asked:
            time.sleep(0.01)
        waiting.send_signal(signal.SIGINT)
        output = waiting.communicate(timeout=40)

    assert (exit_codes.INTERRUPTED, (b"", b"")) == (waiting.returncode, output)


@pytest.mark.slow
def test_closed_output(provider: FakeProvider) -> None:
    """A token that cannot be printed is a failure."""
    assert provider.living
    shell = ["/bin/sh", "-c", 'exec "$0" "$@" >&-']
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [*shell, sys.executable, "-m", "homey_tokend", "token"], capture_output=True, check=False
    )

    assert exit_codes.CANNOT_WRITE == ended.returncode
    assert b"homey-tokend: the output cannot be written: stdout is closed\n" == ended.stderr


def test_odd_locales(monkeypatch: pytest.MonkeyPatch, provider: FakeProvider) -> None:
    """Characters that the locale lacks are escaped."""
    provider.views["home"] = view("home", token(), next_at=NOW, next_reason="Prüfung")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["homey-tokend", "status"])
    status = main.main()

    assert status == exit_codes.OK
    assert rb"Pr\xfcfung" in raw.getvalue()


def process(words: list[str], stdout: int) -> tuple[int, bytes]:
    """Run a real process; return its exit status and stderr."""
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-m", "homey_tokend", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("word", ["token", "status"])
def test_real_outputs(provider: FakeProvider, word: str) -> None:
    """Without a readable or writable stdout, a process ends with its status and no traceback."""
    assert provider.living
    reading, writing = os.pipe()
    os.close(reading)
    with Path("/dev/full").open("wb") as full:
        found = [process([word], writing), process([word], full.fileno())]
    os.close(writing)

    assert found == [
        (exit_codes.BROKEN_PIPE, b""),
        (
            exit_codes.CANNOT_WRITE,
            b"homey-tokend: the output cannot be written: No space left on device\n",
        ),
    ]


def test_simulate(run: Run) -> None:
    """The simulator gets its arguments unchanged."""
    assert (
        run("simulate", "--port", "0", "--faults", "/nowhere.yaml")[0] == exit_codes.CONFIGURATION
    )


def test_version(run: Run) -> None:
    """--version prints the version."""
    assert run("--version")[:2] == (exit_codes.OK, f"homey-tokend {__version__}\n")


def test_overview(run: Run) -> None:
    """--help lists every command with its line."""
    status, out, _ = run("--help")

    assert status == exit_codes.OK
    assert all(f"  {name}" in out and line in out for name, line in parser.COMMANDS.items())


@pytest.mark.parametrize("name", parser.COMMANDS)
def test_help(run: Run, name: str) -> None:
    """Every command has help with an example."""
    status, out, _ = run(name, "--help")

    assert status == exit_codes.OK
    assert "example" in out
    assert f"  homey-tokend {name}" in out or f"$(homey-tokend {name}" in out


def test_the_page() -> None:
    """docs/cli.md is what --help prints; ``python -m tests.support.cli_page`` writes it."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_health(provider: FakeProvider, run: Run) -> None:
    """Health exits with 0 if every Homey has a valid token, else it names those without."""
    well = run("health")
    provider.views["home"] = view("home", None)
    ill, _, output = run("health")

    assert well == (exit_codes.OK, "ready\n", "")
    assert ill == exit_codes.TRY_LATER
    assert "there is no valid token for home" in output
