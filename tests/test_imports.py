"""What ``homey-tokend token`` may import, since its speed depends on it."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.support.api_server import serve_responses

HEAVY = {
    "aiohttp",
    "argparse",
    "asyncio",
    "dataclasses",
    "email",
    "http.client",
    "json",
    "logging",
    "pydantic",
    "re",
    "socket",
    "structlog",
    "typing",
    "yaml",
}


def loaded(code: str) -> set[str]:
    """Return the modules that a fresh interpreter has loaded after this, beyond its initial ones."""
    report = "import sys; before = set(sys.modules)\n{}\nnew = set(sys.modules) - before\n"
    tell = "sys.__stderr__.write('\\n' + str(sorted(new)).replace(chr(39), chr(34)))"
    environment = {name: value for name, value in os.environ.items() if "COV" not in name}
    ended = subprocess.run(  # noqa: S603  our own interpreter
        [sys.executable, "-c", report.format(code) + tell],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(json.loads(ended.stderr.rpartition("\n")[2]))


@pytest.mark.slow
def test_the_client_imports_little() -> None:
    """The client imports nothing that takes longer than a request."""
    assert HEAVY & loaded("import homey_tokend.client") == set()


@pytest.mark.slow
def test_the_token_command_imports_little() -> None:
    """This also applies to the token command, from the first import to the printed token."""
    with tempfile.TemporaryDirectory(prefix="ht") as folder:
        path = Path(folder) / "d.sock"
        with serve_responses(path, b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\ntoken\n"):
            words = ["homey-tokend", "token", "home", "--wait", "5", "--socket", str(path)]
            new = loaded(
                f"sys.argv = {words}\nfrom homey_tokend.cli import main\nassert main.main() == 0"
            )

    assert "homey_tokend.client.transport" in new
    assert HEAVY & new == set()


@pytest.mark.slow
def test_the_package_imports_nothing() -> None:
    """Importing the package loads the package alone."""
    assert loaded("import homey_tokend") == {"homey_tokend"}


@pytest.mark.slow
def test_help_imports_no_command() -> None:
    """The list of commands imports no command's module and no server."""
    new = loaded(
        "sys.argv = ['homey-tokend', '--help']\nfrom homey_tokend.cli import main\nmain.main()"
    )

    assert {name for name in new if name.startswith("homey_tokend.cli.")} == {
        "homey_tokend.cli.main",
        "homey_tokend.cli.output",
        "homey_tokend.cli.parser",
    }
    assert {"aiohttp", "asyncio", "structlog"} & new == set()


@pytest.mark.slow
def test_the_daemon_loads_no_metrics_library() -> None:
    """The metrics library is loaded after the socket answers."""
    new = loaded("import homey_tokend.cli.run")

    assert "homey_tokend.server.monitoring" in new
    assert {name for name in new if name.startswith("prometheus_client")} == set()
