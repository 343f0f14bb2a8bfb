"""``homey-tokend call``: call the API of the Homey, by name or by method and path."""

import argparse
import json
import sys
from pathlib import Path

from homey_tokend import client, exit_codes
from homey_tokend.cli import call_arguments
from homey_tokend.cli.output import report, write, write_bytes, write_json
from homey_tokend.cli.table import table
from homey_tokend.client.responses import homey_error
from homey_tokend.hub import catalogue
from homey_tokend.hub.endpoint import is_dangerous

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: The most characters of a content type in a message.
_MAX_TYPE = 100
_LIST_HINT = "See: homey-tokend call --list"
_LEGEND = (
    "\n* changes something   ! asks for confirmation\n"
    "In parentheses: the kinds of Homey that have it, unless all do; cloud is the Homey Bridge.\n"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = (
        "homey-tokend call [OPTION ...] METHOD PATH\n"
        "       homey-tokend call [OPTION ...] NAME [VALUE ...]"
    )
    parser.add_argument(
        "what", nargs="*", metavar="WORD", help="a method and a path, or a name and its values"
    )
    parser.add_argument(
        "-d",
        "--data",
        metavar="JSON",
        help="the body, with METHOD PATH; @FILE reads it from a file, - from standard input",
    )
    parser.add_argument("--homey", metavar="NAME", help="which Homey; optional with one")
    parser.add_argument("--list", action="store_true", help="list what can be called by name")
    parser.add_argument(
        "--json", action="store_true", help="print the answer itself, even on a terminal"
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask before a dangerous call"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "The answer is printed unchanged; on a terminal a list becomes a table, and characters that\n"
        "are not printable are escaped. A value is JSON if it can be (true, 0.5), else text.\n"
        "Dangerous calls (a reboot, Z-Wave) ask for confirmation, and fail without a terminal\n"
        "unless --yes is given.\n\n"
        "Exit status: 64 if the call is wrong (4xx of the Homey, or a path that this Homey does\n"
        "not have), 69 if the Homey is unreachable or fails (5xx), 75 if trying later can help\n"
        "(408, 425, 429, no token now), 77 if it is not allowed (401, 403).\n\n"
        "examples:\n"
        "  homey-tokend call devices\n"
        "  homey-tokend call set-capability 9a7c... onoff true\n"
        "  homey-tokend call GET /api/manager/zones/zone | jq -r '.[].name'\n"
        "  homey-tokend call PUT /api/manager/logic/variable/51d0... -d '{\"value\": 7}'\n"
    )


def run(args: argparse.Namespace) -> int:
    """Call, and print the answer.

    Raises:
        ClientError: There is no answer, or an error.
    """
    if args.list:
        write(format_catalogue())
        return exit_codes.OK
    method, path, body, dangerous = _parse(args)
    if dangerous and not args.yes:
        _confirm(f"{method} {path}")
    answer = client.forward(method, path, body, homey=args.homey, socket=args.socket)
    if not 200 <= answer.status < 300:
        error = homey_error(answer)
        known = catalogue.list_for(method, path.partition("?")[0])
        if answer.status == 404 and known is not None:
            error.hint = error.hint or f"It takes an id: homey-tokend call {known.name}"
        raise error
    if not sys.stdout or not sys.stdout.isatty():
        write_bytes(answer.body)
    elif args.json:
        write(_escaped(answer.body.decode("utf-8", "replace")))
    else:
        _print(answer)
    return exit_codes.OK


def format_catalogue() -> str:
    """Return the text of ``--list``."""
    width = max(len(one.usage) for one in catalogue.ENDPOINTS)
    lines = []
    for group, endpoints in catalogue.GROUPS.items():
        lines.append(f"{group}\n")
        for one in endpoints:
            mark = "!" if one.dangerous else "*" if one.changes else " "
            kinds = "" if one.models == "all" else f" ({one.models})"
            lines.append(f"  {mark} {one.usage:<{width}}  {one.does}{kinds}\n")
    return "".join(lines) + _LEGEND


def _parse(args: argparse.Namespace) -> tuple[str, str, bytes | None, bool]:
    """Return method, path, body, and whether the call is dangerous."""
    words: list[str] = args.what
    if not words:
        raise _usage("a method and a path, or a name, is required")
    if words[0].upper() in _METHODS:
        method = words[0].upper()
        if len(words) != 2:
            raise _usage(f"{method} takes one path")
        return method, words[1], _body(args.data), is_dangerous(method, words[1])
    endpoint = catalogue.find(words[0])
    if endpoint is None:
        near = catalogue.nearest(words[0])
        hint = f"; did you mean {near}?" if near else ""
        raise _usage(f"unknown: {words[0]}{hint}")
    if args.data is not None:
        raise _usage("-d is for METHOD PATH only", endpoint.usage)
    try:
        path, body = call_arguments.build_call(endpoint, words[1:])
    except call_arguments.InvalidArguments as error:
        raise _usage(str(error)) from None
    return endpoint.method, path, body, endpoint.dangerous


def _usage(message: str, hint: str = _LIST_HINT) -> client.ClientError:
    return client.ClientError(message, exit_codes.USAGE, hint)


def _body(data: str | None) -> bytes | None:
    """Return the body that ``-d`` names.

    Raises:
        ClientError: It cannot be read or is not JSON.
    """
    if data is None:
        return None
    try:
        body = _read(data)
    except OSError as error:
        raise _usage(f"the body cannot be read: {error.strerror}", "") from error
    try:
        call_arguments.parse_json(body)
    except call_arguments.UnsupportedJson as error:
        raise _usage(f"the body cannot be sent: {error}", "") from None
    except ValueError:
        raise _usage("the body is not JSON", "Put text into double quotes: '\"text\"'.") from None
    return body


def _read(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read() if sys.stdin else b""
    if data.startswith("@"):
        return Path(data[1:]).read_bytes()
    return data.encode("utf-8", "surrogateescape")


def _confirm(call: str) -> None:
    """Ask the person for confirmation.

    Raises:
        ClientError: There is no terminal, or the answer is no.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise _usage(
            f"{call} is dangerous, and there is no terminal to confirm it on", "Pass --yes."
        )
    sys.stderr.write(f"{call} can disturb the whole home. Continue? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise _usage("cancelled; nothing was sent", "")


def _print(answer: client.Response) -> None:
    """Print an answer for people: a list as a table."""
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        size, kind = len(answer.body), answer.headers.get("content-type", "")[:_MAX_TYPE]
        message = f"the answer is not JSON: {size} bytes of {kind!r}"
        report(message, "Redirect it to a file.", exit_codes.OK)
        return
    lines = table(value)
    if lines is None:
        write_json(value)
    else:
        write(lines)


def _escaped(text: str) -> str:
    """Return JSON with JSON's own escapes for what a terminal could take for a command."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() or char in "\n\r\t" else json.dumps(char)[1:-1] for char in text
    )
