"""What a command prints: bounded, without its standard error, and it does not outlive the call."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from homey_tokend.runtime.inherited import child_environ

#: How long is waited for the end of the output once the command has ended? An agent that it
#: left in the background may hold the pipe open for ever.
_LAST_WORDS_S = 0.2
#: How long is a killed command waited for? It goes at once, or hangs in the kernel.
_LAST_MOMENT_S = 1.0


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a command wrote, and its exit status; a negative one is a signal."""

    data: bytes = field(repr=False)
    status: int


async def run_command(argv: Sequence[str], environ: Mapping[str, str], most: int) -> CommandResult:
    """Run a command without input, in a session of its own, until it ends.

    Where the caller is cancelled, or more than ``most`` bytes come, the command and its
    process group are killed.

    Args:
        argv: The program, by absolute path or found on PATH, and its arguments.
        environ: What it inherits, apart from what is the daemon's alone.
        most: How many bytes are wanted; more of them end the command.

    Returns:
        The output; more than ``most`` bytes of it mean that it was cut.

    Raises:
        OSError: It cannot be started.
    """
    starting = asyncio.ensure_future(_start(argv, child_environ(environ), most))
    try:
        transport, collector = await asyncio.shield(starting)
    except asyncio.CancelledError:
        # asyncio (3.11) may wait for ever where it is cancelled between fork and pipes: let
        # it come to its end, which takes milliseconds, and end the command properly.
        await asyncio.wait([starting])
        if starting.exception() is None:
            await _end(*starting.result())
        raise
    try:
        await collector.over
        if len(collector.data) <= most:
            await asyncio.wait([collector.silent], timeout=_LAST_WORDS_S)
    finally:
        await _end(transport, collector)
    return CommandResult(bytes(collector.data), transport.get_returncode() or 0)


class _Collector(asyncio.SubprocessProtocol):
    """Keeps what a command writes, a little beyond the bound.

    ``over``: it has ended or passed the bound. ``ended``: it has ended. ``silent``: nobody
    holds its output open.
    """

    def __init__(self, most: int) -> None:
        loop = asyncio.get_running_loop()
        self.data = bytearray()
        self.over: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        self._most = most

    def pipe_data_received(self, _fd: int, data: bytes | str) -> None:
        """More of its output, the only pipe it has."""
        if isinstance(data, bytes) and len(self.data) <= self._most:
            self.data += data
        if len(self.data) > self._most:
            _set(self.over)

    def pipe_connection_lost(self, _fd: int, _exc: Exception | None) -> None:
        """Its output has ended."""
        _set(self.silent)

    def process_exited(self) -> None:
        """It has ended; others may still hold its output open."""
        _set(self.ended)
        _set(self.over)


def _set(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


async def _start(
    argv: Sequence[str], environ: Mapping[str, str], most: int
) -> tuple[asyncio.SubprocessTransport, _Collector]:
    return await asyncio.get_running_loop().subprocess_exec(
        lambda: _Collector(most),
        *argv,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        env=environ,
        cwd="/",
        start_new_session=True,
    )


async def _end(transport: asyncio.SubprocessTransport, collector: _Collector) -> None:
    """Kills what is left of the command and its group, and waits a moment for the end."""
    if not (collector.ended.done() and collector.silent.done()):
        # Is the number still its own? Yes: it has not ended, or one of its group holds the pipe.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(transport.get_pid(), signal.SIGKILL)
    transport.close()
    await asyncio.wait([collector.ended], timeout=_LAST_MOMENT_S)
