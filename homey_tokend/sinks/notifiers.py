"""How refreshing goes, in a text variable of the Homey (``docs/sinks.md``, "logic_variable")."""

from collections.abc import Mapping

from homey_tokend.core.events import RefreshFailed
from homey_tokend.core.ports import Notification, Transport
from homey_tokend.sinks.text_variable import TextVariable

#: What the variable holds while all is well.
OK_TEXT = "ok"
#: How long may its text be? It is read on a phone.
_LONGEST = 500


class StateVariableNotifier:
    """Sets a text variable to "ok", or to the plain words of the trouble.

    It is written with the held token: once that has ended there is nothing to write with.

    Args:
        transport: What sends the requests.
        name: The variable's name, matched exactly.
        create: Whether it is made where there is none.
    """

    def __init__(self, transport: Transport, *, name: str, create: bool) -> None:
        self._variable = TextVariable(transport, name=name, variable_id=None, create=create)
        self._found: Mapping[str, str] = {}

    @property
    def target(self) -> str:
        """As the sink's of the same variable."""
        return self._variable.target

    def news(self, notice: Notification) -> str:
        """The text to write; nothing where no token is held to write it with."""
        return _text(notice) if notice.token else ""

    async def hear(self, notice: Notification) -> None:
        """Write the text.

        Raises:
            Transient, BearerRejected, SinkRejected, SinkFailed: as for ``TextVariable.set``.
        """
        if notice.token is not None:
            done = await self._variable.set(_text(notice), notice.token, self._found)
            self._found = done.memory


def _text(notice: Notification) -> str:
    if not isinstance(notice.happened, RefreshFailed):
        return OK_TEXT
    words = (notice.happened.message, notice.happened.remedy)
    return ". ".join(word.removesuffix(".") for word in words if word)[:_LONGEST]
