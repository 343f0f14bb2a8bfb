"""``homey-tokend check``: check the configuration, and with ``--online`` the sign-in."""

import argparse
import json
import os
import sys

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.cli import bootstrap
from homey_tokend.cli.online_check import OnlineCheck, StepPrinter
from homey_tokend.cli.output import write
from homey_tokend.cli.rights import rights_warnings
from homey_tokend.config import load as load_config
from homey_tokend.config import schema
from homey_tokend.credentials import checks
from homey_tokend.http.authorities import authority_warnings
from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.runtime import hardening
from homey_tokend.server.access import allow_warnings
from homey_tokend.sinks.checks import program_warnings
from homey_tokend.storage.mounts import mount_warnings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
    parser.add_argument(
        "--online", action="store_true", help="sign in and print each step; keep no token"
    )
    parser.add_argument("--schema", action="store_true", help="print the JSON Schema for editors")
    parser.epilog = (
        "Exit status: 78 if the configuration is invalid; with --online that of the worst step:\n"
        "77 rejected, 69 unreachable, 75 try later. While the account is rejected, check --online\n"
        "uses up one of the two manual tries a day.\n\n"
        "--online needs the daemon to be stopped; while it runs, homey-tokend status shows its\n"
        "last error.\n\n"
        "examples:\n"
        "  homey-tokend check -c config.yaml\n"
        "  homey-tokend check --online\n"
        "  homey-tokend check --schema > homey-tokend.schema.json\n"
    )


def run(args: argparse.Namespace) -> int:
    """Check, and print what was found.

    Raises:
        ConfigurationInvalid: The configuration is missing or invalid.
        AlreadyRunning: ``--online`` while a daemon is running.
    """
    if args.schema:
        write(json.dumps(schema(), indent=2) + "\n")
        return exit_codes.OK
    if args.online:
        hardening.harden()
        printer = StepPrinter(lambda line: write(line + "\n"))
        with bootstrap.session(args, printer.on_response) as session:
            components = Components(session.config, session.runtime)
            check = OnlineCheck(components, session.runtime.clock.now, printer)
            return bootstrap.run_async(check.run())
    config = load_config(args.config, os.environ)
    for warning in (
        *config.warnings,
        *checks.warnings(config, os.environ),
        *program_warnings(config, os.environ),
        *mount_warnings(config),
        *allow_warnings(config),
        *rights_warnings(config, os.environ, None),
        *ProxySettings(os.environ).warnings(),
        *authority_warnings(os.environ),
    ):
        sys.stderr.write(f"warning: {warning}\n")
    count, names = len(config.homeys), ", ".join(config.homeys)
    write(f"{config.source}: valid; {count} {'Homey' if count == 1 else 'Homeys'}: {names}\n")
    return exit_codes.OK
