"""The daemon and its commands as processes, and one request over a socket."""

import atexit
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from homey_tokend.simulator import Simulator
from tests.end_to_end.processes.cloud import TIMEOUT_S, until
from tests.support.fork_server import Forked, ForkServer

ROOT = Path(__file__).parents[3]
PROGRAM = (sys.executable, "-m", "homey_tokend")
#: Commands whose imports take longer than their work.
HEAVY = {"run", "once", "check", "init"}
#: How long a daemon may take to stop.
END_WITHIN_S = 5.0

Section = dict[str, Any]
_forks = ForkServer()
atexit.register(_forks.close)


@dataclass(frozen=True)
class Answer:
    """One HTTP response, read to its end."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        return self.body.decode().strip()


class _Local(http.client.HTTPConnection):
    """HTTP over a unix socket, with the standard library only."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(str(self._path))


def ask(at: Path | str, path: str, method: str = "GET", host: str = "localhost") -> Answer:
    """Send one request to a unix socket, or to ``host:port``."""
    made = _Local(at) if isinstance(at, Path) else http.client.HTTPConnection(at, timeout=10)
    try:
        made.request(method, path, headers={"Host": host})
        got = made.getresponse()
        headers = {name.lower(): value for name, value in got.getheaders()}
        return Answer(got.status, headers, got.read())
    finally:
        made.close()


@dataclass
class Daemon:
    """``homey-tokend run`` as a process, with its own directory."""

    folder: Path
    process: subprocess.Popen[bytes] | Forked
    socket: Path = field(init=False)
    state: Path = field(init=False)

    def __post_init__(self) -> None:
        self.socket = self.folder / "d.sock"
        self.state = self.folder / "state.json"

    def up(self) -> Self:
        """Wait until the socket answers."""
        until(self._answers, f"the daemon answers; it says: {self.said()[-2000:]!r}")
        return self

    def _answers(self) -> bool:
        status = self.process.poll()
        assert status is None, f"ended with {status}: {self.said()[-2000:]!r}"
        with suppress(OSError):
            return self.get("/healthz").status == 200
        return False

    def get(self, path: str) -> Answer:
        return ask(self.socket, path)

    def post(self, path: str) -> Answer:
        return ask(self.socket, path, "POST")

    def token(self) -> str:
        """Return the token as soon as there is one."""
        return str(until(lambda: self._token() or None, f"a token; {self.said()[-2000:]!r}"))

    def _token(self) -> str:
        answer = self.get("/token")
        return answer.text if answer.status == 200 else ""

    def status(self, name: str = "home") -> Any:
        return self.get(f"/homeys/{name}").json

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def ended(self, within_s: float = TIMEOUT_S) -> int:
        """Return the exit status; a negative one is a signal."""
        return self.process.wait(within_s)

    def end(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, float]:
        """Stop it, and return the exit status and the seconds it took."""
        begun = time.monotonic()
        self.send(number)
        return self.ended(), time.monotonic() - begun

    @property
    def out(self) -> bytes:
        return (self.folder / "out").read_bytes()

    @property
    def err(self) -> bytes:
        return (self.folder / "err").read_bytes()

    def said(self) -> str:
        return self.err.decode("utf-8", "replace")

    def events(self) -> list[dict[str, Any]]:
        """Return the lines of the log; the last one may be incomplete."""
        lines = self.said().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.startswith("{") and line[-1] == "\n"]


class Daemons:
    """Start daemons, and remove them and their directories at the end."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def folder(self) -> Path:
        """Create a directory with a path short enough for a socket in it."""
        made = tempfile.mkdtemp(prefix="ht")
        self._stack.callback(shutil.rmtree, made, ignore_errors=True)
        return Path(made)

    def start(
        self,
        cloud: Simulator,
        *,
        folder: Path | None = None,
        environ: Mapping[str, str] | None = None,
        **sections: Section,
    ) -> Daemon:
        """Start a daemon with a cloud; ``up`` waits until it serves."""
        place = folder or self.folder()
        write(place, configuration(cloud, place, **sections))
        return self.run(place, "--config", str(place / "config.yaml"), environ=environ)

    def run(
        self,
        folder: Path,
        *words: str,
        environ: Mapping[str, str] | None = None,
        module: str = "homey_tokend",
        program: Sequence[str] = (),
        **how: Any,
    ) -> Daemon:
        """Start a daemon with these arguments, its output in files of the directory.

        It is forked from a process that has done the imports; with a ``program`` or streams of its
        own it is started as an operating system does.
        """
        process: subprocess.Popen[bytes] | Forked
        with (
            Path(os.devnull).open("rb") as nothing,
            (folder / "out").open("ab") as out,
            (folder / "err").open("ab") as err,
        ):
            if not (program or how):
                streams = nothing.fileno(), out.fileno(), err.fileno()
                process = _forks.start(
                    ["run", *words],
                    cwd=ROOT,
                    env=environment(environ),
                    streams=streams,
                    module=module,
                )
            else:
                own: dict[str, Any] = {"stdin": nothing, "stdout": out, "stderr": err} | how
                process = subprocess.Popen(  # noqa: S603  our own program
                    [*(program or PROGRAM), "run", *words],
                    cwd=ROOT,
                    env=environment(environ),
                    **own,
                )
        self._stack.callback(_reap, process)
        return Daemon(folder, process)


def _reap(process: subprocess.Popen[bytes] | Forked) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def environment(more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment of a child: ours with another home, and more."""
    return {**os.environ, "HOME": "/nonexistent", **(more or {})}


def configuration(cloud: Simulator, folder: Path, **sections: Section) -> dict[str, Any]:
    """Return the configuration that a person would write for this cloud, updated by sections."""
    description = cloud.description()
    homeys = {
        ("home" if number == 1 else f"home-{number}"): {
            "email": description["email"],
            "password": description["password"],
            "client_id": description["clientId"],
            "client_secret": description["clientSecret"],
            "redirect_url": description["redirectUri"],
            "cloudid": homey["cloudid"],
        }
        | ({"totp_secret": description["totpSecret"]} if "totpSecret" in description else {})
        | sections.get("homey", {})
        for number, homey in enumerate(description["homeys"], 1)
    }
    document: dict[str, Any] = {
        "homeys": homeys,
        "refresh": {"retry": {"first": "50ms", "max": "100ms"}},
        "socket": {"path": str(folder / "d.sock")},
        "state": {"path": str(folder / "state.json")},
        "log": {"level": "debug", "format": "json"},
        "endpoints": {key: description[key] for key in ("accounts", "api", "homey")},
    }
    for name, section in sections.items():
        if name != "homey":
            document[name] = document.get(name, {}) | section
    return document


def write(folder: Path, document: Mapping[str, Any]) -> Path:
    """Write the configuration file, readable by its owner only; JSON is YAML."""
    path = folder / "config.yaml"
    path.write_text(json.dumps(document), encoding="utf-8")
    path.chmod(0o600)
    return path


@dataclass(frozen=True)
class Done:
    """The result of a command."""

    status: int
    out: str
    err: str


def command(
    *words: str, environ: Mapping[str, str] | None = None, answers: Sequence[str] = ()
) -> Done:
    """Run a command to its end; ``answers`` are the lines of its input."""
    text = "".join(f"{line}\n" for line in answers)
    if words[:1] and words[0] in HEAVY and "--help" not in words:
        return _forked(words, environment(environ), text)
    done = subprocess.run(  # noqa: S603  our own program
        [*PROGRAM, *words],
        cwd=ROOT,
        env=environment(environ),
        input=text,
        capture_output=True,
        text=True,
        timeout=2 * TIMEOUT_S,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def _forked(words: Sequence[str], env: Mapping[str, str], text: str) -> Done:
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as out,
        tempfile.TemporaryFile() as err,
    ):
        given.write(text.encode())
        given.seek(0)
        streams = given.fileno(), out.fileno(), err.fileno()
        status = _forks.start(words, cwd=ROOT, env=env, streams=streams).wait(2 * TIMEOUT_S)
        out.seek(0)
        err.seek(0)
        return Done(status, out.read().decode(), err.read().decode())


def together(*lines: Sequence[str]) -> list[Done]:
    """Run several commands in parallel, and return their results in order."""
    with ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda words: command(*words), lines))
