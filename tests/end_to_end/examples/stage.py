"""The environment of the examples: a simulator, and a daemon that has a token from it."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.end_to_end.examples.tools import Tools

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
#: Seconds that a command, or the start of the daemon, may take.
TIMEOUT = 60

Example = Callable[["Stage"], None]


class ExampleFailed(Exception):
    """An example does not work."""


class Stage:
    """What examples need to find simulator, daemon and tools."""

    def __init__(self, folder: Path, description: dict[str, Any], tools: Tools) -> None:
        self.folder = folder
        self.description = description
        self.tools = tools
        self.socket = folder / "d.sock"
        self.port = free_port()
        self.environ = {
            **os.environ,
            "HOMEY_TOKEND_SOCKET": str(self.socket),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }

    def config(self) -> Path:
        """Return the daemon's configuration for the simulator."""
        description = self.description
        values = {
            "email": "email",
            "password": "password",
            "client_id": "clientId",
            "client_secret": "clientSecret",
            "redirect_url": "redirectUri",
            "cloudid": "cloudid",
        }
        sink = {"type": "logic_variable", "name": "accesstoken", "create": True}
        homey = {key: description[name] for key, name in values.items()} | {"sinks": [sink]}
        document = {
            "homeys": {"home": homey},
            "socket": {"path": str(self.socket)},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "state": {"path": str(self.folder / "state.json")},
            "endpoints": {key: description[key] for key in ("accounts", "api", "homey")},
        }
        path = self.folder / "config.yaml"
        path.write_text(json.dumps(document), encoding="utf-8")
        path.chmod(0o600)
        return path

    def run(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        """Return the output of a command, which must succeed."""
        done = self.ended(*command, environ=environ)
        if done.returncode:
            raise ExampleFailed(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout

    def fails(self, *command: str, environ: Mapping[str, str] | None = None) -> None:
        """Check that a command fails without a daemon, and says why."""
        nobody = {**(environ or {}), "HOMEY_TOKEND_SOCKET": str(self.folder / "nobody.sock")}
        done = self.ended(*command, environ=nobody)
        if done.returncode == 0 or not done.stderr.strip():
            raise ExampleFailed(f"{command[0]} ended with {done.returncode} without a daemon")

    def ended(
        self, *command: str, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(  # noqa: S603  the examples' own commands
            command,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT,
            check=False,
        )

    def url(self, address: str) -> str:
        """Return an address of an example with this daemon's port."""
        if ":9464" not in address:
            raise ExampleFailed(f"{address} is not the usual address of http.listen")
        return address.replace(":9464", f":{self.port}")


@contextlib.contextmanager
def stage(folder: Path, tools: Tools) -> Iterator[Stage]:
    """Run a simulator, and a daemon that has a token and has written it."""
    simulator = started("simulate", log=folder / "simulate.log", stdout=subprocess.PIPE)
    with simulator as process:
        made = Stage(folder, json.loads(process.stdout.readline() if process.stdout else ""), tools)
        with daemon(made, folder / "run.log") as log:
            made.run("homey-tokend", "token", "--wait", str(TIMEOUT))
            until(lambda: "sink.delivered" in log.read_text(encoding="utf-8"))
            yield made


@contextlib.contextmanager
def daemon(on: Stage, log: Path) -> Iterator[Path]:
    """Run a daemon until it answers, and yield its log."""
    with started("run", "-c", str(on.config()), log=log, stdout=subprocess.DEVNULL):
        until(on.socket.exists)
        yield log


@contextlib.contextmanager
def started(*words: str, log: Path, stdout: int) -> Iterator[subprocess.Popen[str]]:
    """Run one of our commands for the duration of the context."""
    with log.open("w") as err:
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "homey_tokend", *words], stdout=stdout, stderr=err, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=TIMEOUT)


def until(true: Callable[[], Any], timeout_s: float = TIMEOUT) -> Any:
    """Wait until the result is true, and return it."""
    end = time.monotonic() + timeout_s
    while not (found := true()):
        if time.monotonic() > end:
            raise ExampleFailed(f"not within {timeout_s:g} s")
        time.sleep(0.05)
    return found


def free_port() -> int:
    """Return a free TCP port."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])
