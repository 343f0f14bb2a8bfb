"""Say why the system would not run a program, by a look at its file. Blocks.

A script with Windows line ends is "no such file", one without ``#!`` an "exec format error":
the reasons of the system do not help those who wrote it.
"""

import codecs
import os
import shlex
import shutil
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path

from homey_tokend.config.files import read_bounded

#: What is wrong, after "it" and without a full stop; and what to do.
Words = tuple[str, str]

#: The kernel looks at so many bytes of the first line (``BINPRM_BUF_SIZE``).
_HEAD = 256
_ELF = b"\x7fELF"
#: The first line of a script, by the ending of its name.
_FIRST_LINES = {
    ".py": "#!/usr/bin/env python3",
    ".js": "#!/usr/bin/env node",
    ".mjs": "#!/usr/bin/env node",
    ".pl": "#!/usr/bin/env perl",
    ".rb": "#!/usr/bin/env ruby",
    ".bash": "#!/usr/bin/env bash",
}


def program_fault(argv: Sequence[str], environ: Mapping[str, str]) -> Words | None:
    """Return why the first word of a command cannot be run; None if it can, or is not visible.

    Args:
        argv: The command.
        environ: What it would inherit; of it, PATH.
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
        return _one_word(program) or ("is not there", "Correct the path, or install it.")
    except (OSError, ValueError):
        return None  # another user may see more
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
        return "is a text in UTF-16", "Save it as UTF-8."
    if head.startswith(codecs.BOM_UTF8):
        return (
            "starts with a byte-order mark, behind which #! has no meaning",
            rf"Run: sed -i '1s/^\xEF\xBB\xBF//' {name}",
        )
    if not head.startswith(b"#!"):
        if b"\0" in head:
            return None  # a format that the kernel may know
        return "has no #! in its first line", f"Write this above everything else: {usual}"
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
        return f"needs {interpreter}, which is not there", write
    if Path(interpreter).name != "env" or not arguments or arguments[0][0] == "-":
        return None
    if len(arguments) > 1:
        together = " ".join(arguments)
        return (
            f"gives env one word, {together!r}",
            f"Write as its first line: #!{interpreter} -S {together}",
        )
    if shutil.which(arguments[0], path=path) is None:
        return f"needs {arguments[0]}, which is not on PATH", write
    return None
