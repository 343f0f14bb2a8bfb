"""``homey-tokend health``: exit with 0 if every Homey has a valid token."""

import argparse

from homey_tokend import client, exit_codes
from homey_tokend.cli.output import write
from homey_tokend.core.status_text import one_line


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("--socket", metavar="PATH", help="the daemon's socket")
    parser.epilog = (
        "Exit status: 0 if the daemon answers and every Homey has a valid token, else another\n"
        "status. For health checks of containers and for monitoring.\n\n"
        "example:\n  homey-tokend health && echo healthy\n"
    )


def run(args: argparse.Namespace) -> int:
    """Print the daemon's answer to ``/readyz``.

    Raises:
        ClientError: The daemon does not answer, or a token is missing.
    """
    answer = client.request("GET", "/readyz", socket=args.socket).body
    write(one_line(answer.decode("utf-8", "replace").strip()) + "\n")
    return exit_codes.OK
