"""Run commands: without a shell, in a session of their own, with limits for time and output."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import cast

#: Prefixes of variables that are only for the daemon.
_OURS = (
    "HOMEY_",
    "LISTEN_",
    "WATCHDOG_",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
)
#: The time that a command has to end after SIGTERM.
GRACE = timedelta(seconds=2)
#: The seconds to wait for the end of the output once the command has ended: a process that it
#: left in the background may keep the pipe open for ever.
_LAST_OUTPUT_S = 0.2
#: The last bytes of output that are kept if no limit is given.
_TAIL = 2048


def child_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a child process may inherit."""
    return {name: value for name, value in environ.items() if not name.startswith(_OURS)}


@dataclass(frozen=True, slots=True)
class CommandResult:
    """The result of a command.

    ``status`` is the exit status; a negative one is a signal. ``finished`` is False if the
    command was stopped because it ran too long or wrote too much.
    """

    status: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    finished: bool = True

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.status >= 0:
            return f"ended with exit status {self.status}"
        with contextlib.suppress(ValueError):
            return f"was killed by {signal.Signals(-self.status).name}"
        return f"was killed by signal {-self.status}"


async def run_command(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    stdin: bytes = b"",
    timeout: timedelta | None = None,  # noqa: ASYNC109  the output is wanted after it, too
    limit: int | None = None,
    grace: timedelta = GRACE,
) -> CommandResult:
    """Run a command in ``/`` until it ends.

    If the caller is cancelled, the time is over or the output is too long, the command's process
    group gets SIGTERM, and SIGKILL after ``grace``. Processes that a finished command left in
    the background are not stopped.

    Args:
        argv: The program, by absolute path or found on PATH, and its arguments.
        environ: Its environment.
        stdin: The data for its standard input.
        timeout: How long it may run.
        limit: The most bytes of standard output; the command is stopped if it writes more.
            None: no limit, but only the last 2048 bytes are kept.
        grace: The time between SIGTERM and SIGKILL.

    Raises:
        OSError: It cannot be started.
        ValueError: An argument contains a zero byte.
    """
    transport, output = await _started(argv, environ, limit)
    try:
        pipe = cast("asyncio.WriteTransport", transport.get_pipe_transport(0))
        pipe.write(stdin)
        pipe.close()
        await asyncio.wait([output.over], timeout=timeout.total_seconds() if timeout else None)
        finished = output.exited.done()
        if not finished:
            await _end(transport, output, grace)
        # asyncio sets it before it calls process_exited (asyncio.base_subprocess).
        status = transport.get_returncode()
        await asyncio.wait([output.silent], timeout=_LAST_OUTPUT_S)
    finally:
        try:
            await _end(transport, output, grace)
        finally:
            transport.close()
    return CommandResult(
        -signal.SIGKILL if status is None else status,
        bytes(output.data[1]),
        bytes(output.data[2]),
        finished,
    )


class _Output(asyncio.SubprocessProtocol):
    """The output of a command, and its end.

    ``exited``: it has ended. ``over``: it has ended or written too much. ``silent``: its output
    is closed.
    """

    def __init__(self, limit: int | None) -> None:
        loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[None] = loop.create_future()
        self.over: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        self.data = {1: bytearray(), 2: bytearray()}
        self._limit = limit
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        kept = self.data[fd]
        fresh = cast("bytes", data)  # str only with text=True, which asyncio does not support
        if fd == 1 and self._limit is not None:
            kept += fresh[: self._limit + 1 - len(kept)]
            if len(kept) > self._limit:
                _set(self.over)
        else:
            kept += fresh[-_TAIL:]
            del kept[:-_TAIL]

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open:
            _set(self.silent)

    def process_exited(self) -> None:
        _set(self.exited)
        _set(self.over)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _started(
    argv: Sequence[str], environ: Mapping[str, str], limit: int | None
) -> tuple[asyncio.SubprocessTransport, _Output]:
    starting = asyncio.ensure_future(
        asyncio.get_running_loop().subprocess_exec(
            lambda: _Output(limit), *argv, env=environ, cwd="/", start_new_session=True
        )
    )
    try:
        return await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio (3.11) waits for ever if it is cancelled between fork and pipes. So let it
        # finish, which takes milliseconds, and then stop the command.
        while not starting.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([starting])
        if starting.exception() is None:
            transport, output = starting.result()
            try:
                await _end(transport, output, GRACE)
            finally:
                transport.close()
        raise


async def _end(transport: asyncio.SubprocessTransport, output: _Output, grace: timedelta) -> None:
    """Send SIGTERM to the process group, SIGKILL after ``grace`` or if cancelled, and wait."""
    if output.exited.done():
        return
    try:
        _signal_group(transport, signal.SIGTERM)
        await asyncio.wait([output.exited], timeout=grace.total_seconds())
    finally:
        _signal_group(transport, signal.SIGKILL)
        await asyncio.wait([output.exited], timeout=grace.total_seconds())


def _signal_group(transport: asyncio.SubprocessTransport, number: signal.Signals) -> None:
    # Children may outlive the command, so the group is signalled even if it has ended.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(transport.get_pid(), number)
