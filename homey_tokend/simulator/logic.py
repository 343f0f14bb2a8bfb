"""Logic variables of a simulated Homey: ``/api/manager/logic`` (docs/wire.md D)."""

from typing import Any

from aiohttp import web

from homey_tokend.simulator.homey import authorize
from homey_tokend.simulator.homey_state import TYPES, Json, SimulatedHomey, has_type
from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import error, find, json_response

_READ = "homey.logic.readonly"
_WRITE = "homey.logic"


async def list_variables(context: RequestContext) -> web.Response:
    """GET /variable: an object keyed by id."""
    return json_response(_homey(context, _READ).variables)


async def get_variable(context: RequestContext) -> web.Response:
    """GET /variable/:id."""
    return json_response(_variable(context, _homey(context, _READ)))


async def create_variable(context: RequestContext) -> web.Response:
    """POST /variable: flat name, type and value, all of them required."""
    homey = _homey(context, _WRITE)
    body = _body(context)
    for key in ("name", "type", "value"):
        if key not in body:
            raise error(400, "invalid_request", f"Missing parameter: {key}")
    if body["type"] not in TYPES:
        raise error(400, "invalid_request", "Invalid type")
    _check_value(body["type"], body["value"])
    name = str(body["name"])
    return json_response(
        homey.add_variable(context.state.random, name, body["type"], body["value"])
    )


async def update_variable(context: RequestContext) -> web.Response:
    """PUT /variable/:id: flat value and name; a nested body gets 200 and changes nothing."""
    variable = _variable(context, _homey(context, _WRITE))
    body = {key: value for key, value in _body(context).items() if key in ("value", "name")}
    if "value" in body:
        _check_value(variable["type"], body["value"])
    if "unchanged" not in context.modifiers:
        variable.update(body)
    return json_response(variable)


async def delete_variable(context: RequestContext) -> web.Response:
    """DELETE /variable/:id."""
    homey = _homey(context, _WRITE)
    del homey.variables[_variable(context, homey)["id"]]
    return json_response(None)


def _homey(context: RequestContext, scope: str) -> SimulatedHomey:
    homey, _ = authorize(context, scope)
    if context.switches.slash == "refused" and context.received.path.endswith("/"):
        raise error(404, "not_found", "Not found [not_found]")
    return homey


def _variable(context: RequestContext, homey: SimulatedHomey) -> Json:
    return find(homey.variables, context.request.match_info["id"], "Variable not found")


def _body(context: RequestContext) -> dict[str, Any]:
    body = context.received.json
    if not isinstance(body, dict):
        raise error(400, "invalid_request", "The body is not a JSON object")
    return body


def _check_value(type_: str, value: object) -> None:
    """Require a value of the type; the real body is not known (docs/wire.md, "Open")."""
    if not has_type(value, type_):
        raise error(400, "invalid_request", f"Invalid value: expected {type_}")
