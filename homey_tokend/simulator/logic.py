"""Logic variables of a pretend Homey: ``/api/manager/logic`` (docs/wire.md D)."""

from typing import Any

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.homey import guarded
from homey_tokend.simulator.household import TYPES, Homey, Json, fits
from homey_tokend.simulator.replies import as_json, plain_error

_READ = "homey.logic.readonly"
_WRITE = "homey.logic"


async def listed(call: Call) -> web.Response:
    """GET /variable: an object keyed by id."""
    homey = _entered(call, _READ)
    return as_json(homey.variables)


async def shown(call: Call) -> web.Response:
    """GET /variable/:id."""
    return as_json(_found(call, _entered(call, _READ)))


async def created(call: Call) -> web.Response:
    """POST /variable: flat name, type and value, all of them needed."""
    homey = _entered(call, _WRITE)
    body = _body(call)
    for key in ("name", "type", "value"):
        if key not in body:
            raise plain_error(400, "invalid_request", f"Missing parameter: {key}")
    if body["type"] not in TYPES:
        raise plain_error(400, "invalid_request", "Invalid type")
    _check_value(body["type"], body["value"])
    variable = homey.add_variable(call.world.chance, str(body["name"]), body["type"], body["value"])
    return as_json(variable)


async def updated(call: Call) -> web.Response:
    """PUT /variable/:id: flat value and name; a nested body changes nothing and is 200."""
    variable = _found(call, _entered(call, _WRITE))
    body = {key: value for key, value in _body(call).items() if key in ("value", "name")}
    if "value" in body:
        _check_value(variable["type"], body["value"])
    if "unchanged" not in call.bent:
        variable.update(body)
    return as_json(variable)


async def deleted(call: Call) -> web.Response:
    """DELETE /variable/:id."""
    homey = _entered(call, _WRITE)
    del homey.variables[_found(call, homey)["id"]]
    return as_json(None)


def _entered(call: Call, scope: str) -> Homey:
    homey, _ = guarded(call, scope)
    if call.switches.slash == "refused" and call.entry.path.endswith("/"):
        raise plain_error(404, "not_found", "Not found [not_found]")
    return homey


def _found(call: Call, homey: Homey) -> Json:
    variable = homey.variables.get(call.request.match_info["id"])
    if variable is None:
        raise plain_error(404, "not_found", "Variable not found [not_found]")
    return variable


def _body(call: Call) -> dict[str, Any]:
    body = call.entry.json
    if not isinstance(body, dict):
        raise plain_error(400, "invalid_request", "The body is no JSON object")
    return body


def _check_value(kind: str, value: object) -> None:
    """Refuse a value of another type; the real body is not known (docs/wire.md, "Open")."""
    if not fits(kind, value):
        raise plain_error(400, "invalid_request", f"Invalid value: expected {kind}")
