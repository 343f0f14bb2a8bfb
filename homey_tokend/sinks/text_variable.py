"""A text variable of a Homey: find it by name or id, create it if allowed, and set it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.http_types import Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.redact import excerpt
from homey_tokend.core.tokens import DeliveryResult, Token
from homey_tokend.hub.variables import Variable, VariablesApi, is_valid_id

#: How many ids are listed if several variables have the same name.
_LISTED_IDS = 5


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to PUT: a variable's id, whether with a slash, and the name it must still have."""

    id: str
    slash: bool
    called: str | None


class TextVariable:
    """A text variable.

    Args:
        transport: Sends the requests.
        name: The variable's name, matched exactly; or None, with ``variable_id``.
        variable_id: The variable's id; or None, with ``name``.
        create: Whether a missing variable of that name is created.
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

    @property
    def target(self) -> str:
        """``logic_variable:`` and the name, or ``id=`` and the id."""
        return (
            f"logic_variable:{self._name}" if self._id is None else f"logic_variable:id={self._id}"
        )

    async def set(self, value: str, bearer: Token, memory: Mapping[str, str]) -> DeliveryResult:
        """Set the variable.

        1. If the id is configured or remembered: PUT, with the slash unless remembered
           otherwise. Done, unless there is no such variable (404) or it has
           been renamed.
        2. Read the list. None of the name: create it or fail. Two of the name, or another
           type: fail.
        3. PUT to the one found; on 404 once more with or without the slash.

        Args:
            value: The text.
            bearer: The token for the requests, and the Homey's address.
            memory: The ``memory`` of the last result.

        Raises:
            Transient: The Homey, or a server before it, failed.
            BearerRejected: 401; the token has to be verified.
            SinkRejected: A person is needed: scopes, type, name or id.
            SinkFailed: An unknown response.
        """
        hub = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is not None and await self._put(hub, known, value):
            return self._delivered(bearer, known, "written")
        found = await self._find(hub)
        if found is None:
            return self._delivered(bearer, await self._create_variable(hub, value), "created")
        habit = known.slash if known is not None else True
        for slash in (habit, not habit):
            place = _Place(found.id, slash, self._name)
            if place != known and await self._put(hub, place, value):
                return self._delivered(bearer, place, "written")
        raise SinkFailed(
            "the variable is in the Homey's list, and yet it is not found (404)",
            step=Step.VARIABLE,
            status=404,
        )

    async def holds(self, value: str, bearer: Token, memory: Mapping[str, str]) -> bool:
        """Return whether it still has this value and name; without a known id it is looked up.

        A missing one, or one of several of the name, counts as changed: setting it then
        reports what a person must do.

        Raises:
            Transient, BearerRejected, SinkRejected, SinkFailed: As in ``set``.
        """
        hub = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is None:
            every = await hub.variables()
            return [value] == [one.value for one in every if one.name == self._name]
        found = await hub.get(known.id, slash=known.slash)
        return found is not None and found.value == value and _is_called(found, known.called)

    async def look(self, bearer: Token) -> str:
        """Return in words where it would be set, without writing.

        Raises:
            Transient, BearerRejected, SinkRejected: As in ``set``.
        """
        found = await self._find(VariablesApi(self._transport, bearer))
        if found is None:
            return "is not there yet and will be created"
        return f"is there, a text variable with the id {found.id}"

    def _known(self, bearer: Token, memory: Mapping[str, str]) -> _Place | None:
        """Return the place as configured or remembered for this very variable."""
        ours = (memory.get("url"), memory.get("name")) == (bearer.url, self._name)
        slash = not (ours and memory.get("slash") == "no")
        if self._id is not None:
            return _Place(self._id, slash, None)
        remembered = memory.get("id")
        if not ours or remembered is None or not is_valid_id(remembered):
            return None
        return _Place(remembered, slash, memory.get("called", self._name))

    def _delivered(self, bearer: Token, place: _Place, act: str) -> DeliveryResult:
        memory = {"id": place.id, "url": bearer.url}
        if self._name is not None:
            memory["name"] = self._name
        if place.called is not None and place.called != self._name:
            memory["called"] = place.called
        if not place.slash:
            memory["slash"] = "no"
        return DeliveryResult(detail=f"{act} {place.id}", memory=memory)

    async def _put(self, hub: VariablesApi, place: _Place, value: str) -> bool:
        """Set the variable at a place; False: it is another one now."""
        try:
            echo = await hub.put(place.id, value, slash=place.slash)
        except SinkRejected as refusal:
            if refusal.status != 403:
                await self._find(hub)  # may raise a more precise error
            raise
        if echo is None:
            return False
        _require_value(echo, value)
        return _is_called(echo, place.called)

    async def _find(self, hub: VariablesApi) -> Variable | None:
        """Return the variable from the Homey's list; None if it must be created."""
        variables = await hub.variables()
        if self._id is not None:
            # A UUID may be configured in capitals; the Homey only accepts its own spelling.
            wanted = self._id.lower()
            fitting = [one for one in variables if one.id.lower() == wanted][:1]
        else:
            fitting = [one for one in variables if one.name == self._name]
        if len(fitting) > 1:
            raise _ambiguous(self._name, [one.id for one in fitting])
        if fitting:
            _require_text(fitting[0])
            return fitting[0]
        if self._id is not None or not self._create:
            raise self._missing()
        return None

    async def _create_variable(self, hub: VariablesApi, value: str) -> _Place:
        made = await hub.create(self._name or "", value)
        _require_value(made, value)
        # If the Homey stores another spelling of the name, do not create a second one next time.
        called = made.name if isinstance(made.name, str) else self._name
        return _Place(made.id, slash=True, called=called)

    def _missing(self) -> SinkRejected:
        if self._id is not None:
            return _rejected(
                f"the Homey has no logic variable with the id {self._id}",
                "Correct the id, or give the name instead.",
            )
        return _rejected(
            f"the Homey has no logic variable named {self._name}",
            "Make a text variable of that name, or set create: true.",
        )


def _is_called(variable: Variable, name: str | None) -> bool:
    """Return whether it still has this name; True if the name is unknown or does not matter."""
    return name is None or variable.name is None or variable.name == name


def _require_value(variable: Variable, value: str) -> None:
    if variable.value == value:
        return
    _require_text(variable)
    raise _rejected(
        "the Homey answered 200, and the variable holds something else",
        "Look at the variable in the Homey app; is it changed by a flow?",
    )


def _require_text(variable: Variable) -> None:
    if isinstance(variable.type, str) and variable.type != "string":
        raise _rejected(
            f"the logic variable {variable.id} is of the type {excerpt(variable.type)}",
            "A token needs a text variable (string); the type is fixed when it is made.",
        )


def _ambiguous(name: str | None, ids: Sequence[str]) -> SinkRejected:
    named = ", ".join(ids[:_LISTED_IDS]) + (", …" if len(ids) > _LISTED_IDS else "")
    return _rejected(
        f"the Homey has {len(ids)} logic variables named {name}",
        f"Give the id of the one to write, or delete the others: {named}.",
    )


def _rejected(message: str, remedy: str) -> SinkRejected:
    return SinkRejected(message, step=Step.VARIABLE, remedy=remedy)
