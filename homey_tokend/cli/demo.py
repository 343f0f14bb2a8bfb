"""``homey-tokend demo``: the simulator and the daemon together in one terminal."""

import argparse
import asyncio

from homey_tokend import exit_codes
from homey_tokend.cli.output import write
from homey_tokend.demo import run_demo
from homey_tokend.runtime.clock import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--for", dest="duration", type=float, metavar="S", help="end after this many seconds"
    )
    parser.epilog = (
        "A token lives 20 s here, so that half a minute shows a refresh, a scripted outage and\n"
        "the recovery from it. Ctrl-C ends it; nothing is left behind.\n\n"
        "example:\n  homey-tokend demo\n"
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    asyncio.run(run_demo(SystemClock(), lambda line: write(line + "\n"), args.duration))
    return exit_codes.OK
