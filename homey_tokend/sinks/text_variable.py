"""One text variable of a Homey: found by name or id, made where it may be, and set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from homey_tokend.core.errors import SinkFailed, SinkRejected
from homey_tokend.core.http_types import Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.redact import excerpt
from homey_tokend.core.tokens import DeliveryResult, Token
from homey_tokend.hub.variables import Variable, VariablesApi, is_valid_id

#: How many ids are named of variables that have one name?
_NAMED = 5


@dataclass(frozen=True, slots=True)
class _Place:
    """Where to PUT: a variable's id, whether with a slash, and the name it must still have."""

    id: str
    slash: bool
    called: str | None


class TextVariable:
    """A text variable.

    Args:
        transport: What sends the requests.
        name: The variable's name, matched exactly; or None, with ``variable_id``.
        variable_id: The variable's id; or None, with ``name``.
        create: Whether a variable of that name is made where there is none.
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

        1. The id is configured or remembered: PUT, with the slash unless remembered
           otherwise. Done, unless there is no such variable (404) or it has
           been renamed.
        2. Read the list. None there: create it, or refuse. Two of the name: refuse.
           No text variable: refuse.
        3. PUT to the one that is there; at 404 the other way with the slash.

        Args:
            value: The text.
            bearer: The token that is asked with, and the Homey's address.
            memory: What came of the last time.

        Raises:
            Transient: the Homey, or what stands before it, is in trouble.
            BearerRejected: 401; the keeper looks into it.
            SinkRejected: a person is needed: scopes, type, name or id.
            SinkFailed: an answer nobody knows.
        """
        hub = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is not None and await self._put(hub, known, value):
            return self._delivered(bearer, known, "written")
        found = await self._find(hub)
        if found is None:
            return self._delivered(bearer, await self._made(hub, value), "created")
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
        """Whether it still has this value and name; it is looked up where it is not known which.

        One that is not there, or one of several of the name, is not in place: setting it
        tells what a person must do.

        Raises:
            Transient, BearerRejected, SinkRejected, SinkFailed: as ``set``.
        """
        hub = VariablesApi(self._transport, bearer)
        known = self._known(bearer, memory)
        if known is None:
            every = await hub.variables()
            return [value] == [one.value for one in every if one.name == self._name]
        found = await hub.get(known.id, slash=known.slash)
        return found is not None and found.value == value and _is_called(found, known.called)

    async def look(self, bearer: Token) -> str:
        """Where it would be set, found without writing; in words for a person.

        Raises:
            Transient, BearerRejected, SinkRejected: as ``set``.
        """
        found = await self._find(VariablesApi(self._transport, bearer))
        if found is None:
            return "is not there yet and will be created"
        return f"is there, a text variable with the id {found.id}"

    def _known(self, bearer: Token, memory: Mapping[str, str]) -> _Place | None:
        """The place as configured or remembered; what was remembered of another is not used."""
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
        """Whether the variable of this place took the value; False: look for another."""
        try:
            echo = await hub.put(place.id, value, slash=place.slash)
        except SinkRejected as refusal:
            if refusal.status != 403:
                await self._find(hub)  # which may tell plainly what is wrong
            raise
        if echo is None:
            return False
        _must_hold(echo, value)
        return _is_called(echo, place.called)

    async def _find(self, hub: VariablesApi) -> Variable | None:
        """The variable in the Homey's list; None where it is to be made."""
        variables = await hub.variables()
        if self._id is not None:
            # A UUID may be written in capitals; the Homey's own spelling is what it takes.
            wanted = self._id.lower()
            fitting = [one for one in variables if one.id.lower() == wanted][:1]
        else:
            fitting = [one for one in variables if one.name == self._name]
        if len(fitting) > 1:
            raise _ambiguous(self._name, [one.id for one in fitting])
        if fitting:
            _must_be_text(fitting[0])
            return fitting[0]
        if self._id is not None or not self._create:
            raise self._missing()
        return None

    async def _made(self, hub: VariablesApi, value: str) -> _Place:
        made = await hub.create(self._name or "", value)
        _must_hold(made, value)
        # A Homey that spells the name in its own way must not get a second one next time.
        called = made.name if isinstance(made.name, str) else self._name
        return _Place(made.id, slash=True, called=called)

    def _missing(self) -> SinkRejected:
        if self._id is not None:
            return _refused(
                f"the Homey has no logic variable with the id {self._id}",
                "Correct the id, or give the name instead.",
            )
        return _refused(
            f"the Homey has no logic variable named {self._name}",
            "Make a text variable of that name, or set create: true.",
        )


def _is_called(variable: Variable, name: str | None) -> bool:
    """Whether it still has this name; yes where the Homey does not tell, or any will do."""
    return name is None or variable.name is None or variable.name == name


def _must_hold(variable: Variable, value: str) -> None:
    if variable.value == value:
        return
    _must_be_text(variable)
    raise _refused(
        "the Homey answered 200, and the variable holds something else",
        "Look at the variable in the Homey app; is it changed by a flow?",
    )


def _must_be_text(variable: Variable) -> None:
    if isinstance(variable.type, str) and variable.type != "string":
        raise _refused(
            f"the logic variable {variable.id} is of the type {excerpt(variable.type)}",
            "A token needs a text variable (string); the type is fixed when it is made.",
        )


def _ambiguous(name: str | None, ids: Sequence[str]) -> SinkRejected:
    named = ", ".join(ids[:_NAMED]) + (", …" if len(ids) > _NAMED else "")
    return _refused(
        f"the Homey has {len(ids)} logic variables named {name}",
        f"Give the id of the one to write, or delete the others: {named}.",
    )


def _refused(message: str, remedy: str) -> SinkRejected:
    return SinkRejected(message, step=Step.VARIABLE, remedy=remedy)
