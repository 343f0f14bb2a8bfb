"""Logic variables over the Homey's web API, and what each response means.

Source: ``docs/wire.md``, section D and the last rows of the table of responses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote

from homey_tokend.athom.answers import parse_json, raise_for_common_failures
from homey_tokend.core.errors import BearerRejected, InvalidResponse, SinkFailed, SinkRejected
from homey_tokend.core.http_types import Repeat, Request, Response, Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.tokens import Token

_PATH = "/api/manager/logic/variable"
#: The longest id: a uuid has 36 characters, anything longer than this is none.
_ID_LIMIT = 200


def is_valid_id(value: object) -> bool:
    """Return whether a value can be one segment of a path."""
    return (
        isinstance(value, str)
        and 1 <= len(value) <= _ID_LIMIT
        and value.isprintable()
        and "/" not in value
        and value not in {".", ".."}
    )


@dataclass(frozen=True, slots=True)
class Variable:
    """A logic variable as the Homey describes it; only the id is checked."""

    id: str
    name: object
    type: object
    value: object


class VariablesApi:
    """The logic variables of one Homey, with one token.

    Every method raises:
        Transient: The Homey, or a server before it, failed.
        BearerRejected: 401.
        SinkRejected: 403, and other statuses that need a person.
        SinkFailed: Any other error.
    """

    def __init__(self, transport: Transport, token: Token) -> None:
        self._transport = transport
        self._token = token
        self._base = token.url + _PATH

    async def put(self, variable_id: str, value: str, *, slash: bool) -> Variable | None:
        """Set a variable and return it, or None on 404.

        A Homey answers 200 to a body that it does not understand and changes nothing: only
        the returned value shows whether it was set.
        """
        url = f"{self._base}/{quote(variable_id, safe='')}" + ("/" if slash else "")
        response = await self._send("PUT", url, {"value": value})
        if response.status == 404:
            return None
        return _one(self._success(response), variable_id)

    async def get(self, variable_id: str, *, slash: bool) -> Variable | None:
        """Return one variable, or None on 404."""
        url = f"{self._base}/{quote(variable_id, safe='')}" + ("/" if slash else "")
        response = await self._send("GET", url)
        return None if response.status == 404 else _one(self._success(response), variable_id)

    async def variables(self) -> Sequence[Variable]:
        """Return all variables; malformed entries are left out."""
        found = self._success(await self._send("GET", self._base))
        if isinstance(found, dict):
            entries = [_variable(key, entry) for key, entry in found.items()]
        elif isinstance(found, list):
            entries = [_variable(None, entry) for entry in found]
        else:
            raise _not_a_variable("neither an object nor a list of variables")
        return [entry for entry in entries if entry is not None]

    async def create(self, name: str, value: str) -> Variable:
        """Create a text variable; never retried after it was sent, so that there are not two."""
        body = {"name": name, "type": "string", "value": value}
        found = self._success(await self._send("POST", self._base, body, repeat=Repeat.UNSENT))
        return _one(found, None)

    async def _send(
        self, method: str, url: str, body: object = None, *, repeat: Repeat = Repeat.SAFE
    ) -> Response:
        request = Request(
            Step.VARIABLE, method, url, json=body, bearer=self._token.value, repeat=repeat
        )
        response = await self._transport.send(request)
        raise_for_common_failures(Step.VARIABLE, response)
        return response

    def _success(self, response: Response) -> object:
        if 200 <= response.status < 300:
            return parse_json(Step.VARIABLE, response)
        raise _error(response.status)


def _variable(key: object, entry: object) -> Variable | None:
    """Return the variable of an entry, whose id is its own or else its key."""
    if not isinstance(entry, dict):
        return None
    found = entry.get("id", key)
    if not isinstance(found, str) or not is_valid_id(found):
        return None
    return Variable(found, entry.get("name"), entry.get("type"), entry.get("value"))


def _one(found: object, variable_id: str | None) -> Variable:
    variable = _variable(variable_id, found)
    if variable is None:
        raise _not_a_variable("no variable")
    return variable


def _not_a_variable(what: str) -> InvalidResponse:
    return InvalidResponse(
        f"variable: the Homey answers with {what}", step=Step.VARIABLE, status=200
    )


def _error(status: int) -> BearerRejected | SinkRejected | SinkFailed:
    if status == 401:
        return BearerRejected(
            "the Homey does not take the bearer (401)", step=Step.VARIABLE, status=status
        )
    if status == 403:
        return SinkRejected(
            "the bearer may not write logic variables (403)",
            step=Step.VARIABLE,
            status=status,
            remedy="The API client needs the scope homey.logic, or homey, which covers it.",
        )
    if 400 <= status < 500 and status != 404:
        return SinkRejected(
            f"the Homey refuses the request about the variable ({status})",
            step=Step.VARIABLE,
            status=status,
            remedy="Is the variable a text variable?",
        )
    return SinkFailed(
        f"unknown answer about logic variables ({status})",
        step=Step.VARIABLE,
        status=status,
        remedy="Does the address lead to a Homey?",
    )
