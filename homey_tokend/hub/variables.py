"""The logic variables of a Homey: four requests, and the meaning of their responses.

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
#: The longest id that is accepted; a UUID has 36 characters.
_ID_LIMIT = 200


def is_valid_id(value: object) -> bool:
    """Return whether a value can be used as one segment of a path."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= _ID_LIMIT
        and value.isprintable()
        and "/" not in value
        and value not in {".", ".."}
    )


def same_name(name: object, other: object) -> bool:
    """Return whether two names are equal, in any Unicode normal form."""
    if not (isinstance(name, str) and isinstance(other, str)):
        return name == other
    return unicodedata.normalize("NFC", name) == unicodedata.normalize("NFC", other)


def looks_like(name: object, other: object) -> bool:
    """Return whether two names look the same, and differ at most in blanks or invisible characters."""
    return isinstance(name, str) and isinstance(other, str) and _seen(name) == _seen(other)


def _seen(name: str) -> str:
    shown = (char for char in name if unicodedata.category(char) != "Cf")
    return " ".join(unicodedata.normalize("NFKC", "".join(shown)).split())


@dataclass(frozen=True, slots=True)
class Variable:
    """A logic variable as the Homey sends it; only the id is checked."""

    id: str
    name: object
    type: object
    value: object


class VariablesApi:
    """Read and write the logic variables of one Homey with one token.

    All methods can raise:
        Transient: The Homey, or a host in front of it, is unreachable or reports an error.
        BearerRejected: The status is 401.
        SinkRejected: The status is 403 or another 4xx.
        SinkFailed: The response is none of these.
    """

    def __init__(self, transport: Transport, token: Token) -> None:
        self._transport = transport
        self._token = token
        self._base = token.url + _PATH

    async def put(self, variable_id: str, value: str, *, slash: bool) -> Variable | None:
        """Set a variable; return the variable from the response, or None at 404.

        A Homey answers 200 even to a body that it does not understand, so only the returned value
        shows whether the variable was set.
        """
        response = await self._send("PUT", self._url(variable_id, slash=slash), {"value": value})
        return None if response.status == 404 else _one(_success(response), variable_id)

    async def get(self, variable_id: str, *, slash: bool) -> Variable | None:
        """Return one variable, or None at 404."""
        response = await self._send("GET", self._url(variable_id, slash=slash))
        return None if response.status == 404 else _one(_success(response), variable_id)

    async def variables(self) -> Sequence[Variable]:
        """Return all variables; malformed entries are left out."""
        found = _success(await self._send("GET", self._base))
        if isinstance(found, dict):
            entries = [_variable(key, entry) for key, entry in found.items()]
        elif isinstance(found, list):
            entries = [_variable(None, entry) for entry in found]
        else:
            raise _invalid("neither an object nor a list of variables")
        return [entry for entry in entries if entry is not None]

    async def create(self, name: str, value: str) -> Variable:
        """Create a text variable. The request is sent only once, so as not to create two."""
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
    # By the entry's own id, else by its key.
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
            "the bearer is not allowed to write logic variables (403)",
            step=step,
            status=status,
            remedy="The API client needs the scope homey.logic, or homey, which includes it.",
        )
    if 400 <= status < 500 and status != 404:
        raise SinkRejected(
            f"the Homey rejects the request for the variable ({status})",
            step=step,
            status=status,
            remedy="Check that it is a text variable.",
        )
    raise SinkFailed(
        f"unknown response to a request for logic variables ({status})",
        step=step,
        status=status,
        remedy="Check that the address is that of a Homey.",
    )
