"""What every command does first that runs the flow: configuration, log, world."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import structlog

from homey_tokend import exit_codes
from homey_tokend.build import Runtime
from homey_tokend.config import Config, LogConfig
from homey_tokend.config import load as load_config
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.redact import Redactor
from homey_tokend.runtime import log as logs
from homey_tokend.runtime.clock import SystemClock
from homey_tokend.runtime.log_writer import LogWriter

log = structlog.get_logger()
#: How long may the last log lines take to be written when the process ends?
_LAST_WORDS_S = 1.0


@dataclass(frozen=True, slots=True)
class Session:
    """What a command runs with."""

    config: Config
    world: Runtime
    set_log: Callable[[LogConfig], None]


def add_config_option(parser: argparse.ArgumentParser) -> None:
    """Declare ``--config``."""
    parser.add_argument(
        "-c", "--config", metavar="FILE", help="the configuration (default: see docs, looked for)"
    )


@contextmanager
def session(
    args: argparse.Namespace,
    heard: Callable[[str, Request, Response], None] | None = None,
) -> Iterator[Session]:
    """Load the configuration and set the log up; write the last lines at the end.

    Raises:
        ConfigurationInvalid: there is none, or it has faults.
    """
    with logging_session(load_config(args.config, os.environ), heard) as begun:
        for fault in begun.config.warnings:
            log.warning("configuration.warning", fault=str(fault))
        yield begun


@contextmanager
def logging_session(
    config: Config, heard: Callable[[str, Request, Response], None] | None = None
) -> Iterator[Session]:
    """Set the log up as a configuration says; write the last lines at the end."""
    clock, redactor = SystemClock(), Redactor()
    world = Runtime(clock, environ=os.environ, hide=redactor.add)
    if heard is not None:
        world = Runtime(clock, environ=os.environ, hide=redactor.add, heard=heard)
    outlets: list[LogWriter] = []

    def set_log(wanted: LogConfig) -> None:
        outlets.append(
            logs.configure(wanted.level, wanted.format, sys.stderr, os.environ, redactor=redactor)
        )
        for old in outlets[:-1]:
            old.close(0)

    set_log(config.log)
    try:
        yield Session(config, world, set_log)
    finally:
        # Together, whoever has stalled: each reload of the log leaves one behind.
        until = clock.monotonic() + _LAST_WORDS_S
        for outlet in outlets:
            outlet.close(max(0.0, until - clock.monotonic()))


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """Run what ends by itself; SIGTERM ends it in good order before that, a second one at once.

    As after Ctrl-C, no command that was run for a secret or a sink stays behind.

    Returns:
        The exit status of the work, or of what SIGTERM ended.
    """
    told = False

    async def heeding() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()

        def end() -> None:
            nonlocal told
            told = True
            loop.remove_signal_handler(signal.SIGTERM)
            if task is not None:
                task.cancel()

        loop.add_signal_handler(signal.SIGTERM, end)
        return await work

    try:
        return asyncio.run(heeding())
    except asyncio.CancelledError:
        if not told:
            raise
        return exit_codes.TERMINATED
