"""Runs every example against a simulator and a daemon, and looks at what it prints.

Needs a Python in which homey-tokend is installed with its extra ``test``, Node, npm and curl.
What else is needed (homey-api, jq, promtool) is fetched into a cache outside the checkout; what
cannot be had is told, and fails. Ends with ``N passed, M failed``.

Usage: examples/run
"""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).resolve().parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homey-tokend-examples"
HOMEY_API = "homey-api@3.20.0"
#: Seconds that one example, and the start of the daemon, may take.
PATIENCE = 30
#: Debian's packages with the programs that are not everywhere.
DEBIAN = {"jq": "jq", "promtool": "prometheus"}

#: HomeyScript's surroundings: its global ``Homey``, and an async function around the script.
HOMEYSCRIPT = """
const script = require('fs').readFileSync(process.argv[2], 'utf8')
  .replace('https://your-cloudid.connect.athom.com', process.env.HOMEY_URL)
const headers = { Authorization: `Bearer ${process.env.HOMEY_TOKEN}` }
const where = `${process.env.HOMEY_URL}/api/manager/logic/variable`
globalThis.Homey = { logic: { getVariables: async () => (await fetch(where, { headers })).json() } }
const AsyncFunction = (async () => {}).constructor
new AsyncFunction(script)().then(done => process.exit(done ? 0 : 1), error => {
  console.error(error.message)
  process.exit(1)
})
"""


class Wrong(Exception):
    """An example does not do what it says."""


class Stage:
    """The simulator, the daemon, and what children need to find them."""

    def __init__(self, folder: Path, told: dict[str, Any]) -> None:
        self.folder = folder
        self.socket = folder / "d.sock"
        self.port = free_port()
        self.environ = {
            **os.environ,
            "HOMEY_TOKEND_SOCKET": str(self.socket),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        self.told = told
        self.device = ""

    def config(self) -> Path:
        """The daemon's configuration for the simulator."""
        told = self.told
        values = {
            "email": "email",
            "password": "password",
            "client_id": "clientId",
            "client_secret": "clientSecret",
            "redirect_url": "redirectUri",
            "cloudid": "cloudid",
        }
        sink = {"type": "logic_variable", "name": "accesstoken", "create": True}
        homey = {key: told[name] for key, name in values.items()} | {"sinks": [sink]}
        path = self.folder / "config.yaml"
        document = {
            "homeys": {"home": homey},
            "socket": {"path": str(self.socket)},
            "http": {"listen": f"127.0.0.1:{self.port}"},
            "state": {"path": str(self.folder / "state.json")},
            "endpoints": {key: told[key] for key in ("accounts", "api", "homey")},
        }
        path.write_text(json.dumps(document), encoding="utf-8")
        path.chmod(0o600)
        return path

    def run(self, *command: str, environ: Mapping[str, str] | None = None) -> str:
        """What a command prints; it must end with 0."""
        done = subprocess.run(  # noqa: S603  the examples' own commands
            command,
            env={**self.environ, **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        if done.returncode:
            raise Wrong(f"{command[0]} ended with {done.returncode}: {done.stderr.strip()}")
        return done.stdout


@contextlib.contextmanager
def stage(folder: Path) -> Iterator[Stage]:
    """A simulator and a daemon that has a token and has written it."""
    with started("simulate", stdout=subprocess.PIPE, log=folder / "simulate.log") as simulator:
        line = simulator.stdout.readline() if simulator.stdout else "{}"
        made = Stage(folder, json.loads(line))
        log = folder / "run.log"
        with started("run", "-c", str(made.config()), log=log, stdout=subprocess.DEVNULL):
            until(made.socket.exists)
            made.run("homey-tokend", "token", "--wait", str(PATIENCE))
            until(lambda: "sink.delivered" in log.read_text(encoding="utf-8"))
            devices = json.loads(made.run("homey-tokend", "call", "devices"))
            made.device = next(
                key for key, one in devices.items() if "onoff" in one["capabilities"]
            )
            yield made


@contextlib.contextmanager
def started(*words: str, stdout: int, log: Path) -> Iterator[subprocess.Popen[str]]:
    """One of our commands, while it is needed."""
    with log.open("w") as err:
        process = subprocess.Popen(  # noqa: S603  our own program
            [sys.executable, "-m", "homey_tokend", *words], stdout=stdout, stderr=err, text=True
        )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=PATIENCE)


def until(true: Callable[[], bool]) -> None:
    """Wait until something is so."""
    end = time.monotonic() + PATIENCE  # noqa: TID251  a script of its own
    while not true():
        if time.monotonic() > end:  # noqa: TID251  as above
            raise Wrong("the daemon did not get ready")
        time.sleep(0.05)  # noqa: TID251  as above


def free_port() -> int:
    """A TCP port that nobody listens on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def program(name: str) -> str:
    """A program's path; where it is missing, out of Debian's package, unpacked in the cache."""
    found = shutil.which(name)
    unpacked = CACHE / "debian"
    if found is None and not (unpacked / "usr/bin" / name).exists():
        unpacked.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            for package in (DEBIAN[name], *(("libjq1", "libonig5") if name == "jq" else ())):
                subprocess.run(  # noqa: S603  fixed words
                    ["apt-get", "download", "-q", package],  # noqa: S607  found on PATH
                    cwd=folder,
                    check=True,
                    stdout=sys.stderr,
                )
            for package in Path(folder).glob("*.deb"):
                command = ["dpkg-deb", "-x", str(package), str(unpacked)]
                subprocess.run(command, check=True)  # noqa: S603  fixed words
    return found or str(unpacked / "usr/bin" / name)


def homey_api() -> Path:
    """The folder with the vendor's package."""
    folder = CACHE / HOMEY_API
    if not (folder / "node_modules/homey-api").is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
        words = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
        subprocess.run([*words, HOMEY_API], cwd=folder, check=True, stdout=sys.stderr)  # noqa: S603  fixed words
    return folder / "node_modules"


# --- the examples -----------------------------------------------------------------------


def lists_devices(printed: str) -> None:
    """Both of the simulator's devices are named, one a line."""
    if len(printed.splitlines()) < 2:
        raise Wrong(f"names of devices were expected, and this came: {printed!r}")


def bash(on: Stage) -> None:
    """Bash with curl and jq."""
    path = f"{Path(program('jq')).parent}{os.pathsep}{on.environ['PATH']}"
    library = CACHE / "debian/usr/lib" / f"{os.uname().machine}-linux-gnu"
    environ = (
        {"PATH": path, "LD_LIBRARY_PATH": str(library)} if library.exists() else {"PATH": path}
    )
    lists_devices(on.run("bash", str(HERE / "bash-curl.sh"), environ=environ))


def posix(on: Stage) -> None:
    """POSIX sh."""
    printed = on.run("sh", str(HERE / "posix-sh.sh"))
    if not re.fullmatch(r"a token .*\nzones were read\na program for http.*\n", printed):
        raise Wrong(printed)


def python_client(on: Stage) -> None:
    """Python with our client."""
    lists_devices(on.run(sys.executable, str(HERE / "python_client.py")))


def python_httpx(on: Stage) -> None:
    """Python with httpx."""
    lists_devices(on.run(sys.executable, str(HERE / "python_httpx.py")))


def node_socket(on: Stage) -> None:
    """Node over the unix socket."""
    lists_devices(on.run("node", str(HERE / "node-socket.mjs")))


def node_homey_api(on: Stage) -> None:
    """Node with homey-api."""
    environ = {"NODE_PATH": str(homey_api())}
    script = str(HERE / "node-homey-api.cjs")
    lists_devices(on.run("homey-tokend", "exec", "--", "node", script, environ=environ))


def homeyscript(on: Stage) -> None:
    """HomeyScript, in surroundings like Homey's."""
    around = on.folder / "around.cjs"
    around.write_text(HOMEYSCRIPT, encoding="utf-8")
    command = ("node", str(around), str(HERE / "homeyscript.js"))
    lists_devices(on.run("homey-tokend", "exec", "--", *command))


def home_assistant(on: Stage) -> None:
    """Home Assistant: the file is YAML, and its commands and addresses answer."""
    document = yaml.safe_load((HERE / "home-assistant.yaml").read_text(encoding="utf-8"))
    for entry in document["command_line"]:
        json.loads(on.run("sh", "-c", entry["sensor"]["command"]))
    lamp = document["shell_command"]["homey_lamp"]
    lamp = lamp.replace("{{ device }}", on.device).replace("{{ on | lower }}", "true")
    on.run("sh", "-c", lamp)
    for entry in document["binary_sensor"]:
        on.run("curl", "-fsS", entry["resource"].replace(":9464", f":{on.port}"))


def node_red(on: Stage) -> None:
    """Node-RED: the flow is whole, and its command answers."""
    nodes = json.loads((HERE / "node-red.json").read_text(encoding="utf-8"))
    ids = {node["id"] for node in nodes}
    wired = {to for node in nodes for wires in node.get("wires", ()) for to in wires}
    if not wired <= ids or len(ids) != len(nodes):
        raise Wrong("a wire leads nowhere")
    for node in nodes:
        if node["type"] == "exec":
            json.loads(on.run("sh", "-c", node["command"]))


def prometheus(on: Stage) -> None:
    """Prometheus: promtool takes configuration and rules, and the target answers."""
    on.run(program("promtool"), "check", "config", str(HERE / "prometheus.yml"))
    rules = (HERE / "prometheus.rules.yml").read_text(encoding="utf-8")
    metrics = on.run("curl", "-sS", f"http://127.0.0.1:{on.port}/metrics")
    for name in set(re.findall(r"\bhomey_tokend_\w+", rules)):
        if name not in metrics:
            raise Wrong(f"the daemon has no metric {name}")


EXAMPLES = (
    bash,
    posix,
    python_client,
    python_httpx,
    node_socket,
    node_homey_api,
    homeyscript,
    home_assistant,
    node_red,
    prometheus,
)


def main() -> int:
    """Run all of them, and tell the sums."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="hx") as folder, stage(Path(folder)) as on:
        for example in EXAMPLES:
            words = (example.__doc__ or "").splitlines()[0]
            try:
                example(on)
            except (Wrong, OSError, ValueError, subprocess.SubprocessError) as error:
                failed += 1
                print(f"not ok {words} {error}")
            else:
                print(f"ok {words}")
    print(f"{len(EXAMPLES) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
