"""``homey-tokend check``: the configuration, and with ``--online`` the way to a token."""

import argparse
import json
import os
import sys

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.cli import bootstrap
from homey_tokend.cli.main import write
from homey_tokend.cli.online_check import OnlineCheck, StepPrinter
from homey_tokend.config import Config, schema
from homey_tokend.config import load as load_config
from homey_tokend.credentials import checks


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
    parser.add_argument(
        "--online", action="store_true", help="sign in too, and tell each step; keeps no token"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema for editors")
    parser.epilog = (
        "It ends with 78 when the configuration has faults; with --online as the worst step\n"
        "deserves: 77 refused, 69 not reachable, 75 try later. While the account is refused,\n"
        "check --online is one of the two tries a day that a person has.\n\n"
        "examples:\n"
        "  homey-tokend check -c config.yaml\n"
        "  homey-tokend check --online\n"
        "  homey-tokend check --schema > homey-tokend.schema.json\n"
    )


def run(args: argparse.Namespace) -> int:
    """Check, and say what was found.

    Raises:
        ConfigurationInvalid: there is no configuration, or it has faults.
        AlreadyRunning: ``--online`` while a daemon runs.
    """
    if args.schema:
        write(json.dumps(schema(), indent=2) + "\n")
        return exit_codes.OK
    if not args.online:
        return _told(load_config(args.config, os.environ))
    teller = StepPrinter(lambda line: write(line + "\n"))
    with bootstrap.session(args, teller.heard) as started:
        parts = Components(started.config, started.world)
        return bootstrap.run_async(OnlineCheck(parts, started.world.clock.now, teller).run())


def _told(config: Config) -> int:
    for doubt in (*config.warnings, *checks.warnings(config)):
        sys.stderr.write(f"warning: {doubt}\n")
    names = ", ".join(config.homeys)
    write(f"{config.source}: right; {len(config.homeys)} Homey(s): {names}\n")
    return exit_codes.OK
