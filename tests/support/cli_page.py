"""Write docs/cli.md from the output of --help: ``python -m tests.support.cli_page``."""

from pathlib import Path

from homey_tokend import exit_codes
from homey_tokend.cli import parser

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"

HEAD = """\
# The command line

`python -m tests.support.cli_page` writes this page from the output of `--help`; a test compares them.

"""

TAIL = f"""\
## Exit status

| status | meaning |
|---|---|
| {exit_codes.OK} | success |
| {exit_codes.USAGE} | wrong usage, or an unknown Homey |
| {exit_codes.UNREACHABLE} | the daemon or the Homey is not reachable |
| {exit_codes.CANNOT_CREATE} | the socket, the lock or the state cannot be created, another daemon is running, or a file that `init` would write exists or cannot be created |
| {exit_codes.CANNOT_WRITE} | the output cannot be written |
| {exit_codes.TRY_LATER} | no valid token now, try again later |
| {exit_codes.ACTION_NEEDED} | credentials or consent rejected, or access denied: a person is needed |
| {exit_codes.CONFIGURATION} | invalid configuration |
| {exit_codes.CANNOT_EXECUTE} | `exec`: the command cannot be executed |
| {exit_codes.COMMAND_NOT_FOUND} | `exec`: the command does not exist |
| {exit_codes.INTERRUPTED} | ended by Ctrl-C |
| {exit_codes.BROKEN_PIPE} | the reader of the output closed it |
| {exit_codes.TERMINATED} | `once` or `check` ended by SIGTERM; the daemon ends with 0 |

With several Homeys, the worst one decides.

## Location of the socket

1. `--socket PATH`, and nowhere else.
2. `$HOMEY_TOKEND_SOCKET`, and nowhere else.
3. `homey-tokend.sock` in `$RUNTIME_DIRECTORY`, in `/run/homey-tokend/`, and in `$XDG_RUNTIME_DIR/homey-tokend/`: the first that answers.
"""


def page() -> str:
    """Return the page."""
    parts = [("homey-tokend", parser.program_parser())]
    parts += [(f"homey-tokend {name}", parser.command_parser(name)) for name in parser.COMMANDS]
    body = "".join(f"## {name}\n\n```text\n{part.format_help()}```\n\n" for name, part in parts)
    return HEAD + body + TAIL


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
