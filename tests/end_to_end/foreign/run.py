"""Run clients that others wrote against the simulator, to verify it.

First compare the catalogue of calls with the vendor's specification files.
Two clients: the guide's own HomeyScript, read from beside the checkout and run as
it is but for its hosts and settings, under Node with node-fetch 1.7.3 (it reads
that version's internals); and the vendor's npm package homey-api. Needs Node, npm,
and a Python that has aiohttp and PyYAML. Ends with ``N passed, M failed``.

Usage: tests/end_to_end/foreign/run
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[2]
sys.path.insert(0, str(CHECKOUT))  # this file is run as a program

from tests.end_to_end.foreign import catalogue  # noqa: E402  as above

GUIDE = CHECKOUT.parent / "shared" / "000_f5efc2bc6753e101.txt"
PACKAGES = ("node-fetch@1.7.3", "homey-api@3.20.0")
#: Seconds that one Node program may take; all of them take a few.
TIMEOUT = 40
#: Lifetimes in seconds whose end the vendor's client sees.
LIFE = "3"

FAULTS = """
- {homey: 2, step: any, kind: mesh_node_offline}
- {homey: 1, step: devices, kind: too_many_requests, times: 1}
"""


def packages() -> Path:
    """Install the npm packages outside the checkout, once per set of versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = cache / "homey-tokend-foreign" / "+".join(PACKAGES)
    modules = folder / "node_modules"
    if all((modules / package.partition("@")[0]).is_dir() for package in PACKAGES):
        return modules
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.mkdtemp(prefix="homey-tokend-foreign-"))
        modules = folder / "node_modules"
    (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
    command = ["npm", "install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([*command, *PACKAGES], cwd=folder, check=True, stdout=sys.stderr)  # noqa: S603 -- fixed words
    return modules


@contextlib.contextmanager
def simulator(folder: Path, name: str, *flags: str) -> Iterator[dict[str, Any]]:
    """Run a simulator, and yield its description with the path of its log added."""
    log = folder / f"{name}.log"
    process = subprocess.Popen(  # noqa: S603 -- our own module
        [sys.executable, "-m", "homey_tokend.simulator", "--log", str(log), *flags],
        cwd=CHECKOUT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        line = process.stdout.readline() if process.stdout else ""
        yield {**json.loads(line), "log": str(log)}
    finally:
        process.terminate()
        process.communicate(timeout=10)


def node(script: str, description: dict[str, Any], modules: Path) -> tuple[int, int]:
    """Run a Node program, and count the ``ok …`` and ``not ok …`` lines that it prints."""
    process = subprocess.run(  # noqa: S603 -- our own script
        [shutil.which("node") or "node", str(HERE / script)],
        input=json.dumps(description),
        env={**os.environ, "NODE_PATH": str(modules)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    sys.stdout.write(process.stdout)
    sys.stdout.flush()
    lines = process.stdout.splitlines()
    passed = sum(line.startswith("ok ") for line in lines)
    failed = sum(line.startswith("not ok ") for line in lines)
    if process.returncode and not failed:
        sys.stdout.write(f"not ok {script} ended with status {process.returncode}\n")
        failed = 1
    return passed, failed


def guide(folder: Path, modules: Path) -> tuple[int, int]:
    """Run the guide's script, if it is there."""
    if not GUIDE.is_file():
        sys.stdout.write(
            "left out: the guide's script is not at ../shared/ beside this checkout, "
            "so it was not run\n"
        )
        return 0, 0
    with simulator(folder, "guide") as description:
        return node("guide.cjs", {**description, "guide": str(GUIDE)}, modules)


def vendor(folder: Path, modules: Path) -> tuple[int, int]:
    """Run the vendor's client against Homeys of both of its versions."""
    faults = folder / "faults.yaml"
    faults.write_text(FAULTS, encoding="utf-8")
    passed = failed = 0
    for version in ("2", "3"):
        common = ("--api-version", version)
        long = ("--homeys", "2", "--faults", str(faults), "--rotation", "replace")
        short = ("--session-lifetime", LIFE, "--access-lifetime", LIFE, "--password-grant")
        with (
            simulator(folder, f"long-{version}", *common, *long) as lasting,
            simulator(folder, f"short-{version}", *common, *short) as fleeting,
        ):
            description = {
                "version": version,
                "life": float(LIFE),
                "long": lasting,
                "short": fleeting,
            }
            more = node("vendor.cjs", description, modules)
        passed, failed = passed + more[0], failed + more[1]
    return passed, failed


def main() -> int:
    """Run all, and print the sums."""
    modules = packages()
    with tempfile.TemporaryDirectory(prefix="homey-tokend-foreign-") as folder:
        sums = [
            catalogue.check(modules, GUIDE),
            guide(Path(folder), modules),
            vendor(Path(folder), modules),
        ]
    passed, failed = (sum(column) for column in zip(*sums, strict=True))
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
