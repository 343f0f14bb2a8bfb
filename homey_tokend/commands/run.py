"""``homey-tokend run``: the daemon, in the foreground."""

import argparse
import asyncio

from homey_tokend import exits, startup
from homey_tokend.daemon import Daemon, end_on_signals


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    startup.configure(parser)
    parser.epilog = (
        "It stays up whatever Athom answers; SIGTERM and Ctrl-C end it in good order.\n\n"
        "example:\n  homey-tokend run -c /etc/homey-tokend/config.yaml\n"
    )


def run(args: argparse.Namespace) -> int:
    """Run until told to stop.

    Raises:
        ConfigurationInvalid: there is none, or it has faults.
        AlreadyRunning, CannotServe, StateUnusable: it cannot start.
    """
    with startup.started(args) as started:
        daemon = Daemon(started.config, started.world)

        async def serve() -> None:
            end_on_signals(daemon)
            await daemon.run()

        asyncio.run(serve())
    return exits.OK
