"""``homey-tokend once``: one round without a daemon."""

import argparse

from homey_tokend.build import Parts
from homey_tokend.cli import bootstrap
from homey_tokend.cli.once_attempt import once


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.configure(parser)
    parser.add_argument(
        "--force", action="store_true", help="refresh all Homeys, due or not, within the spacing"
    )
    parser.epilog = (
        "It refreshes what is due and writes the sinks that lack the token; the state file\n"
        "tells it what is held, and what must wait. For people who want no daemon: call it\n"
        "from a timer every hour.\n\n"
        "example:\n  homey-tokend once --force\n"
    )


def run(args: argparse.Namespace) -> int:
    """Do one round.

    Raises:
        ConfigurationInvalid: there is none, or it has faults.
        AlreadyRunning: a daemon runs.
    """
    with bootstrap.started(args) as started:
        parts = Parts(started.config, started.world)
        return bootstrap.run_to_end(once(parts, force=args.force))
