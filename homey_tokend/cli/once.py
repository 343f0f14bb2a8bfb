"""``homey-tokend once``: one round without a daemon."""

import argparse

from homey_tokend.build import Components
from homey_tokend.cli import bootstrap
from homey_tokend.cli.once_attempt import run_once


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
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
    with bootstrap.session(args) as started:
        parts = Components(started.config, started.world)
        return bootstrap.run_async(run_once(parts, force=args.force))
