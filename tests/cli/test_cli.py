"""The command line: what it prints, and what it ends with."""

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
from tests.support.cli_page import PAGE, page
from tests.support.desk import CANARY, NOW, FakeDesk, rejected, token, view
from tests.support.doors import saying, serving

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDesk]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    made = FakeDesk(view("home", token()))
    with serving(made, folder / "d.sock"):
        yield made
    shutil.rmtree(folder)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    def ran(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["homey-tokend", *words])
        capsys.readouterr()
        status = main.main()
        told = capsys.readouterr()
        return status, told.out, told.err

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
def test_token(desk: FakeDesk, run: Run, words: tuple[str, ...]) -> None:
    """The token and a newline are printed, and nothing else."""
    assert run(*words) == (exit_codes.OK, CANARY + "\n", "")
    assert desk.asked == []


def test_token_as_json(desk: FakeDesk, run: Run) -> None:
    """With --json the daemon's document is printed."""
    status, out, _ = run("token", "--json")

    assert (status, json.loads(out)["access_token"]) == (exit_codes.OK, CANARY)
    assert "home" in desk.views


def test_token_by_argparse(desk: FakeDesk, run: Run) -> None:
    """What the short way does not understand, argparse does: both ask the same."""
    status, out, _ = run("token", "--min-ttl", "2d", "--wait", "1", "--", "home")

    assert (status, out) == (exit_codes.OK, CANARY + "\n")
    assert desk.asked == [("home", timedelta(days=2), timedelta(seconds=1))]


@pytest.mark.parametrize(
    ("words", "understood"),
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
def test_the_short_way(words: list[str], understood: dict[str, object] | None) -> None:
    """Only what is beyond doubt goes the short way."""
    assert token_command.parse(words) == understood


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
    """Wrong usage ends with 64 and a hint, and prints nothing on stdout."""
    status, out, err = run(*words)

    assert (status, out) == (exit_codes.USAGE, "")
    assert hint in err


@pytest.mark.parametrize("words", [("token", "nope"), ("status", "nope"), ("refresh", "nope")])
def test_unknown_homey(desk: FakeDesk, run: Run, words: tuple[str, ...]) -> None:
    """An unknown Homey ends with 64 and names the known ones."""
    status, out, err = run(*words)

    assert (status, out) == (exit_codes.USAGE, "")
    assert f"known: {', '.join(desk.views)}" in err


def test_not_reachable(run: Run, tmp_path: Path) -> None:
    """No daemon is 69, with what to do, for every command that needs it."""
    words = ("--socket", str(tmp_path / "x"))
    found = [run(command, *words) for command in ("token", "status", "refresh")]

    assert [status for status, _, _ in found] == [exit_codes.UNREACHABLE] * 3
    assert all("Is the daemon running?" in err for _, _, err in found)


def test_no_token(desk: FakeDesk, run: Run) -> None:
    """No token is 75 or 77, with the reason and nothing on stdout."""
    desk.views["home"] = view()
    later = run("token")
    desk.views["home"] = view(trouble=rejected())
    never = run("token")

    assert (later[0], never[0]) == (exit_codes.TRY_LATER, exit_codes.ACTION_NEEDED)
    assert later[1] == never[1] == ""
    assert "the account rejects the password\nCorrect it.\n" in never[2]


def test_status(desk: FakeDesk, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """The status tells people what is held, until when, what is next, and what went wrong."""
    monkeypatch.setenv("TZ", "UTC")
    held = token(timedelta(hours=11, minutes=32, seconds=5))
    sinks = (
        SinkView("file /run/t", 7, NOW - timedelta(seconds=90), None, None),
        SinkView("exec a", None, None, None, None),
        SinkView("logic accesstoken", 6, NOW, rejected(), NOW + timedelta(seconds=5)),
    )
    desk.views["home"] = view(
        "home",
        held,
        renew_at=NOW + timedelta(hours=1),
        next_at=NOW + timedelta(minutes=15),
        next_reason="the proof",
        trouble=rejected(),
        outage_at=held.expires_at,
        sinks=sinks,
    )
    status, out, _ = run("status")

    assert status == exit_codes.OK
    assert CANARY not in out
    assert (
        out
        == f"""home: ok  https://abc.connect.athom.com
  token    {held.fingerprint()} (generation 7), valid until 2026-03-01 23:32:05 (in 11 h 32 min)
  refresh  2026-03-01 13:00:00 (in 1 h); next step 2026-03-01 12:15:00 (in 15 min): the proof
  error    account_rejected at login, 2026-03-01 12:00:00 (now), 3 times: the account rejects the password
           Correct it.
  outage   2026-03-01 23:32:05 (in 11 h 32 min)
  sink     file /run/t: generation 7 written 2026-03-01 11:58:30 (1 min 30 s ago)
  sink     exec a: not written yet
  sink     logic accesstoken: account_rejected at login, 2026-03-01 12:00:00 (now), 3 times: the account rejects the password
           Correct it.
           next try 2026-03-01 12:00:05 (in 5 s)
"""
    )


def test_status_of_several(desk: FakeDesk, run: Run) -> None:
    """The exit status is the worst of the Homeys shown."""
    well = run("status")[0]
    desk.views["hut"] = view("hut", refreshing=True)
    later = run("status")
    desk.views["attic"] = view("attic", token(timedelta(0)), trouble=rejected())
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


def test_status_as_json(desk: FakeDesk, run: Run) -> None:
    """With --json the daemon's document is printed, of one Homey or of all."""
    everything = json.loads(run("status", "--json")[1])
    one = json.loads(run("status", "home", "--json")[1])

    assert list(everything["homeys"]) == list(desk.views)
    assert one["name"] == "home"


def test_refresh(desk: FakeDesk, run: Run) -> None:
    """Without a name all Homeys are refreshed; what came of it is told without a token."""
    desk.views["hut"] = view("hut")
    desk.renewed = {
        "home": view("home", token(generation=8)),
        "hut": view("hut", token(generation=8)),
    }
    status, out, _ = run("refresh", "--wait", "5")

    assert status == exit_codes.OK
    assert [name for name, _, _ in desk.asked] == ["home", "hut"]
    assert out.count(f"{token().fingerprint()}, valid until 2026-03-02T12:00:00Z\n") == 2
    assert CANARY not in out


def test_refresh_that_is_not_done(desk: FakeDesk, run: Run) -> None:
    """A refresh under way or too soon is 75, a refused one 77."""
    desk.views["home"] = view("home", token(), refreshing=True)
    under_way = run("refresh", "home", "--wait", "0")
    desk.views["home"] = view("home", token(), trouble=rejected())
    never = run("refresh", "home")
    desk.refreshed = RefreshResult(desk.views["home"], done=False, too_soon=NOW + timedelta(0, 30))
    too_soon = run("refresh")

    assert (under_way[0], never[0], too_soon[0]) == (
        exit_codes.TRY_LATER,
        exit_codes.ACTION_NEEDED,
        exit_codes.TRY_LATER,
    )
    assert "still in progress" in under_way[2]
    assert too_soon[2].endswith("home: home is refreshed again in 30 s at the earliest\n")


def test_a_failure_is_told(run: Run, tmp_path: Path) -> None:
    """A command that fails says what is wrong, what to do, and no traceback."""
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
    """Ctrl-C ends quietly."""
    path = tmp_path / "d.sock"
    with (
        saying(path, b"", hold=True) as asked,
        subprocess.Popen(  # noqa: S603  our own interpreter
            [sys.executable, "-m", "homey_tokend", word, "--socket", str(path)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        ) as waiting,
    ):
        while not asked:
            time.sleep(0.01)
        waiting.send_signal(signal.SIGINT)
        told = waiting.communicate(timeout=40)

    assert (exit_codes.INTERRUPTED, (b"", b"")) == (waiting.returncode, told)


@pytest.mark.slow
def test_closed_output(desk: FakeDesk) -> None:
    """A token that nobody can receive is a failure."""
    assert desk.living
    shell = ["/bin/sh", "-c", 'exec "$0" "$@" >&-']
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [*shell, sys.executable, "-m", "homey_tokend", "token"], capture_output=True, check=False
    )

    assert exit_codes.CANNOT_WRITE == ended.returncode
    assert b"homey-tokend: the output cannot be written: stdout is closed\n" == ended.stderr


def test_odd_locales(monkeypatch: pytest.MonkeyPatch, desk: FakeDesk) -> None:
    """What the terminal cannot write is escaped, not raised."""
    desk.views["home"] = view("home", token(), next_at=NOW, next_reason="Prüfung")
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    monkeypatch.setattr(sys, "argv", ["homey-tokend", "status"])
    status = main.main()

    assert status == exit_codes.OK
    assert rb"Pr\xfcfung" in raw.getvalue()


def process(words: list[str], stdout: int) -> tuple[int, bytes]:
    """Run a real process with this stdout: its exit status and stderr."""
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-m", "homey_tokend", *words],
        stdout=stdout,
        stderr=subprocess.PIPE,
        check=False,
    )
    return ended.returncode, ended.stderr


@pytest.mark.slow
@pytest.mark.parametrize("word", ["token", "status"])
def test_real_outputs(desk: FakeDesk, word: str) -> None:
    """Real processes end with their status and without a traceback, wherever they write."""
    assert desk.living
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
    """The simulator gets its words as they are."""
    assert (
        run("simulate", "--port", "0", "--faults", "/nowhere.yaml")[0] == exit_codes.CONFIGURATION
    )


def test_version(run: Run) -> None:
    """The version is told."""
    assert run("--version")[:2] == (exit_codes.OK, f"homey-tokend {__version__}\n")


def test_overview(run: Run) -> None:
    """The list of commands is static, and each has a line."""
    status, out, _ = run("--help")

    assert status == exit_codes.OK
    assert all(f"  {name}" in out and line in out for name, line in parser.COMMANDS.items())


@pytest.mark.parametrize("name", parser.COMMANDS)
def test_help(run: Run, name: str) -> None:
    """Every command's help ends well and has an example."""
    status, out, _ = run(name, "--help")

    assert status == exit_codes.OK
    assert "example" in out
    assert f"  homey-tokend {name}" in out or f"$(homey-tokend {name}" in out


def test_the_page() -> None:
    """docs/cli.md is what --help says; ``python -m tests.support.cli_page`` writes it anew."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_health(desk: FakeDesk, run: Run) -> None:
    """Health ends with 0 while every Homey holds a valid token, and else says whose is lacking."""
    well = run("health")
    desk.views["home"] = view("home", None)
    ill, _, told = run("health")

    assert well == (exit_codes.OK, "ready\n", "")
    assert ill == exit_codes.TRY_LATER
    assert "no valid token is held for home" in told
