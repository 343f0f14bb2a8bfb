"""``homey-tokend run``: the daemon, in the foreground."""

import argparse
import asyncio
import os
import sys
import threading
import time

from homey_tokend import exit_codes
from homey_tokend.cli import bootstrap
from homey_tokend.config import load as load_config
from homey_tokend.daemon import Daemon, install_signal_handlers
from homey_tokend.runtime import hardening, memory, systemd_sockets

#: How long may a write that is under way take after the end?
_PATIENCE_S = 2.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
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
    memory.limit_heap()
    prepared = systemd_sockets.inherited_sockets(os.environ)
    with bootstrap.session(args) as started:
        daemon = Daemon(
            started.config,
            started.world,
            load=lambda: load_config(args.config, os.environ),
            set_log=started.set_log,
            prepared=prepared,
        )

        async def serve() -> None:
            install_signal_handlers(daemon)
            await daemon.run(started=lambda _fleet: hardening.harden())

        memory.freeze_objects()
        asyncio.run(serve())
    _leave_hanging_threads_behind()
    return exit_codes.OK


def _leave_hanging_threads_behind() -> None:
    """End although a thread hangs, in a write to a dead mount: Python would wait for it."""
    deadline = time.monotonic() + _PATIENCE_S  # noqa: TID251  the loop and its clock have ended
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join(max(0.0, deadline - time.monotonic()))  # noqa: TID251  as above
            if thread.is_alive():
                sys.stderr.flush()
                os._exit(exit_codes.OK)
