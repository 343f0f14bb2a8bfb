"""``homey-tokend once``: refresh what is due and write the sinks, without a daemon."""

import argparse
import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.cli import bootstrap
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.core.failure import LastError
from homey_tokend.core.policy import REJECTIONS
from homey_tokend.core.status import View
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime import hardening
from homey_tokend.runtime.workers import run_in_thread

log = structlog.get_logger()
#: How long a round can take, even if something hangs.
ROUND_TIMEOUT = timedelta(minutes=10)


class NoScheduler:
    """A scheduler that wakes nothing, because a round is not repeated."""

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        """Do nothing."""

    def forget(self, name: str) -> None:
        """Do nothing."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bootstrap.add_config_option(parser)
    parser.add_argument(
        "--force", action="store_true", help="refresh every Homey, due or not, within the limits"
    )
    parser.epilog = (
        "It refreshes what is due and writes the sinks that lack the token. The state file says\n"
        "which tokens exist and which tries have to wait. Use it instead of the daemon, for\n"
        "example from an hourly timer.\n\n"
        "example:\n  homey-tokend once --force\n"
    )


def run(args: argparse.Namespace) -> int:
    """Do one round.

    Raises:
        ConfigurationInvalid: The configuration is missing or invalid.
        AlreadyRunning: A daemon is running.
    """
    hardening.harden()
    with bootstrap.session(args) as session:
        components = Components(session.config, session.runtime)
        return bootstrap.run_async(run_once(components, force=args.force))


async def run_once(components: Components, *, force: bool, limit: timedelta = ROUND_TIMEOUT) -> int:
    """Do one round, and close the components.

    Args:
        components: Built for this round.
        force: Refresh every Homey for which the limits on manual refreshes allow it.
        limit: How long the round can take.

    Returns:
        The exit status, the worst of all Homeys.

    Raises:
        AlreadyRunning: A daemon is running.
        StateUnusable: The lock cannot be created.
    """
    lock = components.lock()
    try:
        await run_in_thread(_require_no_daemon, components.config.socket.path)
        if lock is not None:
            await run_in_thread(lock.acquire)
    except AlreadyRunning as error:
        raise AlreadyRunning(error.message, remedy="Use it instead: homey-tokend refresh") from None
    try:
        return await _round(components, force=force, limit=limit)
    finally:
        if lock is not None:
            lock.release()
        await components.close()


def _require_no_daemon(path: Path) -> None:
    """Raise AlreadyRunning if a daemon without a state file, hence without a lock, answers."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        with suppress(OSError):
            sock.connect(str(path))
            raise AlreadyRunning("the daemon is already running: it answers on the socket")


async def _round(components: Components, *, force: bool, limit: timedelta) -> int:
    supervisor = await components.supervisor(NoScheduler(), lambda: True)
    keepers = asyncio.create_task(supervisor.run(), name="supervisor")
    work = asyncio.create_task(_work(supervisor, force=force, limit=limit), name="round")
    try:
        await asyncio.wait(
            {keepers, work},
            timeout=limit.total_seconds(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if keepers.done():
            keepers.result()  # keepers run until they are cancelled: raise the bug
        if not work.done():
            log.error("once.timed_out", after_s=limit.total_seconds())
            return exit_codes.TRY_LATER
        work.result()
    finally:
        keepers.cancel()
        work.cancel()
        await asyncio.gather(keepers, work, return_exceptions=True)
    return max(exit_status_of(supervisor.view(name)) for name in supervisor.names())


async def _work(supervisor: Supervisor, *, force: bool, limit: timedelta) -> None:
    before = {name: _attempt(supervisor.view(name)) for name in supervisor.names()}
    await supervisor.settled()
    if not force:
        return
    for name in supervisor.names():
        if _attempt(supervisor.view(name)) != before[name]:
            continue  # it was due and has just been tried
        result = await supervisor.refresh(name, limit)
        if result.too_soon is not None:
            log.warning("once.too_soon", homey=name, until=rfc3339(result.too_soon))
    await supervisor.settled()


def _attempt(view: View) -> tuple[int, LastError | None]:
    """Return what changes when a refresh was tried, with or without success."""
    return view.refreshes, view.last_error


def exit_status_of(view: View) -> int:
    """Return the exit status for one Homey: the worst of its refresh and its sinks."""
    errors = [view.last_error, *(sink.last_error for sink in view.sinks)]
    worst = max((exit_codes.for_kind(each.kind) for each in errors if each), default=0)
    # The rejection that blocks the next sign-in can be older than the error, or another Homey's.
    if view.sign_in_blocked_until is not None and view.next_reason in REJECTIONS:
        worst = max(worst, exit_codes.ACTION_NEEDED)
    # The reason for a missing token says more than that it is missing.
    return worst or (exit_codes.OK if view.token else exit_codes.TRY_LATER)
