"""Examples that are programs: each prints the names of the devices, one per line."""

import re
import shutil
import sys
from pathlib import Path

from tests.end_to_end.examples.stage import EXAMPLES, ExampleFailed, Stage

HOMEYSCRIPT = Path(__file__).with_name("homeyscript.cjs")
#: The devices of the simulator's Homey.
DEVICES = ["Lamp", "Thermometer"]


def lists_devices(on: Stage, *command: str, **environ: str) -> None:
    """Check that it prints the devices, and fails without a daemon."""
    printed = on.run(*command, environ=environ)
    if printed.splitlines() != DEVICES:
        raise ExampleFailed(f"names of devices were expected, and this came: {printed!r}")
    on.fails(*command, environ=environ)


def file(name: str) -> str:
    """Return the path of an example."""
    return str(EXAMPLES / name)


def bash(on: Stage) -> None:
    """Bash with curl and jq."""
    lists_devices(on, "bash", file("bash-curl.sh"))


def posix(on: Stage) -> None:
    """POSIX sh, with nothing else on the PATH: no curl, no jq."""
    folder = on.folder / "path"
    folder.mkdir()
    for program in ("sh", "homey-tokend"):
        found = shutil.which(program, path=on.environ["PATH"])
        (folder / program).symlink_to(found or program)
    command, environ = ("sh", file("posix-sh.sh")), {"PATH": str(folder)}
    printed = on.run(*command, environ=environ)
    if not re.fullmatch(
        r"a token of \d+ characters\nzones were read\na program for http.*\n", printed
    ):
        raise ExampleFailed(printed)
    on.fails(*command, environ=environ)


def python_client(on: Stage) -> None:
    """Python with our client."""
    lists_devices(on, sys.executable, file("python_client.py"))


def python_httpx(on: Stage) -> None:
    """Python with httpx."""
    lists_devices(on, sys.executable, file("python_httpx.py"))


def node_socket(on: Stage) -> None:
    """Node over the unix socket, without any package."""
    lists_devices(on, "node", file("node-socket.mjs"))


def node_fetch(on: Stage) -> None:
    """Node with fetch over the unix socket; a module finds packages in its own directory."""
    folder = on.folder / "fetch"
    folder.mkdir()
    shutil.copy(file("node-fetch.mjs"), folder)
    (folder / "node_modules").symlink_to(on.tools.client_modules())
    lists_devices(on, "node", str(folder / "node-fetch.mjs"))


def node_homey_api(on: Stage) -> None:
    """Node with the vendor's homey-api."""
    command = ("homey-tokend", "exec", "--", "node", file("node-homey-api.cjs"))
    lists_devices(on, *command, NODE_PATH=str(on.tools.client_modules()))


def homeyscript(on: Stage) -> None:
    """HomeyScript, in an environment like the Homey's, with the variable that the sink wrote."""
    command = ("node", str(HOMEYSCRIPT), file("homeyscript.js"))
    lists_devices(on, "homey-tokend", "exec", "--", *command)
