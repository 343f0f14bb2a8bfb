"""Invalid configurations exit with 78, each error with its place and remedy, and no traceback."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from tests.end_to_end.processes.daemons import PROGRAM, ROOT, Done, command, environment, together

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

GOOD = """homeys:
  home:
    email: a@example.com
    password: secret-enough
    client_id: "1234"
    client_secret: "5678"
    cloudid: abc
"""


def missing(path: Path) -> None:
    del path


def folder(path: Path) -> None:
    path.mkdir()


def pipe(path: Path) -> None:
    os.mkfifo(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 32)


def holding(content: bytes) -> Callable[[Path], None]:
    def made(path: Path) -> None:
        path.write_bytes(content)

    return made


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "missing": (missing, "no such file"),
    "folder": (folder, "is a folder"),
    "pipe": (pipe, ""),
    "empty": (holding(b""), ""),
    "huge": (huge, "larger"),
    "binary": (holding(b"\x7fELF\x00\x01\x02" * 99), ""),
    "not UTF-8": (holding(GOOD.encode().replace(b"abc", b"\xe4\xf6\xfc")), "UTF-8"),
    "no YAML": (holding(b"homeys: [\n"), ""),
    "a list": (holding(b"- homeys\n"), ""),
    "many aliases": (holding(b"x-a: &a [x]\nhomeys: [" + b"*a," * 5000 + b"]\n"), ""),
    "deep": (holding(b"[" * 100_000), ""),
    "unknown key": (holding(GOOD.replace("email", "e-mail").encode()), "email"),
}


def test_bad(tmp_path: Path) -> None:
    """``check`` and ``run`` exit with 78, the path and plain words, and no traceback."""
    paths = {name: tmp_path / f"{number}.yaml" for number, name in enumerate(BAD)}
    for name, path in paths.items():
        BAD[name][0](path)
    run = {"empty", "missing", "unknown key"}
    lines = [("run" if name in run else "check", f"-c{path}") for name, path in paths.items()]
    done = dict(zip(paths, together(*lines), strict=True))

    assert dict.fromkeys(paths, (exit_codes.CONFIGURATION, "")) == {
        name: (each.status, each.out) for name, each in done.items()
    }
    for name, each in done.items():
        assert str(paths[name]) in each.err, name
        assert BAD[name][1] in each.err, name
        assert "Traceback" not in each.err, name
        assert len(each.err) < 4000, name


def test_unreadable(tmp_path: Path) -> None:
    """A file without read permission is 78, with what to do. Root usually reads all."""
    path = tmp_path / "c.yaml"
    path.write_text(GOOD, encoding="utf-8")
    path.chmod(0)
    reads_all = "dac_override,-dac_read_search"
    without = ("setpriv", f"--bounding-set=-{reads_all}", f"--inh-caps=-{reads_all}")
    done = subprocess.run(  # noqa: S603  our own program
        [*(without if os.access(path, os.R_OK) else ()), *PROGRAM, "check", "-c", str(path)],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert (exit_codes.CONFIGURATION, "") == (done.returncode, done.stdout)
    assert f"{path}: cannot be read: permission denied. Check the path" in done.stderr


def test_every_fault_at_once(tmp_path: Path) -> None:
    """All errors are reported at once, with line, column, key and what to do."""
    path = tmp_path / "c.yaml"
    path.write_text(GOOD + "    clouidid: x\nsockets: {}\nlog: {level: loud}\n", encoding="utf-8")
    done = command("check", "-c", str(path))

    assert exit_codes.CONFIGURATION == done.status
    for place in (f"{path}:8:5", f"{path}:9:1", f"{path}:10:14"):
        assert place in done.err
    for meant in ("cloudid", "socket", "debug"):
        assert meant in done.err


def test_none_at_all(tmp_path: Path) -> None:
    """Without any configuration the error says where it was searched."""
    done = command("run", environ={"HOME": str(tmp_path)})

    assert exit_codes.CONFIGURATION == done.status
    assert "HOMEY_EMAIL" in done.err
    assert f"{tmp_path}/.config/homey-tokend/config.yaml" in done.err


def test_read_from_a_pipe() -> None:
    """The shell's <(…) is accepted as a configuration file."""
    line = f"{PROGRAM[0]} -m homey_tokend check -c <(printf '%s' \"$1\")"
    done = subprocess.run(  # noqa: S603  our own program
        ["/bin/bash", "-c", line, "bash", GOOD],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert Done(exit_codes.OK, done.stdout, "") == Done(done.returncode, done.stdout, done.stderr)
    assert "1 Homey: home" in done.stdout
