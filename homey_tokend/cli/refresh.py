"""``homey-tokend refresh``: have the daemon refresh now, one Homey or all."""

import argparse

from homey_tokend import client, exit_codes
from homey_tokend.cli.main import report, write


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("homey", nargs="?", metavar="NAME", help="only this Homey (default: all)")
    parser.add_argument(
        "--wait", metavar="S", help="how long to wait for each (default 30s, at most 300s)"
    )
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "It ends with 0 when a new token is held, with 75 when it did not come in time or was\n"
        "asked for too soon after the last, with 77 when it was refused.\n\n"
        "example:\n  homey-tokend refresh home --wait 1m\n"
    )


def run(args: argparse.Namespace) -> int:
    """Refresh, and say what came of it.

    Raises:
        ClientError: The daemon cannot be asked which Homeys there are.
    """
    names = [args.homey] if args.homey else _names(client.status(socket=args.socket))
    return max((_refresh(name, args.wait, args.socket) for name in names), default=exit_codes.OK)


def _names(document: dict[str, object]) -> list[str]:
    homeys = document.get("homeys")
    return [str(name) for name in homeys] if isinstance(homeys, dict) else []


def _refresh(name: str, wait: str | None, socket: str | None) -> int:
    try:
        document = client.refresh(name, wait=wait, socket=socket)
    except client.ClientError as error:
        return report(f"{name}: {error.message}", error.hint, error.exit_status)
    if document.get("refreshed") is not True:
        hint = f"See how it goes: homey-tokend status {name}"
        return report(f"{name}: still under way", hint, exit_codes.TRY_LATER)
    token = document.get("token")
    held = token if isinstance(token, dict) else {}
    write(f"{name}: {held.get('fingerprint')}, good until {held.get('expires_at')}\n")
    return exit_codes.OK
