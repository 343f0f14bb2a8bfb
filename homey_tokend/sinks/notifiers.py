"""The notifiers of refreshes: a text variable of the Homey, or a command."""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import timedelta

from homey_tokend.core.documents import event_document, json_line
from homey_tokend.core.events import RefreshFailed, RefreshRecovered
from homey_tokend.core.ports import Notification, Transport
from homey_tokend.sinks.exec import Command, Environ
from homey_tokend.sinks.logic_variable import TextVariable

#: The text of the variable while nothing fails.
OK_TEXT = "ok"
#: The most characters of the text, which is read on a phone.
_MOST = 500


class ExecNotifier:
    """Run a command when refreshing fails, and when it works again.

    Args:
        command, timeout, environ: As for ``Command``.
        on: When to run it: "error", "recovered" or both.
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
        self.target = self._command.target

    def summary(self, notification: Notification) -> str:
        """Return a text that differs for each other failure and each recovery; else ""."""
        match notification.event:
            case RefreshFailed(kind=kind, step=step, message=message) if "error" in self._on:
                return f"error {kind} {step} {message}"
            case RefreshRecovered(at=at, failures=failures) if failures and "recovered" in self._on:
                return f"recovered {at}"
            case _:
                return ""

    async def notify(self, notification: Notification) -> None:
        """Run the command.

        Raises:
            SinkRejected, SinkFailed: As for ``Command.run``.
        """
        token = notification.token.value if notification.token else None
        document = event_document(notification.event)
        if document is not None:
            name, members = document
            await self._command.run(json_line({"event": name, **members}), token)


class StateVariableNotifier:
    """Set a text variable to "ok", or to the error message.

    It is written with the current token, so not once that has expired.

    Args:
        transport: Sends the requests.
        name: The variable's name, matched exactly.
        create: Whether to create it if it is missing.
    """

    def __init__(self, transport: Transport, *, name: str, create: bool) -> None:
        self._variable = TextVariable(transport, name=name, variable_id=None, create=create)
        self._memory: Mapping[str, str] = {}
        self.target = self._variable.target

    def summary(self, notification: Notification) -> str:
        """Return the text, or "" if there is no token to write it with."""
        return _text(notification) if notification.token else ""

    async def notify(self, notification: Notification) -> None:
        """Write the text.

        Raises:
            Transient, BearerRejected, SinkRejected, SinkFailed: As for ``TextVariable.set``.
        """
        if notification.token is not None:
            done = await self._variable.set(_text(notification), notification.token, self._memory)
            self._memory = done.memory


def _text(notification: Notification) -> str:
    if not isinstance(notification.event, RefreshFailed):
        return OK_TEXT
    words = (notification.event.message, notification.event.remedy)
    return ". ".join(word.removesuffix(".") for word in words if word)[:_MOST]
