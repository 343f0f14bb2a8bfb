"""Logic variables over the Homey web API: four requests, and what their answers mean.

Source: ``docs/wire.md``, section D and the last rows of the classification of responses.
"""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from homey_tokend.athom.flow import parse_json, raise_for_common_failures
from homey_tokend.core.errors import BearerRejected, InvalidResponse, SinkFailed, SinkRejected
from homey_tokend.core.http_types import Repeat, Request, Response, Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.tokens import Token

_PATH = "/api/manager/logic/variable"
#: How long may an id be? A uuid has 36 characters; beyond this it is no id.
_ID_LIMIT = 200


def is_valid_id(value: object) -> bool:
    """Return whether a value can stand as one segment of a path."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= _ID_LIMIT
        and value.isprintable()
        and "/" not in value
        and value not in {".", ".."}
    )


def same_name(name: object, other: object) -> bool:
    """Return whether two names are one: the same characters, however Unicode composes them."""
    if not (isinstance(name, str) and isinstance(other, str)):
        return name == other
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)


def looks_like(name: object, other: object) -> bool:
    """Return whether two names cannot be told apart by eye: by blanks, by what is not shown."""
    return isinstance(name, str) and isinstance(other, str) and _seen(name) == _seen(other)


def _seen(name: str) -> str:
    shown = (char for char in name if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", "".join(shown)).split())


@dataclass(frozen=True, slots=True)
class Variable:
    """A logic variable as the Homey sends it; only the id is sure to be well-formed."""

    id: str
    name: object
    type: object
    value: object


class VariablesApi:
    """The logic variables of one Homey, by one token.

    Every method raises, besides what it names:
        Transient: the Homey, or what stands before it, is in trouble.
        BearerRejected: 401.
        SinkRejected: 403 and other 4xx.
        SinkFailed: an answer that none of these is.
    """

    def __init__(self, transport: Transport, token: Token) -> None:
        self._transport = transport
        self._token = token
        self._base = token.url + _PATH

    async def put(self, variable_id: str, value: str, *, slash: bool) -> Variable | None:
        """Set a variable; return it as it is after that, or None at 404.

        A Homey answers 200 to a body that it does not understand and changes
        nothing: only the value that comes back tells.
        """
        response = await self._send("PUT", self._url(variable_id, slash=slash), {"value": value})
        return None if response.status == 404 else _one(_success(response), variable_id)

    async def get(self, variable_id: str, *, slash: bool) -> Variable | None:
        """Return one variable, or None at 404."""
        response = await self._send("GET", self._url(variable_id, slash=slash))
        return None if response.status == 404 else _one(_success(response), variable_id)

    async def variables(self) -> Sequence[Variable]:
        """Return all variables; entries of another shape are left out."""
        found = _success(await self._send("GET", self._base))
        if isinstance(found, dict):
            entries = [_variable(key, entry) for key, entry in found.items()]
        elif isinstance(found, list):
            entries = [_variable(None, entry) for entry in found]
        else:
            raise _invalid("neither an object nor a list of variables")
        return [entry for entry in entries if entry is not None]

    async def create(self, name: str, value: str) -> Variable:
        """Make a text variable of this value. Sent once, so that it is never doubled."""
        body = {"name": name, "type": "string", "value": value}
        response = await self._send("POST", self._base, body, repeat=Repeat.UNSENT)
        return _one(_success(response), None)

    def _url(self, variable_id: str, *, slash: bool) -> str:
        return f"{self._base}/{quote(variable_id, safe='')}" + ("/" if slash else "")

    async def _send(
        self, method: str, url: str, body: object = None, *, repeat: Repeat = Repeat.SAFE
    ) -> Response:
        request = Request(
            Step.VARIABLE, method, url, json=body, bearer=self._token.value, repeat=repeat
        )
        response = await self._transport.send(request)
        raise_for_common_failures(Step.VARIABLE, response)
        return response


def _variable(key: object, entry: object) -> Variable | None:
    # The entry's own id counts, else the key it stands under.
    if not isinstance(entry, dict):
        return None
    found = entry.get("id", key)
    if not isinstance(found, str) or not is_valid_id(found):
        return None
    return Variable(found, entry.get("name"), entry.get("type"), entry.get("value"))


def _one(found: object, variable_id: str | None) -> Variable:
    variable = _variable(variable_id, found)
    if variable is None:
        raise _invalid("no variable")
    return variable


def _invalid(what: str) -> InvalidResponse:
    text = f"variable: the Homey answers with {what}"
    return InvalidResponse(text, step=Step.VARIABLE, status=200)


def _success(response: Response) -> object:
    step, status = Step.VARIABLE, response.status
    if 200 <= status < 300:
        return parse_json(step, response)
    if status == 401:
        message = "the Homey does not accept the bearer (401)"
        raise BearerRejected(message, step=step, status=status)
    if status == 403:
        raise SinkRejected(
            "the bearer may not write logic variables (403)",
            step=step,
            status=status,
            remedy="The API client needs the scope homey.logic, or homey, which covers it.",
        )
    if 400 <= status < 500 and status != 404:
        raise SinkRejected(
            f"the Homey rejects the request about the variable ({status})",
            step=step,
            status=status,
            remedy="Is the variable a text variable?",
        )
    raise SinkFailed(
        f"unknown answer about logic variables ({status})",
        step=step,
        status=status,
        remedy="Does the address lead to a Homey?",
    )
