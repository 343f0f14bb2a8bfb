"""``homey-tokend simulate``: the simulator alone."""

import argparse

from homey_tokend.simulator import cli


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the simulator's arguments."""
    cli.add_arguments(parser)
    parser.usage = "%(prog)s [OPTION ...]"
    parser.description = (
        "A simulated Homey cloud and simulated Homeys on one port, to try things on."
    )
    parser.epilog = (
        "It prints one JSON line on stdout when it listens, and logs to stderr.\n\n"
        "example:\n  homey-tokend simulate --port 8080 --session-lifetime 120\n"
    )


def run(args: argparse.Namespace) -> int:
    """Run until SIGTERM or Ctrl-C."""
    return cli.main(args.words)
