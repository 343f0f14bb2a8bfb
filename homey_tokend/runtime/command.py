"""A command with a document on its standard input: run, bounded, heard and ended."""

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Self, cast

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.secret import Secret
from homey_tokend.runtime.command_redact import without
from homey_tokend.runtime.inherited import child_environ

#: How much of a command's last words is shown.
_SHOWN = 500
#: How much of them is held: 500 characters of UTF-8 at their longest.
_HELD = 2048
#: How long may a command take to end after SIGTERM?
GRACE = timedelta(seconds=2)
#: How long is waited for last words once the command has ended? A process of its own that
#: it left in the background may hold the pipe open for ever.
_LAST_WORDS_S = 0.2
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
}
#: Errors of starting a command that a person must mend; others (no memory, say) may pass.
_REFUSALS = frozenset(
    {
        errno.EACCES,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOEXEC,
        errno.ENOTDIR,
        errno.EPERM,
        errno.E2BIG,
    }
)


#: What a command may inherit, as it is when it is run: a reload can make a variable a secret.
Environ = Callable[[], Mapping[str, str]]


def sink_environ(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment fit for children: nothing of ours, and PATH, LANG and HOME at least."""
    return _DEFAULTS | child_environ(environ)


class Command:
    """A command that is given a line of JSON on its standard input; its status decides.

    Args:
        argv: The program and its arguments; no shell reads them.
        timeout: How long it may run; then its whole process group is ended.
        environ: Gives what it inherits, before it is scrubbed; asked at each run. A variable
            that holds a configured secret must not be in it.
        grace: How long it may take to end after SIGTERM, before SIGKILL.
    """

    def __init__(
        self,
        argv: Sequence[str],
        timeout: timedelta,
        environ: Environ,
        *,
        grace: timedelta = GRACE,
    ) -> None:
        self._argv = tuple(argv)
        self._timeout = timeout
        self._environ = environ
        self._grace = grace

    @property
    def target(self) -> str:
        """``exec:`` and the program; arguments only as a digest, for they may be private."""
        program, *arguments = self._argv
        if not arguments:
            return f"exec:{program}"
        digest = hashlib.sha256(json.dumps(arguments).encode()).hexdigest()[:8]
        return f"exec:{program}#{digest}"

    async def run(self, line: bytes, token: Secret | None) -> str:
        """Run it once.

        Args:
            line: What it reads.
            token: What its last words must not show.

        Returns:
            How it ended.

        Raises:
            SinkRejected: it cannot be executed.
            SinkFailed: it ended with another status than 0, or had to be ended.
        """
        async with _Run(self._argv, sink_environ(self._environ()), self._grace) as run:
            run.tell(line)
            try:
                async with asyncio.timeout(self._timeout.total_seconds()):
                    status = await run.status()
            except TimeoutError:
                raise SinkFailed(
                    f"{self._argv[0]} ran over {self._timeout.total_seconds():g} s "
                    f"and was ended{await run.last_words(token)}",
                    remedy="Let it do its work in the background, or find out what it waits for.",
                ) from None
            words = await run.last_words(token)
        if status != 0:
            raise SinkFailed(f"{self._argv[0]} {_ended(status)}{words}")
        return _ended(status)


def _ended(status: int) -> str:
    if status >= 0:
        return f"ended with exit status {status}"
    with contextlib.suppress(ValueError):
        return f"was killed by {signal.Signals(-status).name}"
    return f"was killed by signal {-status}"


class _Listener(asyncio.SubprocessProtocol):
    """Hears that the command has ended, apart from whether its pipes are still open."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.ended: asyncio.Future[None] = loop.create_future()
        self.silent: asyncio.Future[None] = loop.create_future()
        self.heard = {1: b"", 2: b""}
        self._open = {1, 2}

    def pipe_data_received(self, fd: int, data: bytes | str) -> None:
        fresh = cast("bytes", data)  # str only with text=True, which asyncio does not take
        self.heard[fd] = (self.heard[fd] + fresh[-_HELD:])[-_HELD:]

    def pipe_connection_lost(self, fd: int, _exc: Exception | None) -> None:
        self._open.discard(fd)
        if not self._open and not self.silent.done():
            self.silent.set_result(None)

    def process_exited(self) -> None:
        self.ended.set_result(None)


class _Run:
    """One run of a command in a session of its own; leaving it ends what still runs."""

    def __init__(
        self, command: Sequence[str], environ: Mapping[str, str], grace: timedelta
    ) -> None:
        self._command = command
        self._environ = environ
        self._grace_s = grace.total_seconds()

    async def __aenter__(self) -> Self:
        starting = asyncio.ensure_future(self._start())
        try:
            await asyncio.shield(starting)
        except asyncio.CancelledError:
            # asyncio (3.11) waits for ever when it is cancelled between fork and pipes: let
            # it come to its end, which takes milliseconds, and end the command properly.
            await _through(starting)
            if starting.exception() is None:
                await self.__aexit__()
            raise
        except (OSError, ValueError) as error:
            raise _cannot_run(self._command[0], error) from error
        return self

    async def _start(self) -> None:
        self._transport, self._listener = await asyncio.get_running_loop().subprocess_exec(
            _Listener, *self._command, env=self._environ, cwd="/", start_new_session=True
        )

    async def __aexit__(self, *_: object) -> None:
        try:
            await self._end()
        finally:
            self._transport.close()

    def tell(self, line: bytes) -> None:
        """Write to its standard input and close that; it need not read."""
        pipe = cast("asyncio.WriteTransport", self._transport.get_pipe_transport(0))
        pipe.write(line)
        pipe.close()

    async def status(self) -> int:
        """Wait for its end; a negative status is a signal."""
        await asyncio.shield(self._listener.ended)
        # It is set before the protocol hears of the end (asyncio.base_subprocess).
        return cast("int", self._transport.get_returncode())

    async def last_words(self, token: Secret | None) -> str:
        """What it said last on standard error, else on standard output; no token in it."""
        await asyncio.wait([self._listener.silent], timeout=_LAST_WORDS_S)
        heard = self._listener.heard[2].strip() or self._listener.heard[1].strip()
        words = without(token, heard.decode(errors="replace"), last=_SHOWN)
        return f": {words}" if words else ""

    async def _end(self) -> None:
        """SIGTERM to the group, SIGKILL after the grace or when we are cancelled, and reap."""
        if self._listener.ended.done():
            return
        try:
            self._signal(signal.SIGTERM)
            await asyncio.wait([self._listener.ended], timeout=self._grace_s)
        finally:
            self._signal(signal.SIGKILL)
            await asyncio.wait([self._listener.ended], timeout=self._grace_s)

    def _signal(self, number: signal.Signals) -> None:
        # Its group may outlive it, so the group is signalled whether or not it has ended.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._transport.get_pid(), number)


async def _through(work: asyncio.Future[None]) -> None:
    """Wait for work to be done, however often we are cancelled."""
    while not work.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([work])


def _cannot_run(program: str, error: OSError | ValueError) -> SinkRejected | SinkFailed:
    number = error.errno if isinstance(error, OSError) else errno.EINVAL
    message = f"{program} cannot be run: {os.strerror(number or errno.EIO).lower()}"
    if isinstance(error, OSError) and error.errno not in _REFUSALS:
        return SinkFailed(message)
    return SinkRejected(
        message,
        remedy="Is it there, with its interpreter, and executable for the daemon's user? "
        "The sandbox of the systemd unit closes most folders outside of /usr: "
        "see the drop-in for commands in docs/sinks.md.",
    )
