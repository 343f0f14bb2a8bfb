"""The command line but for the short way of ``token``: finds the command, reads its arguments.

A command's file is imported only when the command is called.
"""

import argparse
import difflib
import importlib
import io
import sys
from collections.abc import Sequence
from typing import NoReturn

from homey_tokend import __version__, exit_codes
from homey_tokend.cli.main import report
from homey_tokend.client.errors import ClientError
from homey_tokend.core import errors

#: Every command with its line in ``--help``; its file is ``commands/<name>.py``.
COMMANDS = {
    "init": "ask for what is needed, try it, and write the configuration",
    "run": "the daemon, in the foreground",
    "once": "refresh what is due, write the sinks, and end",
    "check": "check the configuration, and with --online the way to a token",
    "token": "print a valid token from the daemon",
    "status": "show what is held, until when, and what went wrong",
    "refresh": "have the daemon refresh now",
    "health": "tell by exit status whether every Homey holds a valid token",
    "call": "call the Homey's API through the daemon",
    "exec": "run a command with a token in its environment",
    "simulate": "a pretend Homey cloud to try things on",
    "demo": "simulator and daemon together on one terminal",
}

#: Which failure ends a command how; all others may pass and are tried later.
_STATUSES: tuple[tuple[tuple[type[errors.TokendError], ...], int], ...] = (
    ((errors.ConfigurationInvalid, errors.SecretUnavailable), exit_codes.CONFIGURATION),
    ((errors.AlreadyRunning, errors.CannotServe, errors.StateUnusable), exit_codes.CANNOT_CREATE),
    ((errors.Rejected,), exit_codes.ACTION_NEEDED),
    ((errors.Unreachable, errors.HomeyOffline), exit_codes.UNREACHABLE),
)

_WIDTH = 88


class Formatter(argparse.RawDescriptionHelpFormatter):
    """Help that reads alike on every terminal and from every Python."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=28, width=_WIDTH)

    def _format_action_invocation(self, action: argparse.Action) -> str:
        # Python 3.13 writes the value once, after the last of the names; so do we before it.
        if not action.option_strings or action.nargs == 0:
            return super()._format_action_invocation(action)
        value = self._format_args(action, self._get_default_metavar_for_optional(action))
        return f"{', '.join(action.option_strings)} {value}"


class Parser(argparse.ArgumentParser):
    """Ends with 64 and a hint where the usage is wrong; abbreviates nothing."""

    def __init__(
        self, prog: str, description: str, parents: Sequence[argparse.ArgumentParser] = ()
    ) -> None:
        super().__init__(
            prog=prog,
            description=description,
            formatter_class=Formatter,
            allow_abbrev=False,
            parents=list(parents),
            add_help=not parents,  # a parent brings its own --help
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong and where help is.

        Raises:
            SystemExit: Always, with 64.
        """
        sys.stderr.write(self.format_usage())
        sys.exit(report(message, f"See: {self.prog} --help", exit_codes.USAGE))


def main(words: list[str]) -> int:
    """Run one command.

    Args:
        words: The command line without the program's name.

    Returns:
        The exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # whatever the locale can write
    try:
        return _run(words)
    except SystemExit as ended:  # argparse's way to end after --help or a wrong usage
        return ended.code if isinstance(ended.code, int) else exit_codes.OK
    except ClientError as error:
        return report(error.message, error.hint, error.exit_status)
    except errors.TokendError as error:
        return report(error.message, error.remedy, exit_status_of(error))


def exit_status_of(error: errors.TokendError) -> int:
    """What a command ends with after a failure.

    Args:
        error: Any failure by name.
    """
    for kinds, status in _STATUSES:
        if isinstance(error, kinds):
            return status
    return exit_codes.TRY_LATER


def module_of(command: str) -> str:
    """Return the module of a command."""
    return f"homey_tokend.cli.{'setup.wizard' if command == 'init' else command}"


def command_parser(name: str) -> Parser:
    """The parser of one command.

    Args:
        name: A name of ``COMMANDS``.
    """
    command = importlib.import_module(module_of(name))
    parents = command.parents() if hasattr(command, "parents") else ()
    line = COMMANDS[name]
    parser = Parser(f"homey-tokend {name}", f"{line[0].upper()}{line[1:]}.", parents)
    command.configure(parser)
    return parser


def program_parser() -> Parser:
    """The parser of the program itself: ``--version``, and a list of the commands."""
    parser = Parser("homey-tokend", "Keeps a valid Homey bearer token ready.")
    parser.usage = "homey-tokend [--version] [--help] COMMAND ..."
    parser.add_argument("--version", action="version", version=f"homey-tokend {__version__}")
    lines = "".join(f"  {name:<12}{line}\n" for name, line in COMMANDS.items())
    parser.epilog = (
        f"commands:\n{lines}\n"
        "Each has its own help: homey-tokend COMMAND --help\n\n"
        "example:\n  homey-tokend token home\n"
    )
    return parser


def _run(words: list[str]) -> int:
    name = words[0] if words else ""
    if name not in COMMANDS:
        return _without_command(words)
    args = command_parser(name).parse_args(words[1:])
    args.words = words[1:]
    status = importlib.import_module(module_of(name)).run(args)
    return int(status)


def _without_command(words: list[str]) -> int:
    parser = program_parser()
    # The help of a command that is not there is not that of the program.
    named = bool(words) and not words[0].startswith("-")
    rest = words if named else parser.parse_known_args(words)[1]
    if not rest:
        parser.error("a command is expected")
    near = difflib.get_close_matches(rest[0], COMMANDS, n=1)
    parser.error(f"unknown: {rest[0]}" + (f"; did you mean {near[0]}?" if near else ""))
