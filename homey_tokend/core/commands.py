"""Names of commands for messages and logs, without arguments, which may be private."""

import hashlib
import json
from collections.abc import Sequence


def program_name(argv: Sequence[str]) -> str:
    """Return the program up to the first blank, since one item may be a whole command line."""
    first, rest = _split(argv[0])
    return f"{first} …" if rest else first


def exec_target(argv: Sequence[str]) -> str:
    """Return the target of a command: ``exec:``, the program, and a digest of the arguments."""
    first, rest = _split(argv[0])
    arguments = [*rest, *argv[1:]]
    if not arguments:
        return f"exec:{first}"
    digest = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:8]
    return f"exec:{first}#{digest}"


def _split(program: str) -> tuple[str, list[str]]:
    first, *rest = program.split(maxsplit=1) or [program]
    return first, rest
