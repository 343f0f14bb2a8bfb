"""The token in a logic variable of the Homey (``docs/sinks.md``, "logic_variable")."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.http_types import Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.redact import excerpt
from homey_tokend.core.timefmt import rfc3339
from homey_tokend.core.tokens import Delivery, DeliveryResult, Token
from homey_tokend.hub.variables import (
    Variable,
    VariablesApi,
    is_valid_id,
    looks_like,
    same_name,
)

#: The most ids that a message lists if several variables have the same name.
_LISTED_IDS = 5
#: The prefix of the keys that the expiry's variable has in the sink's memory.
_EXPIRES = "expires_"


@dataclass(frozen=True, slots=True)
class _Address:
    """Where to PUT: the id, whether with a trailing slash, and the name that it must still have."""

    id: str
    slash: bool
    name: str | None


class TextVariable:
    """A text variable of a Homey: find it by name or id, create it if allowed, and set it.

    All methods raise Transient, BearerRejected, SinkRejected or SinkFailed.

    Args:
        transport: Sends the requests.
        name: The variable's name, matched exactly, in any Unicode normal form; None with
            ``variable_id``.
        variable_id: The variable's id; None with ``name``.
        create: Whether to create a missing variable of that name.
    """

    def __init__(
        self, transport: Transport, *, name: str | None, variable_id: str | None, create: bool
    ) -> None:
        if (name is None) == (variable_id is None):
            raise ValueError("exactly one of name and variable_id")
        self._transport = transport
        self._name = name
        self._id = variable_id
        self._create = create
        self.target = f"logic_variable:{name if variable_id is None else f'id={variable_id}'}"

    async def set(self, value: str, bearer: Token, memory: Mapping[str, str]) -> DeliveryResult:
        """Set the variable.

        1. If the id is configured or remembered, PUT, with a trailing slash unless remembered
           otherwise. This suffices unless the variable does not exist (404) or was renamed.
        2. Read the list. If no variable has the name, create it or fail. If several have it, or
           it has another type, fail.
        3. PUT to the variable found; after 404 once more with or without the slash.

        Args:
            value: The text.
            bearer: The token for the requests, with the Homey's address.
            memory: The ``memory`` of the last result.
        """
        api = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is not None and await self._put(api, known, value):
            return self._result(bearer, known, "written")
        found = await self._find(api)
        if found is None:
            return self._result(bearer, await self._make(api, value), "created")
        usual = known.slash if known is not None else True
        for slash in (usual, not usual):
            address = _Address(found.id, slash, self._name)
            if address != known and await self._put(api, address, value):
                return self._result(bearer, address, "written")
        raise SinkFailed(
            "the variable is in the Homey's list, but is not found (404)",
            step=Step.VARIABLE,
            status=404,
        )

    async def holds(self, value: str, bearer: Token, memory: Mapping[str, str]) -> bool:
        """Return whether it still has this value and name; without a known id, look it up.

        A missing variable, or several of the name, count as changed; setting it then reports what
        a person has to do.
        """
        api = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is None:
            found = await api.variables()
            return [value] == [one.value for one in self._called(found)]
        variable = await api.get(known.id, slash=known.slash)
        return variable is not None and variable.value == value and _named(variable, known.name)

    async def describe(self, bearer: Token) -> str:
        """Return a text on the variable's state, without changing it."""
        found = await self._find(VariablesApi(self._transport, bearer))
        if found is None:
            return "does not exist yet and will be created"
        return f"is a text variable with the id {found.id}"

    def _known(self, bearer: Token, memory: Mapping[str, str]) -> _Address | None:
        """Return the configured or remembered address; a memory of another variable is ignored."""
        ours = (memory.get("url"), memory.get("name")) == (bearer.url, self._name)
        slash = not (ours and memory.get("slash") == "no")
        if self._id is not None:
            return _Address(self._id, slash, None)
        remembered = memory.get("id")
        if not ours or remembered is None or not is_valid_id(remembered):
            return None
        return _Address(remembered, slash, memory.get("called", self._name))

    def _result(self, bearer: Token, address: _Address, act: str) -> DeliveryResult:
        memory = {"id": address.id, "url": bearer.url}
        if self._name is not None:
            memory["name"] = self._name
        if address.name is not None and address.name != self._name:
            memory["called"] = address.name
        if not address.slash:
            memory["slash"] = "no"
        return DeliveryResult(detail=f"{act} {address.id}", memory=memory)

    async def _put(self, api: VariablesApi, address: _Address, value: str) -> bool:
        """Set the variable at an address; return False if it does not exist or was renamed."""
        try:
            echo = await api.put(address.id, value, slash=address.slash)
        except SinkRejected as rejection:
            if rejection.status != 403:
                await self._find(api)  # may raise a more precise error
            raise
        if echo is None:
            return False
        _require_value(echo, value)
        return _named(echo, address.name)

    async def _find(self, api: VariablesApi) -> Variable | None:
        """Return the variable from the Homey's list; None if it must be created."""
        variables = await api.variables()
        if self._id is not None:
            # A UUID may be configured in capitals; the Homey only accepts its own spelling.
            wanted = self._id.lower()
            fitting = [one for one in variables if one.id.lower() == wanted][:1]
        else:
            fitting = self._called(variables)
        if len(fitting) > 1:
            named = ", ".join(one.id for one in fitting[:_LISTED_IDS])
            more = ", …" if len(fitting) > _LISTED_IDS else ""
            raise _rejected(
                f"the Homey has {len(fitting)} logic variables named {self._name}",
                f"Give the id of the one to write, or delete the others: {named}{more}.",
            )
        if fitting:
            _require_text(fitting[0])
            return fitting[0]
        if self._id is not None:
            raise _rejected(
                f"the Homey has no logic variable with the id {self._id}",
                "Correct the id, or give the name instead.",
            )
        if not self._create:
            raise _rejected(
                f"the Homey has no logic variable named {self._name}",
                "Create a text variable of that name, or set create: true.",
            )
        if alike := [one.id for one in variables if looks_like(one.name, self._name)]:
            raise _rejected(
                f"the Homey has no logic variable named {self._name}, but one that looks the same",
                f"Give its id, or rename it: {alike[0]}. The names differ in blanks or invisible"
                " characters.",
            )
        return None

    def _called(self, variables: Sequence[Variable]) -> list[Variable]:
        """Return the variables with the name: exactly, else in any Unicode normal form."""
        exact = [one for one in variables if one.name == self._name]
        return exact or [one for one in variables if same_name(one.name, self._name)]

    async def _make(self, api: VariablesApi, value: str) -> _Address:
        made = await api.create(self._name or "", value)
        _require_value(made, value)
        # The name as the Homey stored it, so that a different spelling does not create a second one.
        name = made.name if isinstance(made.name, str) else self._name
        return _Address(made.id, slash=True, name=name)


class LogicVariableSink:
    """Set a text variable to the new token, and another one to its expiry if configured.

    All methods raise what ``TextVariable`` raises.

    Args:
        transport, name, variable_id, create: As for ``TextVariable``.
        expires: The name of the text variable for the token's expiry, or None.
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
        self._expires = expires and TextVariable(
            transport, name=expires, variable_id=None, create=create
        )
        self.target = self._token.target
        self.reports_expiry = expires is not None

    async def write(self, delivery: Delivery) -> DeliveryResult:
        """Set the variable to the token, then the other one to its expiry.

        In this order a flow may see a new token with an expiry that is too early, but never an
        old one with an expiry that is too late.
        """
        token = delivery.token
        done = await self._token.set(token.value.reveal(), token, delivery.memory)
        if not self._expires:
            return done
        memory = _expires_memory(delivery.memory)
        expiry = await self._expires.set(rfc3339(token.expires_at), token, memory)
        added = {_EXPIRES + key: value for key, value in expiry.memory.items()}
        return replace(done, memory={**done.memory, **added})

    async def check(self, delivery: Delivery) -> bool:
        """Return whether both variables are as they were written, and as configured now."""
        token = delivery.token
        held = await self._token.holds(token.value.reveal(), token, delivery.memory)
        if not held or not self._expires:
            return held
        memory = _expires_memory(delivery.memory)
        return await self._expires.holds(rfc3339(token.expires_at), token, memory)

    async def describe(self, token: Token) -> str:
        """Return a text on the state of both variables, without changing them."""
        words = await self._token.describe(token)
        if not self._expires:
            return words
        return f"{words}; {self._expires.target} {await self._expires.describe(token)}"


def _expires_memory(memory: Mapping[str, str]) -> dict[str, str]:
    return {
        key.removeprefix(_EXPIRES): value
        for key, value in memory.items()
        if key.startswith(_EXPIRES)
    }


def _named(variable: Variable, name: str | None) -> bool:
    """Return whether a variable has this name; True if either name is unknown."""
    return name is None or variable.name is None or same_name(variable.name, name)


def _require_value(variable: Variable, value: str) -> None:
    if variable.value == value:
        return
    _require_text(variable)
    raise _rejected(
        "the Homey answered 200, but the variable has another value",
        "Check in the Homey app whether a flow changes the variable.",
    )


def _require_text(variable: Variable) -> None:
    if isinstance(variable.type, str) and variable.type != "string":
        raise _rejected(
            f"the logic variable {variable.id} has the type {excerpt(variable.type)}",
            "Use a text variable (string); the type of a variable cannot be changed.",
        )


def _rejected(message: str, remedy: str) -> SinkRejected:
    return SinkRejected(message, step=Step.VARIABLE, remedy=remedy)
