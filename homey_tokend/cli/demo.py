"""``homey-tokend demo``: simulator and daemon together on one terminal."""

import argparse
import asyncio
import os

from homey_tokend import exit_codes
from homey_tokend.cli.main import write
from homey_tokend.demo.show import run_demo
from homey_tokend.runtime.clock import SystemClock


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "--for", dest="lasts", type=float, metavar="S", help="end after so many seconds"
    )
    parser.epilog = (
        "A token lives 20 s here, so that renewal, a scripted outage and the recovery from it\n"
        "are seen within half a minute. Ctrl-C ends it; nothing stays behind.\n\n"
        "example:\n  homey-tokend demo\n"
    )


def run(args: argparse.Namespace) -> int:
    """Run until Ctrl-C."""
    asyncio.run(run_demo(SystemClock(), _say, args.lasts))
    return exit_codes.OK


def _say(line: str) -> None:
    write(line + os.linesep)
