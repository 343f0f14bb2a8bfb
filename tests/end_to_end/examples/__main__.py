"""Run every example against a simulator and a daemon, and check its output.

What is needed besides (curl, jq, Node, npm packages, Prometheus, Jinja) is fetched; the parts
that are not Debian's go into a cache outside the checkout. What cannot be had fails. Ends with
``N passed, M failed``.

Usage: examples/run [NAME ...]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.end_to_end.examples import home_assistant, node_red, prometheus, scripts
from tests.end_to_end.examples.stage import Example, ExampleFailed, stage
from tests.end_to_end.examples.tools import Tools

EXAMPLES: dict[str, Example] = {
    "bash": scripts.bash,
    "posix-sh": scripts.posix,
    "python-client": scripts.python_client,
    "python-httpx": scripts.python_httpx,
    "node-socket": scripts.node_socket,
    "node-fetch": scripts.node_fetch,
    "node-homey-api": scripts.node_homey_api,
    "homeyscript": scripts.homeyscript,
    "ha-command-line": home_assistant.command_line,
    "ha-rest": home_assistant.rest,
    "ha-shell-command": home_assistant.shell_command,
    "prometheus-rules": prometheus.rules,
    "prometheus-scrape": prometheus.scrape,
    "prometheus-alerts": prometheus.alerts,
    "node-red": node_red.flow,
}


def main() -> int:
    """Run all examples, or the named ones, and print the sums."""
    names = sys.argv[1:] or list(EXAMPLES)
    if unknown := set(names) - set(EXAMPLES):
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(EXAMPLES)}")
    failed = 0
    with (
        tempfile.TemporaryDirectory(prefix="hx") as folder,
        Tools() as tools,
        stage(Path(folder), tools) as on,
    ):
        for name in names:
            begun = time.monotonic()
            try:
                EXAMPLES[name](on)
            except (
                ExampleFailed,
                OSError,
                ValueError,
                KeyError,
                subprocess.SubprocessError,
            ) as error:
                failed += 1
                print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)  # noqa: T201  it prints its results
            else:
                print(f"ok {name} ({time.monotonic() - begun:.1f} s)", flush=True)  # noqa: T201  it prints its results
    print(f"{len(names) - failed} passed, {failed} failed")  # noqa: T201  it prints its results
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
