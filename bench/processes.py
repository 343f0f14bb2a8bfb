"""Real daemons for measurements: a simulator and ``homey-tokend run``, each a process."""

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

PROGRAM = (sys.executable, "-m", "homey_tokend")


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="ht"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@contextlib.contextmanager
def child(*words: str, core: int | None = None, **how: Any) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the block ends, pinned to a core if one is given."""
    cores = sorted(os.sched_getaffinity(0))
    process = subprocess.Popen(words, stderr=subprocess.DEVNULL, **how)
    if core is not None:
        os.sched_setaffinity(process.pid, {cores[core % len(cores)]})
    try:
        yield process
    finally:
        process.terminate()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@contextlib.contextmanager
def simulator(*words: str, core: int | None = None) -> Iterator[dict[str, Any]]:
    """Run a simulator; yield the description that it prints once it listens."""
    begin = (*PROGRAM, "simulate", *words)
    with child(*begin, core=core, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())


def homey(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return the configuration of the simulated Homey, without sinks."""
    return {
        "email": description["email"],
        "password": description["password"],
        "client_id": description["clientId"],
        "client_secret": description["clientSecret"],
        "redirect_url": description["redirectUri"],
        "cloudid": description["cloudid"],
    }


@contextlib.contextmanager
def daemon(
    description: Mapping[str, Any],
    place: Path,
    core: int | None = None,
    program: Sequence[str] = PROGRAM,
    **sections: Mapping[str, Any],
) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Run a daemon against a simulator; yield its process and its socket once it answers."""
    path = place / "d.sock"
    document: dict[str, Any] = {
        "homeys": {
            "home": homey(description)
            | {"sinks": [{"type": "logic_variable", "name": "accesstoken"}]}
        },
        "socket": {"path": str(path)},
        "state": {"path": str(place / "state.json")},
        "endpoints": {key: description[key] for key in ("accounts", "api", "homey")},
        **sections,
    }
    (place / "config.yaml").write_text(json.dumps(document), encoding="utf-8")
    (place / "config.yaml").chmod(0o600)
    begin = (*program, "run", "-c", str(place / "config.yaml"))
    with child(*begin, core=core, stdout=subprocess.DEVNULL) as process:
        until(lambda: status(path) is not None, "the daemon answers")
        yield process, path


def status(path: Path) -> dict[str, Any] | None:
    """Return the Homey's document; None without an answer."""
    with contextlib.suppress(OSError):
        document: dict[str, Any] = json.loads(get(path, "/homeys/home"))
        return document
    return None


def get(path: Path, target: str) -> bytes:
    """Return the body of a response of the socket.

    Raises:
        OSError: There is no response, or its status is not 200.
    """
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    if head[9:12] != b"200":
        raise OSError(f"{target}: {head[:60]!r}")
    return body


def until(true: Any, what: str, timeout_s: float = 60.0) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() > end:
            sys.exit(f"not within {timeout_s:g} s: {what}")
        time.sleep(0.02)


def memory_mb(pid: int) -> dict[str, float]:
    """Return the MiB of a process: resident (Rss), its share (Pss), private."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines()[1:]
    found = {name.rstrip(":"): int(value) / 1024 for name, value, *_ in map(str.split, lines)}
    return {name: found[name] for name in ("Rss", "Pss", "Private_Dirty")}
