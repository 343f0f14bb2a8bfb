"""The command line without the fast path of ``token``: find the command and parse its arguments.

A command is a module of this package, imported only when it is called. It offers
``configure(parser)``, which declares the arguments, and ``run(args)``, which returns the exit
status; ``args.words`` holds the words after the command's name.
"""

import argparse
import difflib
import importlib
import io
import sys
from typing import Any, NoReturn

from homey_tokend import __version__, exit_codes
from homey_tokend.cli.output import report
from homey_tokend.client.errors import ClientError
from homey_tokend.core.errors import TokendError

#: Every command with its line in ``--help``.
COMMANDS = {
    "init": "ask for the values, try them, and write the configuration",
    "run": "run the daemon in the foreground",
    "once": "refresh what is due, write the sinks, and exit",
    "check": "check the configuration, and with --online the sign-in",
    "token": "print a valid token from the daemon",
    "status": "show tokens, their expiry, and failures",
    "refresh": "make the daemon refresh now",
    "health": "exit with 0 if every Homey has a valid token",
    "call": "call the API of the Homey through the daemon",
    "exec": "run a command with a token in its environment",
    "simulate": "run a simulated Homey cloud to try things on",
    "demo": "run the simulator and the daemon together in one terminal",
}
#: Modules that are not named like their command.
_MODULES = {"init": "setup.wizard"}


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Format help alike on every terminal and Python version."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=88)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # Python 3.13 writes the value once, after the last name; do the same before.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """Exit with 64 and a hint on wrong usage; accept no abbreviations."""

    def __init__(self, prog: str, description: str) -> None:
        super().__init__(
            prog=prog, description=description, formatter_class=Formatter, allow_abbrev=False
        )

    def error(self, message: str) -> NoReturn:
        """Print usage, message and hint.

        Raises:
            SystemExit: Always, with 64.
        """
        sys.stderr.write(self.format_usage())
        sys.exit(report(message, f"See: {self.prog} --help", exit_codes.USAGE))


def main(words: list[str]) -> int:
    """Run one command.

    Args:
        words: The command line without the name of the program.

    Returns:
        The exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the locale may lack a character
    try:
        return _run(words)
    except SystemExit as ended:  # argparse ends this way after --help or wrong usage
        return ended.code if isinstance(ended.code, int) else exit_codes.OK
    except ClientError as error:
        return report(error.message, error.hint, error.exit_status)
    except TokendError as error:
        return report(error.message, error.remedy, exit_codes.for_kind(error.kind))


def command_parser(name: str) -> Parser:
    """Return the parser of one of ``COMMANDS``."""
    line = COMMANDS[name]
    parser = Parser(f"homey-tokend {name}", f"{line[0].upper()}{line[1:]}.")
    _module(name).configure(parser)
    return parser


def program_parser() -> Parser:
    """Return the parser of the program itself: ``--version`` and the list of commands."""
    parser = Parser("homey-tokend", "Keeps a valid Homey bearer token ready.")
    parser.usage = "homey-tokend [--version] [--help] COMMAND ..."
    parser.add_argument("--version", action="version", version=f"homey-tokend {__version__}")
    lines = "".join(f"  {name:<12}{line}\n" for name, line in COMMANDS.items())
    parser.epilog = (
        f"commands:\n{lines}\n"
        "Each command has its own help: homey-tokend COMMAND --help\n\n"
        "example:\n  homey-tokend token home\n"
    )
    return parser


def _module(name: str) -> Any:
    return importlib.import_module(f"homey_tokend.cli.{_MODULES.get(name, name)}")


def _run(words: list[str]) -> int:
    name = words[0] if words else ""
    if name not in COMMANDS:
        return _without_command(words)
    args = command_parser(name).parse_args(words[1:])
    args.words = words[1:]
    return int(_module(name).run(args))


def _without_command(words: list[str]) -> NoReturn:
    parser = program_parser()
    # With a wrong command, --help must not print the help of the program.
    named = bool(words) and not words[0].startswith("-")
    rest = words if named else parser.parse_known_args(words)[1]
    if not rest:
        parser.error("a command is required")
    near = difflib.get_close_matches(rest[0], COMMANDS, n=1)
    parser.error(f"unknown: {rest[0]}" + (f"; did you mean {near[0]}?" if near else ""))
