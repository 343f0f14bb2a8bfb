"""The token, or trouble with it, on a command's standard input (``docs/sinks.md``, "exec")."""

from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from datetime import datetime, timedelta

from homey_tokend.core.events import RefreshFailed, RefreshRecovered
from homey_tokend.core.ports import Notification
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery, DeliveryResult
from homey_tokend.runtime.command import GRACE, Command, Environ
from homey_tokend.sinks.payload import json_line, token_document


class ExecSink:
    """Runs a command with the token as JSON on its standard input.

    Args:
        command: The program and its arguments; no shell reads them.
        timeout: How long it may run; then its whole process group is ended.
        environ: Gives what it inherits, before it is scrubbed; asked at each run. A variable
            that holds a configured secret must not be in it.
        grace: How long it may take to end after SIGTERM, before SIGKILL.
    """

    def __init__(
        self,
        command: Sequence[str],
        timeout: timedelta,
        environ: Environ,
        *,
        grace: timedelta = GRACE,
    ) -> None:
        self._command = Command(command, timeout, environ, grace=grace)

    @property
    def target(self) -> str:
        """``exec:`` and the program; arguments only as a digest, for they may be private."""
        return self._command.target

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Run the command; its exit status alone decides.

        Raises:
            SinkRejected: it cannot be executed.
            SinkFailed: it ended with another status than 0, or had to be ended.
        """
        line = json_line({"event": "token", **token_document(delivery)})
        return DeliveryResult(detail=await self._command.run(line, delivery.token.value))


class ExecNotifier:
    """Runs a command when refreshing fails, and when it goes well again.

    Args:
        command: As for ``ExecSink``.
        timeout: As for ``ExecSink``.
        environ: As for ``ExecSink``.
        on: What it is run on: "error", "recovered" or both.
    """

    def __init__(
        self,
        command: Sequence[str],
        timeout: timedelta,
        environ: Environ,
        on: AbstractSet[str],
    ) -> None:
        self._command = Command(command, timeout, environ)
        self._on = on

    @property
    def target(self) -> str:
        """As the sink's."""
        return self._command.target

    def news(self, notice: Notification) -> str:
        """The first failure of a row, and each of another kind; the recovery after it."""
        match notice.happened:
            case RefreshFailed(kind=kind, step=step, message=message) if "error" in self._on:
                return f"error {kind} {step} {message}"
            case RefreshRecovered(at=at, failures=failures) if failures and "recovered" in self._on:
                return f"recovered {at}"
            case _:
                return ""

    async def hear(self, notice: Notification) -> None:
        """Run the command.

        Raises:
            SinkRejected, SinkFailed: as for ``ExecSink``.
        """
        token = notice.token.value if notice.token else None
        await self._command.run(json_line(_document(notice)), token)


def _document(notice: Notification) -> dict[str, object]:
    """What happened, named as in the events of the socket."""
    match notice.happened:
        case RefreshFailed() as failed:
            return {
                "event": "error",
                "homey": failed.homey,
                "at": rfc3339(failed.at),
                "kind": failed.kind,
                "step": failed.step,
                "message": failed.message,
                "remedy": failed.remedy,
                "action_needed": failed.action_needed,
                "failures": failed.failures,
                "next_try": _instant(failed.next_try),
                "outage_at": _instant(failed.outage_at),
            }
        case RefreshRecovered(homey, at, failures):
            told = {"event": "recovered", "homey": homey, "at": rfc3339(at), "failures": failures}
            return dict(told)
        case other:
            raise TypeError(f"nothing a command is told of: {other}")


def _instant(at: datetime | None) -> str | None:
    return None if at is None else rfc3339(at)
