"""One round without a daemon: refresh what is due, write the sinks, and tell how it went."""

import asyncio
import socket
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from homey_tokend import exit_codes
from homey_tokend.build import Components
from homey_tokend.core.attempts import REJECTIONS
from homey_tokend.core.errors import AlreadyRunning
from homey_tokend.core.status import Trouble, View
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.keeper.supervisor import Supervisor
from homey_tokend.runtime.workers import run_in_thread

log = structlog.get_logger()
#: How long may the whole round take, whatever hangs?
ROUND_TIMEOUT = timedelta(minutes=10)
_HINT = "Ask it instead: homey-tokend refresh"


class NoScheduler:
    """A schedule that wakes nobody: one round is not repeated."""

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None:
        """Nobody is woken."""

    def forget(self, name: str) -> None:
        """There is nothing to forget."""


async def run_once(parts: Components, *, force: bool) -> int:
    """Do one round.

    Args:
        parts: The parts; closed at the end.
        force: Refresh all Homeys, where spacing for a person's ask allows it.

    Returns:
        The exit status, of several Homeys the worst.

    Raises:
        AlreadyRunning: a daemon runs; the hint is to ask it.
        StateUnusable: the lock cannot be made.
    """
    lock = parts.lock()
    try:
        await run_in_thread(_no_daemon_at, parts.config.socket.path)
        if lock is not None:
            await run_in_thread(lock.acquire)
    except AlreadyRunning as error:
        raise AlreadyRunning(error.message, remedy=_HINT) from None
    try:
        return await _round(parts, force=force)
    finally:
        if lock is not None:
            lock.release()
        await parts.close()


def _no_daemon_at(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.settimeout(1)
        with suppress(OSError):
            sock.connect(str(path))
            raise AlreadyRunning("another daemon is running: it answers on its socket")


async def _round(parts: Components, *, force: bool) -> int:
    fleet = await parts.fleet(NoScheduler(), lambda: True)
    run = asyncio.create_task(fleet.run(), name="fleet")
    work = asyncio.create_task(_work(fleet, force=force), name="round")
    try:
        await asyncio.wait(
            {run, work},
            timeout=ROUND_TIMEOUT.total_seconds(),
            return_when=asyncio.FIRST_COMPLETED,
        )
        if run.done():
            run.result()  # the keepers run until they are cancelled: this is a bug
        if not work.done():
            log.error("once.timed_out", after_s=ROUND_TIMEOUT.total_seconds())
            return exit_codes.TRY_LATER
        work.result()
    finally:
        run.cancel()
        work.cancel()
        await asyncio.gather(run, work, return_exceptions=True)
    return max(exit_status_of(fleet.view(name)) for name in fleet.names())


async def _work(fleet: Supervisor, *, force: bool) -> None:
    before = {name: _tried(fleet.view(name)) for name in fleet.names()}
    await fleet.settled()
    if force:
        await _force(fleet, before)
        await fleet.settled()


def _tried(view: View) -> tuple[int, Trouble | None]:
    """What differs once a refresh was tried, well or not."""
    return view.refreshes, view.trouble


async def _force(fleet: Supervisor, before: Mapping[str, tuple[int, Trouble | None]]) -> None:
    for name in fleet.names():
        if _tried(fleet.view(name)) != before[name]:
            continue  # it was due, and has just been tried
        answer = await fleet.refresh(name, ROUND_TIMEOUT)
        if answer.too_soon is not None:
            log.warning("once.too_soon", homey=name, until=rfc3339(answer.too_soon))


def exit_status_of(view: View) -> int:
    """The exit status that one Homey's round deserves: its trouble's, then its sinks' worst."""
    troubles = [view.trouble, *(sink.trouble for sink in view.sinks)]
    worst = max(
        (exit_codes.for_kind(trouble.kind) for trouble in troubles if trouble),
        default=exit_codes.OK,
    )
    # A refusal that holds the next sign-in back may be another Homey's, or older than the trouble.
    if view.sign_in_blocked_until is not None and view.next_reason in REJECTIONS:
        worst = max(worst, exit_codes.ACTION_NEEDED)
    # Why there is no token tells more than that there is none.
    return worst or (exit_codes.OK if view.token else exit_codes.TRY_LATER)
