"""``homey-tokend status``: show tokens, what comes next, and failures."""

import argparse

from homey_tokend import client, exit_codes
from homey_tokend.cli.output import write, write_json
from homey_tokend.core.status_text import format_homey


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("homey", nargs="?", metavar="NAME", help="only this Homey")
    parser.add_argument("--json", action="store_true", help="print the daemon's JSON document")
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "Exit status: 0 if every Homey shown has a valid token, 77 if one without a\n"
        "token needs a person, else 75.\n\n"
        "examples:\n"
        "  homey-tokend status\n"
        "  homey-tokend status home --json | jq .token.expires_at\n"
    )


def run(args: argparse.Namespace) -> int:
    """Print the status.

    Raises:
        ClientError: The daemon does not answer.
    """
    document = client.status(args.homey, socket=args.socket)
    homeys = [document] if args.homey else _homeys(document)
    if args.json:
        write_json(document)
    else:
        write("\n".join(format_homey(homey) for homey in homeys))
    return max(map(_exit_status, homeys), default=exit_codes.OK)


def _homeys(document: dict[str, object]) -> list[dict[str, object]]:
    homeys = document.get("homeys")
    values = homeys.values() if isinstance(homeys, dict) else ()
    return [homey for homey in values if isinstance(homey, dict)]


def _exit_status(homey: dict[str, object]) -> int:
    token = homey.get("token")
    if isinstance(token, dict) and token.get("valid") is True:
        return exit_codes.OK
    error = homey.get("last_error")
    rejected = isinstance(error, dict) and error.get("action_needed") is True
    return exit_codes.ACTION_NEEDED if rejected else exit_codes.TRY_LATER
