"""``homey-tokend health``: whether every Homey holds a valid token, by exit status."""

import argparse

from homey_tokend import client, exit_codes
from homey_tokend.cli.main import write


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "It ends with 0 when the daemon answers and every Homey holds a valid token, else with\n"
        "another status: for the health checks of containers and for monitoring.\n\n"
        "example:\n  homey-tokend health && echo well\n"
    )


def run(args: argparse.Namespace) -> int:
    """Ask, and say so.

    Raises:
        ClientError: The daemon cannot be asked, or a token is lacking.
    """
    write(client.request("GET", "/readyz", socket=args.socket).body.decode("utf-8", "replace"))
    return exit_codes.OK
