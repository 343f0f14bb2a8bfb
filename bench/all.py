"""Run the measurements one after another and print one table of all figures.

bench/run [NAME ...]      some or all of client_start, client_import, daemon_start, socket_reads,
                          many_clients, tcp_clients, subscribers, api_proxy, hang_reads,
                          memory, hops

PYTHON names an interpreter that has the package installed. The client's start and import are
measured in a fresh venv, with the console script that a current pip makes. The exit status is 1 if
a figure fails its mark, 2 if a measurement fails. Other work on the machine spoils all figures but
the memory: the load before each measurement is reported on stderr.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import venv
from dataclasses import replace
from pathlib import Path

from bench.common import COLLECT, Figure, report

ROOT = Path(__file__).parents[1]
NAMES = (
    "client_start",
    "client_import",
    "daemon_start",
    "socket_reads",
    "many_clients",
    "tcp_clients",
    "subscribers",
    "api_proxy",
    "hang_reads",
    "memory",
    "hops",
)
#: These start interpreters, and are measured with one of a fresh venv.
IN_FRESH_VENV = ("client_start", "client_import")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(NAMES))
    names = parser.parse_args().names or NAMES
    if unknown := set(names) - set(NAMES):
        parser.error(f"unknown: {', '.join(sorted(unknown))}")
    figures: list[Figure] = []
    failed = []
    with tempfile.TemporaryDirectory(prefix="ht") as folder:
        for name in names:
            python = fresh_python(Path(folder)) if name in IN_FRESH_VENV else sys.executable
            measured = measure(name, python, Path(folder) / name)
            figures += measured
            failed += [] if measured else [name]
    for name in failed:
        print(f"{name}: no figures", file=sys.stderr)
    status = report(figures) if figures else 2
    return 2 if failed else status


def measure(name: str, python: str, lines: Path) -> list[Figure]:
    """Return the figures of one measurement; none if it failed."""
    print(f"{name}: load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    subprocess.run(
        [python, "-m", f"bench.{name}"],
        cwd=ROOT,
        env={**os.environ, COLLECT: str(lines)},
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if not lines.exists():
        return []
    figures = (Figure(**json.loads(line)) for line in lines.read_text("utf-8").splitlines())
    return [replace(figure, name=f"{name}: {figure.name}") for figure in figures]


def fresh_python(folder: Path) -> str:
    """Return the interpreter of a new venv that has the package installed."""
    environment = folder / "venv"
    python = str(environment / "bin" / "python")
    if environment.exists():
        return python
    venv.create(environment, with_pip=True)
    pip = (python, "-m", "pip", "install", "-q", "--disable-pip-version-check")
    subprocess.run([*pip, "--upgrade", "pip"], check=True)
    subprocess.run([*pip, str(ROOT)], check=True)
    return python


if __name__ == "__main__":
    sys.exit(main())
