"""The programs and packages that examples need, fetched in parallel."""

import importlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "homey-tokend-examples"
#: Programs, and the packages of Debian that have them.
DEBIAN = {"curl": "curl", "jq": "jq", "node": "nodejs", "npm": "npm"}
#: Downloads go into a directory of ours, which apt's own user may not enter.
APT = ("apt-get", "-o", "APT::Sandbox::User=root")
HOMEY_API, UNDICI, NODE_RED = "homey-api@3.20.0", "undici@6", "node-red@4"
JINJA = "jinja2>=3.1,<4"


class Tools:
    """Tools that are being fetched; each property waits for its own."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(4)
        install_missing()
        self._client: Future[Path] = self._pool.submit(npm, HOMEY_API, UNDICI)
        self._node_red: Future[Path] = self._pool.submit(npm, NODE_RED)
        self._prometheus: Future[Path] = self._pool.submit(unpack, "prometheus")
        self._jinja: Future[Path] = self._pool.submit(pip, JINJA)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def client_modules(self) -> Path:
        """``node_modules`` with homey-api and undici."""
        return self._client.result()

    def node_red(self) -> Path:
        """Node-RED's program."""
        return self._node_red.result() / ".bin" / "node-red"

    def prometheus(self, name: str) -> Path:
        """``promtool`` or ``prometheus``."""
        return self._prometheus.result() / "usr/bin" / name

    def jinja(self) -> Any:
        """The templates' module."""
        where = str(self._jinja.result())
        if where not in sys.path:
            sys.path.append(where)
        return importlib.import_module("jinja2")


def install_missing() -> None:
    """Install Debian's packages of missing programs; needs root if one is missing."""
    missing = [package for program, package in DEBIAN.items() if shutil.which(program) is None]
    if missing:
        run("apt-get", "update", "-qq")
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)


def unpack(package: str) -> Path:
    """Return a directory with the content of a Debian package, not installed: no service starts."""
    place = CACHE / "debian" / package
    if place.is_dir():
        return place
    with atomic_folder(place) as folder:
        try:
            run(*APT, "download", "-qq", package, cwd=folder)
        except subprocess.CalledProcessError:
            run("apt-get", "update", "-qq")
            run(*APT, "download", "-qq", package, cwd=folder)
        (archive,) = folder.glob("*.deb")
        run("dpkg-deb", "-x", str(archive), str(folder))
        archive.unlink()
    return place


def npm(*packages: str) -> Path:
    """Return a directory ``node_modules`` with these packages."""
    place = CACHE / "npm" / "+".join(packages)
    if not place.is_dir():
        with atomic_folder(place) as folder:
            (folder / "package.json").write_text('{"private": true}\n', encoding="utf-8")
            quiet = ("--no-save", "--no-audit", "--no-fund", "--loglevel=error")
            run("npm", "install", *quiet, *packages, cwd=folder)
    return place / "node_modules"


def pip(package: str) -> Path:
    """Return a directory with a Python package, outside the environment under test."""
    place = CACHE / "pip" / package
    if not place.is_dir():
        with atomic_folder(place) as folder:
            words = ("-m", "pip", "install", "-q", "--disable-pip-version-check")
            run(sys.executable, *words, "--target", str(folder), package)
    return place


class atomic_folder:  # noqa: N801  used as a with statement's word
    """Return a directory that is filled elsewhere and then renamed into place."""

    def __init__(self, place: Path) -> None:
        self._place = place
        place.parent.mkdir(parents=True, exist_ok=True)
        self._aside = Path(tempfile.mkdtemp(prefix=".", dir=place.parent))

    def __enter__(self) -> Path:
        return self._aside

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and not self._place.exists():
            self._aside.chmod(0o755)
            self._aside.rename(self._place)
        else:
            shutil.rmtree(self._aside, ignore_errors=True)


def run(*words: str, cwd: Path | None = None) -> None:
    """Run a program that fetches something; its output goes to stderr."""
    subprocess.run(words, cwd=cwd, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)  # noqa: S603  fixed words
