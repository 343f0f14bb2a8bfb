"""``homey-tokend exec``: becomes another command, with a token in its environment."""

import argparse
import errno
import os
import shutil
import signal
import sys
from typing import NoReturn

from homey_tokend import client, exit_codes

#: What shells end with where a command cannot be executed, and where there is none.
_CANNOT, _NO_SUCH = 126, 127
#: Signals that Python ignores, and a command expects to end of (``signal(3)`` in Python).
_GIVEN_BACK = ("SIGPIPE", "SIGXFSZ")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = "%(prog)s [OPTION ...] -- COMMAND [ARGUMENT ...]"
    parser.add_argument(
        "command", nargs="*", metavar="COMMAND", help="the command with its arguments, after --"
    )
    parser.add_argument("--homey", metavar="NAME", help="which Homey; optional with one")
    parser.add_argument(
        "--min-ttl",
        metavar="S",
        help="how much life the token shall have left (600, 10m): with less, one refresh is "
        "waited for",
    )
    parser.add_argument(
        "--wait",
        metavar="S",
        help="how long to wait for a token (default 30s with --min-ttl, else not at all; at most "
        "300s)",
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "The command takes the place of this program: its exit status is the status, and\n"
        "signals reach it. In its environment are HOMEY_TOKEN, HOMEY_URL (the Homey's address)\n"
        "and HOMEY_TOKEN_EXPIRES_AT (RFC 3339, UTC). The token is not renewed there: what runs\n"
        "longer than a token lives asks the socket. Without a token the command is not run.\n\n"
        "It ends with 127 where there is no such command, with 126 where it cannot be executed.\n\n"
        "examples:\n"
        '  homey-tokend exec -- sh -c \'curl -H "Authorization: Bearer $HOMEY_TOKEN" "$HOMEY_URL/api/manager/devices/device"\'\n'
        "  homey-tokend exec --homey hut --min-ttl 10m -- ./backup --verbose\n"
    )


def run(args: argparse.Namespace) -> int:
    """Become the command.

    Raises:
        ClientError: There is no token, or the command cannot be executed.
    """
    command = _command(args)
    answer = _answer(args)
    environ = os.environ | _variables(client.json_object(answer))
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    return _become(command, environ)


def _command(args: argparse.Namespace) -> list[str]:
    """What stands after ``--``, or all words where that was left out.

    Raises:
        ClientError: There is no command, or words stand before ``--``.
    """
    words, command = list(args.words), list(args.command)
    if "--" in words and len(words) - words.index("--") - 1 != len(command):
        raise _wrong(f"{command[0]!r} stands before --")
    if not command or not command[0]:
        raise _wrong("a command is expected")
    return command


def _wrong(message: str) -> client.ClientError:
    hint = "Write it after --: homey-tokend exec [--homey NAME] -- COMMAND"
    return client.ClientError(message, exit_codes.USAGE, hint)


def _answer(args: argparse.Namespace) -> client.Response:
    """The token as the daemon's document.

    Raises:
        ClientError: There is none, or several Homeys and none named.
    """
    try:
        return client.ask_token(args.homey, args.min_ttl, args.wait, args.socket, as_json=True)
    except client.ClientError as error:
        if error.problem.get("kind") == "homey_required":
            error.hint = "With --homey NAME."
        raise


def _variables(told: dict[str, object]) -> dict[str, str]:
    """The token as environment variables, named as in the file sink's ``env``.

    Raises:
        ClientError: The document is not the daemon's.
    """
    names = {
        "HOMEY_TOKEN": "access_token",
        "HOMEY_URL": "url",
        "HOMEY_TOKEN_EXPIRES_AT": "expires_at",
    }
    found = {variable: told.get(name) for variable, name in names.items()}
    texts = {name: text for name, text in found.items() if isinstance(text, str) and text}
    if len(texts) != len(names) or any("\0" in text for text in texts.values()):
        raise client.ClientError(
            "the answer is no token document: is this the daemon's socket?", exit_codes.UNREACHABLE
        )
    return texts


def _become(command: list[str], environ: dict[str, str]) -> NoReturn:
    """Take the command's shape.

    Raises:
        ClientError: It cannot be executed.
    """
    before = {
        number: signal.signal(number, signal.SIG_DFL)
        for number in (getattr(signal, name) for name in _GIVEN_BACK)
    }
    try:
        os.execvpe(command[0], command, environ)  # noqa: S606  a shell is not wanted
    except OSError as error:
        for number, how in before.items():
            signal.signal(number, how)
        raise _cannot(command[0], error) from error


def _cannot(name: str, error: OSError) -> client.ClientError:
    if error.errno == errno.ENOENT and shutil.which(name) is None:
        return client.ClientError(f"{name}: there is no such command", _NO_SUCH)
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        hint = "Is the interpreter there that its first line names?"
        return client.ClientError(f"{name}: {_reason(error)}", _NO_SUCH, hint)
    hint = ""
    if error.errno == errno.ENOEXEC:
        hint = "Does a script begin with a line such as #!/bin/sh?"
    elif error.errno == errno.EACCES:
        hint = f"Is it a file, and executable? See: ls -l {name}"
    elif error.errno == errno.E2BIG:
        hint = "Its arguments and the environment are too long together."
    return client.ClientError(f"{name}: {_reason(error)}", _CANNOT, hint)


def _reason(error: OSError) -> str:
    return (error.strerror or "it cannot be executed").lower()
