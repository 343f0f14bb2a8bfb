"""The token on a command's standard input (``docs/sinks.md``, "exec")."""

import errno
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

from homey_tokend.core.commands import exec_target, program_name
from homey_tokend.core.documents import json_line, token_document
from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.redact import last_words
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Delivery, DeliveryResult
from homey_tokend.runtime.process import GRACE, child_environ, run_command
from homey_tokend.runtime.programs import Words, program_fault
from homey_tokend.runtime.workers import run_in_thread

#: How many characters of a command's output a message has, from its end.
_SHOWN = 500
_DEFAULTS = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "LANG": "C.UTF-8",
    "HOME": "/",
}
#: Errors at the start of a command that a person has to fix; others, such as a lack of memory,
#: may pass.
_ACTION_NEEDED = frozenset(
    {
        errno.EACCES,
        errno.EINVAL,  # a zero byte
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
#: Returns the environment when a command starts; after a reload, other variables may be secret.
Environ = Callable[[], Mapping[str, str]]


class Command:
    """A command that gets a line of JSON on its standard input; its exit status decides.

    Args:
        argv: The program and its arguments; there is no shell.
        timeout: How long it may run; then its process group is stopped.
        environ: Returns the environment, without variables that contain configured secrets.
        grace: The time between SIGTERM and SIGKILL.
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
        """``exec:`` and the program, with a digest of the arguments, which may be private."""
        return exec_target(self._argv)

    async def run(self, line: bytes, token: Secret | None) -> str:
        """Run it once, and return how it ended.

        Args:
            line: The data for its standard input.
            token: The token, which is masked in output that an error shows.

        Raises:
            SinkRejected: It cannot be executed.
            SinkFailed: It ended with another status than 0, or was stopped.
        """
        program, environ = program_name(self._argv), child_defaults(self._environ())
        try:
            result = await run_command(
                self._argv, environ, stdin=line, timeout=self._timeout, grace=self._grace
            )
        except ValueError:
            raise _cannot_run(program, errno.EINVAL, None) from None
        except OSError as error:
            fault = await run_in_thread(program_fault, self._argv, environ)
            raise _cannot_run(program, error.errno or errno.EIO, fault) from error
        if result.finished and result.status == 0:
            return result.ending
        output = (result.stderr.strip() or result.stdout.strip()).decode(errors="replace")
        words = last_words(output, token, _SHOWN)
        said = f": {words}" if words else ""
        if result.finished:
            raise SinkFailed(f"{program} {result.ending}{said}")
        raise SinkFailed(
            f"{program} was stopped after {self._timeout.total_seconds():g} s{said}",
            remedy="Let it work in the background, or find out what it waits for.",
        )


class ExecSink(Command):
    """Run a command with the token as JSON on its standard input."""

    reports_expiry = True

    async def probe(self) -> None:
        """Check that the system can execute the program.

        Raises:
            SinkRejected: It cannot, according to the program's file.
        """
        environ = child_defaults(self._environ())
        words = await run_in_thread(program_fault, self._argv, environ)
        if words is not None:
            raise _cannot_run(program_name(self._argv), errno.ENOEXEC, words)

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Run the command; only its exit status tells whether it succeeded.

        Raises:
            SinkRejected, SinkFailed: As for ``run``.
        """
        line = json_line({"event": "token", **token_document(delivery.homey, delivery.token)})
        return DeliveryResult(detail=await self.run(line, delivery.token.value))


def child_defaults(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a command: what it may inherit, and defaults for what it needs."""
    return _DEFAULTS | child_environ(environ)


def _cannot_run(program: str, number: int, words: Words | None) -> SinkRejected | SinkFailed:
    system = os.strerror(number).lower()
    if number not in _ACTION_NEEDED:
        return SinkFailed(f"{program} cannot be run: {system}")
    reason, remedy = words or (
        "",
        "Check that it and its interpreter exist, and that the daemon's user may execute them.",
    )
    return SinkRejected(
        f"{program} cannot be run: {f'it {reason}' if reason else system}",
        remedy=f"{remedy} "
        "The sandbox of the systemd unit makes most directories outside of /usr inaccessible: "
        "see the drop-in for commands in docs/sinks.md.",
    )
