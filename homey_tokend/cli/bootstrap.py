"""What the commands that run the daemon's code share: configuration, log and event loop."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import structlog

from homey_tokend import exit_codes
from homey_tokend.athom.flow import OnResponse
from homey_tokend.build import Runtime
from homey_tokend.cli.rights import rights_warnings
from homey_tokend.config import Config, LogConfig
from homey_tokend.config import load as load_config
from homey_tokend.core.redact import Redactor
from homey_tokend.http.proxy_env import ProxySettings
from homey_tokend.runtime import log as logs
from homey_tokend.runtime.clock import SystemClock
from homey_tokend.runtime.log_writer import LogWriter
from homey_tokend.storage.mounts import mount_warnings

log = structlog.get_logger()
#: Seconds that the end of the process waits for the last log lines to be written.
_FLUSH_TIMEOUT_S = 1.0


@dataclass(frozen=True, slots=True)
class Session:
    """What a command runs with."""

    config: Config
    runtime: Runtime
    set_log: Callable[[LogConfig], None]


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--config``."""
    parser.add_argument(
        "-c",
        "--config",
        metavar="FILE",
        help="the configuration file (default: the first in docs/configuration.md that exists)",
    )


def load(args: argparse.Namespace) -> Config:
    """Load the configuration, with warnings of what other users may change.

    Raises:
        ConfigurationInvalid: The configuration is missing or invalid.
    """
    config = load_config(args.config, os.environ)
    exposed = rights_warnings(config, os.environ, os.geteuid())
    return replace(config, warnings=(*config.warnings, *exposed))


@contextmanager
def session(args: argparse.Namespace, *on_response: OnResponse) -> Iterator[Session]:
    """Load the configuration and start logging; write the last lines at the end.

    Raises:
        ConfigurationInvalid: The configuration is missing or invalid.
    """
    config = load(args)
    with logging_session(config, *on_response) as started:
        for warning in (
            *config.warnings,
            *ProxySettings(os.environ).warnings(),
            *mount_warnings(config),
        ):
            log.warning("configuration.warning", fault=str(warning))
        yield started


@contextmanager
def logging_session(config: Config, *on_response: OnResponse) -> Iterator[Session]:
    """Start logging as the configuration says; write the last lines at the end."""
    clock, redactor = SystemClock(os.environ.get("HOMEY_TOKEND_BOOT_ID", "")), Redactor()
    runtime = Runtime(
        clock, environ=os.environ, register_secret=redactor.add, on_response=on_response
    )
    writers: list[LogWriter] = []

    def set_log(wanted: LogConfig) -> None:
        writer = logs.configure(
            wanted.level, wanted.format, sys.stderr, os.environ, redactor=redactor
        )
        for old in writers:
            old.close(0)
        writers.append(writer)

    set_log(config.log)
    try:
        yield Session(config, runtime, set_log)
    finally:
        # One deadline for all: each reload leaves a writer behind, and any can be stuck.
        until = clock.monotonic() + _FLUSH_TIMEOUT_S
        for writer in writers:
            writer.close(max(0.0, until - clock.monotonic()))


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """Run work that ends by itself; SIGTERM cancels it, a second SIGTERM kills the process.

    Like Ctrl-C, SIGTERM leaves no command of a secret or a sink behind.

    Returns:
        The exit status of the work, or TERMINATED.
    """
    terminated = False

    async def cancellable() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def terminate() -> None:
            nonlocal terminated
            terminated = True
            loop.remove_signal_handler(signal.SIGTERM)
            if task is not None:
                task.cancel()

        loop.add_signal_handler(signal.SIGTERM, terminate)
        return await work

    try:
        return asyncio.run(cancellable())
    except asyncio.CancelledError:
        if not terminated:
            raise
        return exit_codes.TERMINATED
