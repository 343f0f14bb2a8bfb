"""``homey-tokend exec``: replace this process by a command with a token in its environment."""

import argparse
import errno
import os
import shutil
import signal
import sys
from typing import NoReturn

from homey_tokend import client, exit_codes
from homey_tokend.cli.token import add_token_options

#: Signals that Python ignores and a command expects with their default action.
_RESTORED_SIGNALS = ("SIGPIPE", "SIGXFSZ")
#: The environment variables, as in the file sink's ``env`` format, and the members they come from.
_VARIABLES = {
    "HOMEY_TOKEN": "access_token",
    "HOMEY_URL": "url",
    "HOMEY_TOKEN_EXPIRES_AT": "expires_at",
}


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [OPTION ...] -- COMMAND [ARGUMENT ...]"
    parser.add_argument(
        "command", nargs="*", metavar="COMMAND", help="the command and its arguments, after --"
    )
    parser.add_argument("--homey", metavar="NAME", help="which Homey; optional with one")
    add_token_options(parser)
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "The command replaces this program: it gets the signals, and its exit status\n"
        "is returned. Its environment has HOMEY_TOKEN, HOMEY_URL (the address of the Homey) and\n"
        "HOMEY_TOKEN_EXPIRES_AT (RFC 3339, UTC). The token there is not renewed: a program that\n"
        "outlives it asks the socket. Without a token the command does not run.\n\n"
        "Exit status: 127 if the command does not exist, 126 if it cannot be executed.\n\n"
        "examples:\n"
        '  homey-tokend exec -- sh -c \'curl -H "Authorization: Bearer $HOMEY_TOKEN" "$HOMEY_URL/api/manager/devices/device"\'\n'
        "  homey-tokend exec --homey hut --min-ttl 10m -- ./backup --verbose\n"
    )


def run(args: argparse.Namespace) -> int:
    """Replace this process by the command.

    Raises:
        ClientError: There is no token, or the command cannot be executed.
    """
    command = _command(args)
    environ = os.environ | _variables(client.json_object(_token(args)))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return _execute(command, environ)


def _command(args: argparse.Namespace) -> list[str]:
    """Return the words after ``--``, or all words without it.

    Raises:
        ClientError: There is no command, or there are words before ``--``.
    """
    words, command = list(args.words), list(args.command)
    if "--" in words and len(words) - words.index("--") - 1 != len(command):
        raise _usage(f"{command[0]!r} is before --")
    if not command or not command[0]:
        raise _usage("a command is required")
    return command


def _usage(message: str) -> client.ClientError:
    hint = "Write it after --: homey-tokend exec [--homey NAME] -- COMMAND"
    return client.ClientError(message, exit_codes.USAGE, hint)


def _token(args: argparse.Namespace) -> client.Response:
    """Return the daemon's token document.

    Raises:
        ClientError: There is no token, or several Homeys and none named.
    """
    try:
        return client.ask_token(args.homey, args.min_ttl, args.wait, args.socket, as_json=True)
    except client.ClientError as error:
        if error.problem.get("kind") == "homey_required":
            error.hint = "Pass --homey NAME."
        raise


def _variables(document: dict[str, object]) -> dict[str, str]:
    """Return the environment variables for the token.

    Raises:
        ClientError: It is no token document.
    """
    found = {variable: document.get(member) for variable, member in _VARIABLES.items()}
    texts = {name: text for name, text in found.items() if isinstance(text, str) and text}
    usable = all(text.isprintable() for text in texts.values())
    if len(texts) != len(_VARIABLES) or not usable or not client.is_bearer(texts["HOMEY_TOKEN"]):
        raise client.ClientError(
            "the answer is not a token document",
            exit_codes.UNREACHABLE,
            "Check that --socket or $HOMEY_TOKEND_SOCKET names the daemon's socket.",
        )
    return texts


def _execute(command: list[str], environ: dict[str, str]) -> NoReturn:
    """Execute the command in this process.

    Raises:
        ClientError: It cannot be executed.
    """
    before = {
        number: signal.signal(number, signal.SIG_DFL)
        for number in (getattr(signal, name) for name in _RESTORED_SIGNALS)
    }
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606  a shell is not wanted
    except OSError as error:
        for number, action in before.items():
            signal.signal(number, action)
        raise _failure(command[0], error) from error


def _failure(name: str, error: OSError) -> client.ClientError:
    if error.errno == errno.ENOENT and shutil.which(name) is None:
        return client.ClientError(f"{name}: command not found", exit_codes.COMMAND_NOT_FOUND)
    reason = f"{name}: {(error.strerror or 'it cannot be executed').lower()}"
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        hint = "Check that the interpreter in its first line exists."
        return client.ClientError(reason, exit_codes.COMMAND_NOT_FOUND, hint)
    hints = {
        errno.ENOEXEC: "A script must begin with a line such as #!/bin/sh.",
        errno.EACCES: f"Check that it is a file and executable: ls -l {name}",
        errno.E2BIG: "Its arguments and the environment together are too long.",
    }
    return client.ClientError(reason, exit_codes.CANNOT_EXECUTE, hints.get(error.errno or 0, ""))
