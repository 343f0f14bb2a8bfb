"""The token in a logic variable of the Homey (``docs/sinks.md``, "logic_variable")."""

from collections.abc import Mapping
from dataclasses import replace

from homey_tokend.core.ports import Transport
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery, DeliveryResult, Token
from homey_tokend.sinks.text_variable import TextVariable

#: What is remembered of the variable that tells the end begins with this.
_END = "expires_"


class LogicVariableSink:
    """Sets a text variable to the fresh token, and another to its end where that is wanted.

    Args:
        transport: What sends the requests.
        name: The variable's name, matched exactly; or None, with ``variable_id``.
        variable_id: The variable's id; or None, with ``name``.
        create: Whether variables are made where there are none.
        expires: The name of the text variable that tells when the token ends, or None.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        name: str | None,
        variable_id: str | None,
        create: bool,
        expires: str | None = None,
    ) -> None:
        self._token = TextVariable(transport, name=name, variable_id=variable_id, create=create)
        self._expires = (
            None
            if expires is None
            else TextVariable(transport, name=expires, variable_id=None, create=create)
        )

    @property
    def target(self) -> str:
        """``logic_variable:`` and the name, or ``id=`` and the id."""
        return self._token.target

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Set the variable to the token; then the other to its end.

        In this order a flow sees for a moment a token with an end that is too early, and
        never one that is too late.

        Raises:
            Transient: the Homey, or what stands before it, is in trouble.
            BearerRejected: 401; the keeper looks into it.
            SinkRejected: a person is needed: scopes, type, name or id.
            SinkFailed: an answer nobody knows.
        """
        token = delivery.token
        done = await self._token.set(token.value.reveal(), token, delivery.memory)
        if self._expires is None:
            return done
        known = _of_the_end(delivery.memory)
        end = await self._expires.set(rfc3339(token.expires_at), token, known)
        return replace(
            done, memory={**done.memory, **{_END + key: one for key, one in end.memory.items()}}
        )

    async def check(self, delivery: Delivery) -> bool:
        """Whether the variable still holds the token; a person or a flow may have changed it.

        And the other its end, which may be wanted since the configuration was changed.

        Raises:
            Transient, BearerRejected, SinkRejected, SinkFailed: as ``write``.
        """
        token = delivery.token
        held = await self._token.holds(token.value.reveal(), token, delivery.memory)
        if not held or self._expires is None:
            return held
        known = _of_the_end(delivery.memory)
        return await self._expires.holds(rfc3339(token.expires_at), token, known)

    async def look(self, token: Token) -> str:
        """Where a write would go, found without writing; in words for a person.

        Raises:
            Transient, BearerRejected, SinkRejected: as ``write``.
        """
        told = await self._token.look(token)
        if self._expires is None:
            return told
        return f"{told}; {self._expires.target} {await self._expires.look(token)}"


def _of_the_end(memory: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(_END): one for key, one in memory.items() if key.startswith(_END)}
