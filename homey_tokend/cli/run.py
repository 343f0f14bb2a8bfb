"""``homey-tokend run``: run the daemon in the foreground."""

import argparse
import asyncio
import os
import sys
import threading
import time

from homey_tokend import exit_codes
from homey_tokend.cli import bootstrap
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.runtime import hardening, systemd_sockets

#: Seconds that the end waits for threads, such as a write that is still in progress.
JOIN_TIMEOUT_S = 2.0
#: Seconds after which garbage is collected: the first clients do not wait for that.
_COLLECT_AFTER_S = 1.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
    parser.epilog = (
        "It keeps running whatever Athom answers. SIGTERM and Ctrl-C stop it, SIGHUP reloads the\n"
        "configuration. If its terminal is closed, it stops; with its streams redirected, as by\n"
        "nohup, it runs on.\n\n"
        "example:\n  homey-tokend run -c /etc/homey-tokend/config.yaml\n"
    )


def run(args: argparse.Namespace) -> int:
    """Run until a signal stops the daemon.

    Raises:
        ConfigurationInvalid: The configuration is missing or invalid.
        AlreadyRunning, CannotServe, StateUnusable: The daemon cannot start.
    """
    hardening.limit_heap()
    prepared = systemd_sockets.inherited_sockets(os.environ)
    with bootstrap.session(args) as session:
        daemon = Daemon(
            session.config,
            session.runtime,
            load=lambda: bootstrap.load(args),
            set_log=session.set_log,
            prepared=prepared,
        )

        async def serve() -> None:
            install_signal_handlers(daemon)
            loop = asyncio.get_running_loop()
            loop.call_later(_COLLECT_AFTER_S, hardening.collect_garbage)
            await daemon.run(started=lambda _supervisor: hardening.harden())

        asyncio.run(serve())
    abandon_stuck_threads()
    return exit_codes.OK


def abandon_stuck_threads(timeout_s: float = JOIN_TIMEOUT_S) -> None:
    """Exit the process if a thread hangs longer, for example in a write to a dead mount."""
    deadline = time.monotonic() + timeout_s  # noqa: TID251  the loop and its clock are gone
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))  # noqa: TID251  as above
            if thread.is_alive():
                sys.stderr.flush()
                os._exit(exit_codes.OK)
