"""Find out from its file why the system cannot execute a program. Blocks.

The system's own errors do not help: for a script with Windows line ends it reports "no such
file", for one without ``#!`` an "exec format error".
"""

import codecs
import os
import shlex
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from homey_tokend.config.files import read_bounded

#: What is wrong, to follow "it", without a full stop; and the remedy.
Words = tuple[str, str]

#: How many bytes of the first line the kernel reads (``BINPRM_BUF_SIZE``).
_HEAD = 256
_ELF = b"\x7fELF"
#: The usual first line of a script, by the suffix of its name.
_FIRST_LINES = {
    ".py": "#!/usr/bin/env python3",
    ".js": "#!/usr/bin/env node",
    ".mjs": "#!/usr/bin/env node",
    ".pl": "#!/usr/bin/env perl",
    ".rb": "#!/usr/bin/env ruby",
    ".bash": "#!/usr/bin/env bash",
}


def program_fault(argv: Sequence[str], environ: Mapping[str, str]) -> Words | None:
    """Return why the program of a command cannot be executed; None if it can, or if that is unknown.

    Args:
        argv: The command.
        environ: The command's environment, for PATH.
    """
    program, path = argv[0], environ.get("PATH", os.defpath)
    try:
        found = program if "/" in program else shutil.which(program, path=path)
        if found is None:
            return _one_word(program) or (
                "is not on PATH",
                "Write its absolute path, or install it.",
            )
        mode = Path(found).stat().st_mode
        if not stat.S_ISREG(mode):
            return "is not a file", "Name the program itself."
        if not mode & 0o111:
            return "is not executable", f"Run: chmod +x {shlex.quote(found)}"
        head, _ = read_bounded(found, _HEAD, plain_only=True)
    except (FileNotFoundError, NotADirectoryError):
        return _one_word(program) or ("does not exist", "Correct the path, or install it.")
    except (OSError, ValueError):
        return None  # the daemon's user may have more permissions
    return None if head.startswith(_ELF) else _script_fault(found, head, path)


def _one_word(program: str) -> Words | None:
    first, *others = program.split()[:2] or [program]
    if not others:
        return None
    return (
        "is a whole command line in one item",
        f"Write each word as an item of the list: command: [{first}, ARGUMENT…].",
    )


def _script_fault(program: str, head: bytes, path: str) -> Words | None:
    name = shlex.quote(program)
    usual = _FIRST_LINES.get(Path(program).suffix, "#!/bin/sh")
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is UTF-16 text", "Save it as UTF-8."
    if head.startswith(codecs.BOM_UTF8):
        return (
            "starts with a byte-order mark, so #! is not recognised",
            rf"Run: sed -i '1s/^\xEF\xBB\xBF//' {name}",
        )
    if not head.startswith(b"#!"):
        if b"\0" in head:
            return None  # a format that the kernel may support
        return "has no #! in its first line", f"Insert this as the first line: {usual}"
    line, *_ = head[2:].split(b"\n", 1)
    if line.endswith(b"\r"):
        return "has Windows line ends (CRLF)", rf"Run: sed -i 's/\r$//' {name}"
    return _interpreter_fault(line.decode(errors="replace").split(), path, usual)


def _interpreter_fault(words: Sequence[str], path: str, usual: str) -> Words | None:
    write = f"Install it, or correct the first line; the usual one is {usual}"
    if not words or not words[0].startswith("/"):
        return "names no interpreter by an absolute path in its first line", write
    interpreter, *arguments = words
    if not Path(interpreter).exists():
        return f"needs {interpreter}, which does not exist", write
    if Path(interpreter).name != "env" or not arguments or arguments[0][0] == "-":
        return None
    if len(arguments) > 1:
        together = " ".join(arguments)
        return (
            f"passes {together!r} to env as one word",
            f"Change its first line to: #!{interpreter} -S {together}",
        )
    if shutil.which(arguments[0], path=path) is None:
        return f"needs {arguments[0]}, which is not on PATH", write
    return None
