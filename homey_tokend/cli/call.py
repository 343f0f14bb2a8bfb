"""``homey-tokend call``: the Homey's API through the daemon, by name or by method and path."""

import argparse
import json
import sys
from pathlib import Path

from homey_tokend import client, exit_codes
from homey_tokend.cli import call_arguments, table
from homey_tokend.cli.main import report, write, write_bytes
from homey_tokend.client.responses import homey_error
from homey_tokend.hub import catalogue
from homey_tokend.hub.endpoint import is_dangerous

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_LIST = "See: homey-tokend call --list"
_LEGEND = (
    "\n* changes something   ! asks first\n"
    "In brackets: the kinds of Homey that have it, where not all do; cloud is the Bridge.\n"
)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.usage = (
        "homey-tokend call [OPTION ...] METHOD PATH\n"
        "       homey-tokend call [OPTION ...] NAME [VALUE ...]"
    )
    parser.add_argument(
        "what", nargs="*", metavar="WORD", help="method and path, or a name and its values"
    )
    parser.add_argument(
        "-d",
        "--data",
        metavar="JSON",
        help="the body, with METHOD PATH; @FILE reads it from a file, - from standard input",
    )
    parser.add_argument("--homey", metavar="NAME", help="which Homey; optional with one")
    parser.add_argument("--list", action="store_true", help="what can be called by name")
    parser.add_argument(
        "--json", action="store_true", help="the answer as it came, on a terminal, too"
    )
    parser.add_argument(
        "-y", "--yes", action="store_true", help="do not ask before what is dangerous"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "The answer is printed as it came; on a terminal a list becomes a table. Values are\n"
        "JSON where they are JSON (true, 0.5), else text. What changes much (a reboot, Z-Wave)\n"
        "asks first, and is refused without a terminal unless --yes is given.\n\n"
        "It ends with 64 when the call was wrong (a Homey's 4xx, or a path that this Homey has\n"
        "not), 69 when the Homey cannot be reached or failed (5xx), 75 when later may be better\n"
        "(408, 425, 429, no token now), 77 when it is not allowed (401, 403).\n\n"
        "examples:\n"
        "  homey-tokend call devices\n"
        "  homey-tokend call set-capability 9a7c... onoff true\n"
        "  homey-tokend call GET /api/manager/zones/zone | jq -r '.[].name'\n"
        "  homey-tokend call PUT /api/manager/logic/variable/51d0... -d '{\"value\": 7}'\n"
    )


def run(args: argparse.Namespace) -> int:
    """Call, and print the answer.

    Raises:
        ClientError: No answer, or a refusal.
    """
    if args.list:
        write(format_catalogue())
        return exit_codes.OK
    method, path, body, dangerous = _asked(args)
    if dangerous and not args.yes:
        _ask_first(f"{method} {path}")
    answer = client.forward(method, path, body, homey=args.homey, socket=args.socket)
    if not 200 <= answer.status < 300:
        raise homey_error(answer)
    _print(answer, plain=args.json or not sys.stdout or not sys.stdout.isatty())
    return exit_codes.OK


def format_catalogue() -> str:
    """The catalogue, for ``--list``."""
    width = max(len(one.usage) for one in catalogue.ENDPOINTS)
    lines = []
    for group, endpoints in catalogue.GROUPS.items():
        lines.append(f"{group}\n")
        for one in endpoints:
            mark = "!" if one.dangerous else "*" if one.changes else " "
            kinds = "" if one.models == "all" else f" ({one.models})"
            lines.append(f"  {mark} {one.usage:<{width}}  {one.does}{kinds}\n")
    return "".join(lines) + _LEGEND


def _asked(args: argparse.Namespace) -> tuple[str, str, bytes | None, bool]:
    """Method, path, body, and whether to ask first."""
    words: list[str] = args.what
    if not words:
        raise client.ClientError(
            "a method and a path, or a name, is expected", exit_codes.USAGE, _LIST
        )
    if words[0].upper() in _METHODS:
        method = words[0].upper()
        if len(words) != 2:
            raise client.ClientError(
                f"after {method} one path is expected", exit_codes.USAGE, _LIST
            )
        return method, words[1], _body(args.data), is_dangerous(method, words[1])
    endpoint = catalogue.find(words[0])
    if endpoint is None:
        near = catalogue.nearest(words[0])
        hint = f"; did you mean {near}?" if near else ""
        raise client.ClientError(f"unknown: {words[0]}{hint}", exit_codes.USAGE, _LIST)
    if args.data is not None:
        raise client.ClientError("-d goes with METHOD PATH only", exit_codes.USAGE, endpoint.usage)
    try:
        path, body = call_arguments.build_call(endpoint, words[1:])
    except call_arguments.InvalidArguments as error:
        raise client.ClientError(str(error), exit_codes.USAGE, _LIST) from None
    return endpoint.method, path, body, endpoint.dangerous


def _body(data: str | None) -> bytes | None:
    """The body that ``-d`` names.

    Raises:
        ClientError: It cannot be read, or is no JSON.
    """
    if data is None:
        return None
    try:
        body = _bytes(data)
    except OSError as error:
        raise client.ClientError(
            f"the body cannot be read: {error.strerror}", exit_codes.USAGE
        ) from error
    try:
        call_arguments.parse_json(body)
    except call_arguments.UnsupportedJson as error:
        raise client.ClientError(f"the body cannot be sent: {error}", exit_codes.USAGE) from None
    except ValueError:
        raise client.ClientError(
            "the body is no JSON", exit_codes.USAGE, "Text belongs in double quotes: '\"text\"'."
        ) from None
    return body


def _bytes(data: str) -> bytes:
    if data == "-":
        return sys.stdin.buffer.read() if sys.stdin else b""
    if data.startswith("@"):
        return Path(data[1:]).read_bytes()
    return data.encode("utf-8", "surrogateescape")


def _ask_first(what: str) -> None:
    """Have a person say yes.

    Raises:
        ClientError: Nobody is there, or the answer is no.
    """
    if not (sys.stdin and sys.stdin.isatty() and sys.stderr.isatty()):
        raise client.ClientError(
            f"{what} is dangerous, and nobody is there to ask", exit_codes.USAGE, "Give --yes."
        )
    sys.stderr.write(f"{what} can disturb the whole home. Go on? [y/N] ")
    sys.stderr.flush()
    if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
        raise client.ClientError("nothing was done", exit_codes.USAGE)


def _print(answer: client.Response, *, plain: bool) -> None:
    if plain:
        write_bytes(answer.body)
        return
    try:
        value = json.loads(answer.body)
    except ValueError:
        size, kind = len(answer.body), answer.headers.get("content-type", "")
        report(
            f"the answer is no JSON: {size} bytes of {kind!r}", "Send it to a file.", exit_codes.OK
        )
        return
    write(table.table(value) or json.dumps(value, indent=2) + "\n")
