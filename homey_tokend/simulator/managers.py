"""The other managers of a pretend Homey: what they tell, and the little that can be told to them.

Paths, methods and scopes are those of the vendor's specification files (npm homey-api,
``HomeyAPIV2.json`` and ``HomeyAPIV3Local.json``); what stands in the answers is invented.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from aiohttp import web

from homey_tokend.simulator.call import Call, Handler
from homey_tokend.simulator.homey import guarded, missing_method
from homey_tokend.simulator.household import Homey
from homey_tokend.simulator.replies import as_json, plain_error

_RESIDENT = "5f0c0000-0000-4000-8000-0000000000a1"
_ALARM = "5f0c0000-0000-4000-8000-0000000000a2"
_FLOW = "5f0c0000-0000-4000-8000-0000000000a3"
_FOLDER = "5f0c0000-0000-4000-8000-0000000000a4"
_IMAGE = "5f0c0000-0000-4000-8000-0000000000a5"
_ADVANCED = "5f0c0000-0000-4000-8000-0000000000a6"

_ALARMS = {_ALARM: {"id": _ALARM, "name": "Weekdays", "time": "06:45", "enabled": True}}
_APPS = {
    "com.example.lamps": {"id": "com.example.lamps", "name": "Lamps", "version": "1.4.0"},
    "com.fibaro": {"id": "com.fibaro", "name": "Fibaro", "version": "3.2.1"},
}
_FLOWS = {_FLOW: {"id": _FLOW, "name": "Good night", "enabled": True, "folder": _FOLDER}}
_USERS = {
    _RESIDENT: {"id": _RESIDENT, "name": "Resident", "role": "owner", "present": True},
}
_WHEN = "2027-01-15T08:00:00.000Z"


class Tell(NamedTuple):
    """A GET that is answered with one value.

    ``only`` names the one version of Homey that has it, 0 means all. With ``{id}`` in
    the path the value is an object, and one member of it is told.
    """

    path: str
    scope: str | None
    value: Any
    only: int = 0


TOLD: tuple[Tell, ...] = (
    Tell("/alarms/alarm", "homey.alarm.readonly", _ALARMS),
    Tell("/apps/app", "homey.app.readonly", _APPS),
    Tell("/apps/app/{id}", "homey.app.readonly", _APPS),
    Tell("/cloud/state", "homey.system.readonly", {"connected": True}),
    Tell("/drivers/driver", "homey.device.readonly", {}),
    Tell("/drivers/pairsession", "homey.device", {}, 2),
    Tell("/experiments/experiment", "homey.system", {}),
    Tell("/flow/flow", "homey.flow.readonly", _FLOWS),
    Tell("/flow/flow/{id}", "homey.flow.readonly", _FLOWS),
    Tell(
        "/flow/advancedflow",
        "homey.flow.readonly",
        {_ADVANCED: {"id": _ADVANCED, "name": "Heating", "enabled": True}},
    ),
    Tell(
        "/flow/flowfolder",
        "homey.flow.readonly",
        {_FOLDER: {"id": _FOLDER, "name": "Night", "parent": None}},
    ),
    Tell("/flowtoken/flowtoken", "homey.flow.readonly", {}),
    Tell("/images/image", "homey.device", {_IMAGE: {"id": _IMAGE, "lastUpdated": _WHEN}}),
    Tell("/insights/log", "homey.insights.readonly", []),
    Tell("/i18n/option/language", "homey.system.readonly", {"value": "en"}),
    Tell("/i18n/option/units", "homey.system.readonly", {"value": "metric"}),
    Tell("/ledring/screensaver", None, []),
    Tell("/ledring/state", "homey.system.readonly", {"animation": None}),
    Tell(
        "/geolocation/option/location",
        "homey.geolocation.readonly",
        {"value": {"latitude": 52.0, "longitude": 5.0, "accuracy": 100}},
    ),
    Tell("/mobile/summary", "homey.device.readonly", {"devices": 2, "flows": 1}, 2),
    Tell("/notifications/notification", "homey.notifications.readonly", {}),
    Tell("/notifications/owner", "homey.notifications.readonly", {}),
    Tell("/presence/{id}/present", "homey.presence.readonly", {_RESIDENT: {"value": True}}),
    Tell("/presence/{id}/asleep", "homey.presence.readonly", {_RESIDENT: {"value": False}}),
    Tell(
        "/system",
        "homey.system.readonly",
        {"homeyVersion": "13.2.4", "platform": "local", "uptime": 86_400, "hostname": "homey"},
    ),
    Tell("/system/memory", "homey.system.readonly", {"total": 512_000_000, "free": 128_000_000}),
    Tell("/system/storage", "homey.system.readonly", {"total": 4_000_000_000}),
    Tell("/users/user", "homey.user.readonly", _USERS),
    Tell("/users/user/{id}", "homey.user.readonly", _USERS),
    Tell("/users/state", "homey.user.readonly", {"users": 1}),
    Tell("/weather/weather", "homey.geolocation.readonly", {"temperature": 4.5, "state": "Clouds"}),
    Tell("/zigbee/state", "homey.system.readonly", {"nodes": {}}),
    Tell("/zwave/state", "homey.system.readonly", {"zw_state": {"nodes": [1, 5]}}),
    Tell("/zwave/log", "homey.system", []),
)


def telling(what: Tell) -> Handler:
    """Make the door for one line of the table."""

    async def answer(call: Call) -> web.Response:
        guarded(call, what.scope)
        if what.only not in {0, call.switches.api_version}:
            raise missing_method()
        if "{id}" not in what.path:
            return as_json(what.value)
        return as_json(_found(what.value, call.request.match_info["id"]))

    return answer


def one_of(things: Callable[[Homey], dict[str, Any]], scope: str) -> Handler:
    """Make a door that tells one of a Homey's own things by its id."""

    async def answer(call: Call) -> web.Response:
        homey, _ = guarded(call, scope)
        return as_json(_found(things(homey), call.request.match_info["id"]))

    return answer


async def triggered(call: Call) -> web.Response:
    """POST /api/manager/flow/flow/:id/trigger."""
    guarded(call, "homey.flow.start")
    _found(_FLOWS, call.request.match_info["id"])
    return as_json(None)


async def rebooted(call: Call) -> web.Response:
    """POST /api/manager/system/reboot: nothing comes of it but the journal's line."""
    guarded(call, "homey.system")
    return as_json(None)


async def commanded(call: Call) -> web.Response:
    """POST /api/manager/zwave/command with ``{"command": text, "opts": ...}``."""
    guarded(call, "homey.system")
    body = call.entry.json
    if not isinstance(body, dict) or not isinstance(body.get("command"), str):
        raise plain_error(400, "invalid_request", "Missing parameter: command")
    return as_json(None)


def _found(things: dict[str, Any], name: str) -> Any:
    if name not in things:
        raise plain_error(404, "not_found", "Not found [not_found]")
    return things[name]
