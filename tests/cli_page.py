"""Writes docs/cli.md from what --help says: ``python -m tests.cli_page``."""

from importlib.util import find_spec
from pathlib import Path

from homey_tokend import cli, exits

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"

HEAD = """\
# The command line

`python -m tests.cli_page` writes this page from the output of `--help`; a test compares them.

"""

TAIL = f"""\
## Exit status

| status | meaning |
|---|---|
| {exits.OK} | success |
| {exits.USAGE} | wrong usage, or an unknown Homey |
| {exits.UNREACHABLE} | the daemon or the Homey is not reachable |
| {exits.CANNOT_CREATE} | the socket, the lock or the state cannot be created, or another daemon is running |
| {exits.CANNOT_WRITE} | the output cannot be written |
| {exits.TRY_LATER} | no valid token now, try again later |
| {exits.REFUSED} | credentials or consent rejected, or access denied: a person is needed |
| {exits.CONFIGURATION} | invalid configuration |
| {exits.INTERRUPTED} | ended by Ctrl-C |
| {exits.BROKEN_PIPE} | the reader of the output closed it |
| {exits.TERMINATED} | `once` or `check` ended by SIGTERM; the daemon ends with 0 |

With several Homeys, the worst one decides.

## Location of the socket

1. `--socket PATH`, and nowhere else.
2. `$HOMEY_TOKEND_SOCKET`, and nowhere else.
3. `homey-tokend.sock` in `$RUNTIME_DIRECTORY`, in `/run/homey-tokend/`, and in `$XDG_RUNTIME_DIR/homey-tokend/`: the first that answers.
"""


def commands() -> list[str]:
    """The commands whose file is there."""
    return [name for name in cli.COMMANDS if find_spec(f"homey_tokend.commands.{name}")]


def page() -> str:
    """The whole page."""
    parts = [("homey-tokend", cli.overview())]
    parts += [(f"homey-tokend {name}", cli.parser_of(name)) for name in commands()]
    body = "".join(f"## {name}\n\n```text\n{part.format_help()}```\n\n" for name, part in parts)
    return HEAD + body + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
