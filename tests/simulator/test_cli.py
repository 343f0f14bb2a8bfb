"""``homey-tokend simulate`` as a process: its line, its log, its end."""

import json
import signal
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from homey_tokend.simulator import Simulator
from homey_tokend.simulator.cli import main, parse
from homey_tokend.simulator.settings import Settings, Switches

ROOT = Path(__file__).parents[2]


@contextmanager
def running(*flags: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, Any]]]:
    with subprocess.Popen(  # noqa: S603 -- our own module
        [sys.executable, "-m", "homey_tokend.simulator", *flags],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None

            yield process, json.loads(process.stdout.readline())
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_line_and_end(how: signal.Signals) -> None:
    """One line on stdout, JSON lines on stderr, status 0 after a signal."""
    with running("--homeys", "2") as (process, description):
        with pytest.raises(urllib.error.HTTPError):
            urllib.request.urlopen(f"{description['api']}/user/me?access_token=secret")
        process.send_signal(how)
        out, err = process.communicate(timeout=10)
    events = [json.loads(line) for line in err.splitlines()]

    assert process.returncode == 0
    assert out == ""
    assert set(description) == {
        "accounts",
        "api",
        "homey",
        "email",
        "password",
        "clientId",
        "clientSecret",
        "redirectUri",
        "cloudid",
        "homeys",
    }
    assert len(description["homeys"]) == 2
    assert description["cloudid"] == description["homeys"][0]["cloudid"]
    assert description["homeys"][0]["variables"][0]["name"] == "accesstoken"
    assert [event["event"] for event in events] == [
        "simulator.started",
        "request.answered",
        "simulator.stopped",
    ]
    assert (events[1]["step"], events[1]["status"]) == ("user", 401)
    assert "secret" not in err


@pytest.mark.slow
def test_log_file(tmp_path: Path) -> None:
    """With --log the lines go to a file, and stderr stays empty."""
    log = tmp_path / "log"
    with running("--log", str(log)) as (process, _):
        process.terminate()
        _, err = process.communicate(timeout=10)

    assert err == ""
    assert len(log.read_text(encoding="utf-8").splitlines()) == 2


async def test_taken_port(capsys: pytest.CaptureFixture[str]) -> None:
    """A port that is taken is status 69."""
    async with Simulator() as simulator:
        port = simulator.base_url.rpartition(":")[2]
        done = subprocess.run(  # noqa: S603, ASYNC221 -- the simulator only has to hold the port
            [sys.executable, "-m", "homey_tokend.simulator", "--port", port],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )

    assert done.returncode == 69
    assert done.stderr == f"cannot listen on 127.0.0.1:{port}: address already in use\n"
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("flags", "status"),
    [
        (["--help"], 0),
        (["--nothing"], 64),
        (["--homeys", "0"], 64),
        (["--homeys", "x"], 64),
        (["--port", "70000"], 64),
        (["--session-lifetime", "-1"], 64),
        (["--totp-secret", "1"], 64),
        (["--faults", "/nonexistent/faults"], 78),
        (["--log", "/nonexistent/log"], 78),
        (["--tls-cert", "/nonexistent/cert"], 78),
    ],
)
def test_usage(flags: list[str], status: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage is 64, a file that cannot be used 78."""
    assert main(flags) == status
    assert "Traceback" not in capsys.readouterr().err


def test_bad_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An invalid fault file is reported with file, line and column, and is status 78."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("- {kind: rest}\n- {kind: rset}\n")

    assert main(["--faults", str(faults)]) == 78

    printed = capsys.readouterr().err.splitlines()

    assert [line.partition(": ")[0] for line in printed] == [f"{faults}:1:4", f"{faults}:2:4"]


def test_defaults() -> None:
    """Without flags the settings are those of the class."""
    arguments = parse([])

    assert arguments.settings == Settings()
    assert (arguments.host, arguments.port, arguments.log) == ("127.0.0.1", 0, None)


def test_flags(tmp_path: Path) -> None:
    """Flags become settings and switches."""
    faults = tmp_path / "faults.json"
    faults.write_text('[{"kind": "reset"}]')
    flags = [
        "--session-lifetime",
        "60",
        "--refresh-lifetime",
        "9",
        "--homeys",
        "3",
        "--seed",
        "4",
        "--consent",
        "direct",
        "--rotation",
        "none",
        "--csrf-field",
        "single-quotes",
        "--covers",
        "chosen",
        "--slash",
        "refused",
        "--api-version",
        "3",
        "--no-expires-at",
        "--no-code-once",
        "--no-remote-url",
        "--expires-in-text",
        "--password-grant",
        "--extra-cookies",
        "--clock-skew",
        "-5",
        "--scopes",
        "a,b",
        "--totp-secret",
        "GEZDGNBVGY3TQOJQ",
        "--email",
        "me@example.com",
    ]
    settings = parse([*flags, "--faults", str(faults)]).settings

    assert (settings.session_lifetime, settings.refresh_lifetime, settings.homeys) == (60, 9, 3)
    assert (settings.seed, settings.email) == (4, "me@example.com")
    assert [fault.kind for fault in settings.faults] == ["reset"]
    assert settings.switches == Switches(
        consent="direct",
        rotation="none",
        csrf_field="single-quotes",
        covers="chosen",
        slash="refused",
        api_version=3,
        expires_at=False,
        code_once=False,
        remote_url=False,
        expires_in_text=True,
        password_grant=True,
        extra_cookies=True,
        clock_skew=-5,
        scopes=("a", "b"),
    )


def test_files_in_plain_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every error with a file names it, in words and without an errno."""
    latin = tmp_path / "latin"
    latin.write_bytes(b"\xe4")
    missing = str(tmp_path / "missing")
    words = {
        ("--faults", missing): f"{missing}: no such file or directory",
        ("--faults", str(tmp_path)): f"{tmp_path}: is a directory",
        ("--faults", str(latin)): f"{latin}: is not UTF-8; save it as UTF-8",
        ("--log", f"{missing}/log"): f"{missing}/log: no such file or directory",
        ("--tls-cert", missing): "--tls-cert or --tls-key: no such file or directory",
        ("--tls-cert", str(latin)): (
            "--tls-cert: holds no certificate with its key, in PEM; see --tls-key"
        ),
    }
    printed = {flags: (main(flags), capsys.readouterr().err) for flags in words}

    assert {flags: (78, f"{text}\n") for flags, text in words.items()} == printed


def test_certificate(tmp_path: Path) -> None:
    """A certificate with its key makes an SSL context."""
    trustme.CA().issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(tmp_path / "pem")
    )

    assert parse(["--tls-cert", str(tmp_path / "pem")]).ssl_context is not None


async def test_https() -> None:
    """With an SSL context it serves https, also in its address."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    async with Simulator(ssl_context=server) as simulator, aiohttp.ClientSession() as session:
        simulator.add_fault(step="login", kind="reset")
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.post(f"{simulator.base_url}/login", ssl=client)
        async with session.get(f"{simulator.base_url}/user/me", ssl=client) as answer:
            status = answer.status

    assert simulator.base_url.startswith("https://127.0.0.1:")
    assert status == 400


async def test_seed() -> None:
    """With a seed the ids are the same each time, without one they are not."""
    cloudids_by_seed = [Simulator(Settings(seed=seed)).cloudids for seed in (1, 1, 2, None, None)]

    assert cloudids_by_seed[0] == cloudids_by_seed[1]
    assert len({cloudids[0] for cloudids in cloudids_by_seed}) == 4
