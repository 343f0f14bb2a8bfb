"""Why the system cannot execute a program."""

import shlex
import subprocess
from pathlib import Path

import pytest

from homey_tokend.runtime.programs import program_fault

PATH = {"PATH": "/usr/local/bin:/usr/bin:/bin"}


def script(folder: Path, content: bytes, name: str = "on-token", mode: int = 0o755) -> Path:
    path = folder / name
    path.write_bytes(content)
    path.chmod(mode)
    return path


def runs(path: Path) -> bool:
    """Return whether the system can execute a program, and its interpreter the script."""
    try:
        ended = subprocess.run([path], env=PATH, capture_output=True, check=False)  # noqa: S603  our own
    except OSError:
        return False
    return 0 == ended.returncode


@pytest.mark.parametrize(
    ("content", "words", "remedy"),
    [
        (b"#!/bin/sh\r\ntrue\r\n", "has Windows line ends (CRLF)", "Run: sed -i"),
        (b"#!/usr/bin/env sh\r\ntrue\r\n", "has Windows line ends (CRLF)", "Run: sed -i"),
        (b"\xef\xbb\xbf#!/bin/sh\ntrue\n", "starts with a byte-order mark", "Run: sed -i"),
        ("#!/bin/sh\ntrue\n".encode("utf-16"), "is UTF-16 text", "Save it as UTF-8."),
        (b"true\n", "has no #! in its first line", "as the first line: #!/bin/sh"),
        (b"\n#!/bin/sh\ntrue\n", "has no #! in its first line", "the first line: #!/bin/sh"),
        (b"", "has no #! in its first line", "as the first line: #!/bin/sh"),
        (b"#!\ntrue\n", "names no interpreter by an absolute path", "is #!/bin/sh"),
        (b"#!none/sh\ntrue\n", "names no interpreter by an absolute path", "is #!/bin/sh"),
        (b"#!/no/such/sh\ntrue\n", "needs /no/such/sh, which does not exist", "is #!/bin/sh"),
        (b"#!/usr/bin/env no-such\ntrue\n", "needs no-such, which is not on PATH", "Install it"),
        (
            b"#!/usr/bin/env sh -e\ntrue\n",
            "passes 'sh -e' to env as one word",
            "Change its first line to: #!/usr/bin/env -S sh -e",
        ),
    ],
)
def test_scripts_that_do_not_run(tmp_path: Path, content: bytes, words: str, remedy: str) -> None:
    """A script that cannot be executed has a reason, and a remedy."""
    path = script(tmp_path, content)
    found = program_fault([str(path)], PATH)

    assert not runs(path)
    assert found is not None
    assert words in found[0]
    assert remedy in found[1]


@pytest.mark.parametrize("content", [b"#!/bin/sh\r\ntrue\r\n", b"\xef\xbb\xbf#!/bin/sh\ntrue\n"])
def test_the_command_of_the_remedy_helps(tmp_path: Path, content: bytes) -> None:
    """After the command of the remedy the script can be executed, whatever its name."""
    path = script(tmp_path, content, "on token's")
    found = program_fault([str(path)], PATH)
    assert found is not None
    subprocess.run(["/bin/sh", "-c", found[1].removeprefix("Run: ")], check=True)  # noqa: S603  our own

    assert runs(path)
    assert None is program_fault([str(path)], PATH)


@pytest.mark.parametrize(
    "content",
    [
        b"#!/bin/sh\ntrue\n",
        b"#! /bin/sh -e\ntrue",
        b"#!/usr/bin/env sh\ntrue\n",
        b"#!/usr/bin/env -S sh -e\ntrue\n",
    ],
)
def test_scripts_that_run(tmp_path: Path, content: bytes) -> None:
    """A script that can be executed causes no warning."""
    path = script(tmp_path, content)

    assert runs(path)
    assert None is program_fault([str(path)], PATH)


def test_other_programs(tmp_path: Path) -> None:
    """Programs on PATH and by path are accepted, and so are those that only another user can see."""
    assert None is program_fault(["sh"], PATH)
    assert None is program_fault(["/bin/sh"], PATH)
    assert None is program_fault([str(script(tmp_path, b"\0format"))], PATH)
    assert None is program_fault(["/a\0b"], PATH)


def test_paths_that_are_not_programs(tmp_path: Path) -> None:
    """A missing, inaccessible or wrong file is reported, and so is a command line in one item."""
    closed = script(tmp_path, b"#!/bin/sh\n", "on token", 0o644)
    missing = str(tmp_path / "none")
    seen = {
        "closed": program_fault([str(closed)], PATH),
        "folder": program_fault([str(tmp_path)], PATH),
        "missing": program_fault([missing], PATH),
        "bare": program_fault(["no-such-program"], PATH),
        "line": program_fault([f"{missing} --flag secret"], PATH),
        "bare line": program_fault(["sh -c secret"], PATH),
    }

    assert {
        "closed": ("is not executable", f"Run: chmod +x {shlex.quote(str(closed))}"),
        "folder": ("is not a file", "Name the program itself."),
        "missing": ("does not exist", "Correct the path, or install it."),
        "bare": ("is not on PATH", "Write its absolute path, or install it."),
        "line": (
            "is a whole command line in one item",
            f"Write each word as an item of the list: command: [{missing}, ARGUMENT…].",
        ),
        "bare line": (
            "is a whole command line in one item",
            "Write each word as an item of the list: command: [sh, ARGUMENT…].",
        ),
    } == seen
