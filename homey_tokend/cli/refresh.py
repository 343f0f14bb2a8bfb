"""``homey-tokend refresh``: make the daemon refresh now, one Homey or all."""

import argparse

from homey_tokend import client, exit_codes
from homey_tokend.cli.output import report, write
from homey_tokend.core.status_text import one_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("homey", nargs="?", metavar="NAME", help="only this Homey (default: all)")
    parser.add_argument(
        "--wait", metavar="S", help="how long to wait for each (default 30s, at most 300s)"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "Exit status: 0 if there is a new token, 75 if it does not come in time or the last\n"
        "refresh is too recent, 77 if it is rejected.\n\n"
        "example:\n  homey-tokend refresh home --wait 1m\n"
    )


def run(args: argparse.Namespace) -> int:
    """Refresh, and print the results.

    Raises:
        ClientError: The daemon does not list its Homeys.
    """
    names = [args.homey] if args.homey else client.homey_names(client.status(socket=args.socket))
    return max((_refresh(name, args.wait, args.socket) for name in names), default=exit_codes.OK)


def _refresh(name: str, wait: str | None, socket: str | None) -> int:
    shown = one_line(name)
    try:
        document = client.refresh(name, wait=wait, socket=socket)
    except client.ClientError as error:
        return report(f"{shown}: {error.message}", error.hint, error.exit_status)
    if document.get("refreshed") is not True:
        hint = f"See the progress: homey-tokend status {shown}"
        return report(f"{shown}: the refresh is still in progress", hint, exit_codes.TRY_LATER)
    token = document.get("token")
    new = token if isinstance(token, dict) else {}
    fingerprint, expires_at = one_line(new.get("fingerprint")), one_line(new.get("expires_at"))
    write(f"{shown}: {fingerprint}, valid until {expires_at}\n")
    return exit_codes.OK
