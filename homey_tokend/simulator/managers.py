"""The other managers of a simulated Homey: devices, zones, and a little of the rest.

Paths, methods and scopes are those of the vendor's specification files (npm homey-api,
``HomeyAPIV2.json`` and ``HomeyAPIV3Local.json``); the values are invented.
"""

from typing import Any, NamedTuple

from aiohttp import web

from homey_tokend.simulator.homey import authorize, require_version
from homey_tokend.simulator.homey_state import Json, SimulatedHomey, has_type, timestamp
from homey_tokend.simulator.requests import Handler, RequestContext
from homey_tokend.simulator.responses import error, find, json_response

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
_UPDATED = "2027-01-15T08:00:00.000Z"


class FixedValue(NamedTuple):
    """A GET that returns a fixed value.

    Args:
        path: Below ``/api/manager``; with ``{id}`` in it the value is an object, one
            member of which is returned.
        scope: The required scope.
        value: What is returned.
        version: The only version of Homey that has it; None: all.
    """

    path: str
    scope: str | None
    value: Any
    version: int | None = None


FIXED_VALUES: tuple[FixedValue, ...] = (
    FixedValue("/alarms/alarm", "homey.alarm.readonly", _ALARMS),
    FixedValue("/apps/app", "homey.app.readonly", _APPS),
    FixedValue("/apps/app/{id}", "homey.app.readonly", _APPS),
    FixedValue("/cloud/state", "homey.system.readonly", {"connected": True}),
    FixedValue("/drivers/driver", "homey.device.readonly", {}),
    FixedValue("/drivers/pairsession", "homey.device", {}, 2),
    FixedValue("/experiments/experiment", "homey.system", {}),
    FixedValue("/flow/flow", "homey.flow.readonly", _FLOWS),
    FixedValue("/flow/flow/{id}", "homey.flow.readonly", _FLOWS),
    FixedValue(
        "/flow/advancedflow",
        "homey.flow.readonly",
        {_ADVANCED: {"id": _ADVANCED, "name": "Heating", "enabled": True}},
    ),
    FixedValue(
        "/flow/flowfolder",
        "homey.flow.readonly",
        {_FOLDER: {"id": _FOLDER, "name": "Night", "parent": None}},
    ),
    FixedValue("/flowtoken/flowtoken", "homey.flow.readonly", {}),
    FixedValue("/images/image", "homey.device", {_IMAGE: {"id": _IMAGE, "lastUpdated": _UPDATED}}),
    FixedValue("/insights/log", "homey.insights.readonly", []),
    FixedValue("/i18n/option/language", "homey.system.readonly", {"value": "en"}),
    FixedValue("/i18n/option/units", "homey.system.readonly", {"value": "metric"}),
    FixedValue("/ledring/screensaver", None, []),
    FixedValue("/ledring/state", "homey.system.readonly", {"animation": None}),
    FixedValue(
        "/geolocation/option/location",
        "homey.geolocation.readonly",
        {"value": {"latitude": 52.0, "longitude": 5.0, "accuracy": 100}},
    ),
    FixedValue("/mobile/summary", "homey.device.readonly", {"devices": 2, "flows": 1}, 2),
    FixedValue("/notifications/notification", "homey.notifications.readonly", {}),
    FixedValue("/notifications/owner", "homey.notifications.readonly", {}),
    FixedValue("/presence/{id}/present", "homey.presence.readonly", {_RESIDENT: {"value": True}}),
    FixedValue("/presence/{id}/asleep", "homey.presence.readonly", {_RESIDENT: {"value": False}}),
    FixedValue(
        "/system",
        "homey.system.readonly",
        {"homeyVersion": "13.2.4", "platform": "local", "uptime": 86_400, "hostname": "homey"},
    ),
    FixedValue(
        "/system/memory", "homey.system.readonly", {"total": 512_000_000, "free": 128_000_000}
    ),
    FixedValue("/system/storage", "homey.system.readonly", {"total": 4_000_000_000}),
    FixedValue("/users/user", "homey.user.readonly", _USERS),
    FixedValue("/users/user/{id}", "homey.user.readonly", _USERS),
    FixedValue("/users/state", "homey.user.readonly", {"users": 1}),
    FixedValue(
        "/weather/weather", "homey.geolocation.readonly", {"temperature": 4.5, "state": "Clouds"}
    ),
    FixedValue("/zigbee/state", "homey.system.readonly", {"nodes": {}}),
    FixedValue("/zwave/state", "homey.system.readonly", {"zw_state": {"nodes": [1, 5]}}),
    FixedValue("/zwave/log", "homey.system", []),
)


def fixed_value_handler(fixed: FixedValue) -> Handler:
    """Return the handler of a fixed value."""

    async def handler(context: RequestContext) -> web.Response:
        authorize(context, fixed.scope)
        require_version(context, fixed.version)
        if "{id}" not in fixed.path:
            return json_response(fixed.value)
        return json_response(find(fixed.value, context.request.match_info["id"]))

    return handler


async def list_devices(context: RequestContext) -> web.Response:
    """GET /devices/device: an object keyed by id."""
    homey, _ = authorize(context, "homey.device.readonly")
    return json_response(homey.devices)


async def get_device(context: RequestContext) -> web.Response:
    """GET /devices/device/:id."""
    homey, _ = authorize(context, "homey.device.readonly")
    return json_response(_device(context, homey))


async def get_capability(context: RequestContext) -> web.Response:
    """GET /devices/device/:id/capability/:capability, which version 2 does not have."""
    homey, _ = authorize(context, "homey.device.readonly")
    require_version(context, 3)
    return json_response(_capability(context, homey)["value"])


async def set_capability(context: RequestContext) -> web.Response:
    """PUT /devices/device/:id/capability/:capability with ``{"value": ...}``."""
    homey, _ = authorize(context, "homey.device.control")
    capability = _capability(context, homey)
    body = context.received.json
    if not isinstance(body, dict) or "value" not in body:
        raise error(400, "invalid_request", "Missing parameter: value")
    value = body["value"]
    _check_value(capability, value)
    capability.update(value=value, lastUpdated=timestamp(context.state.now()))
    return json_response({"value": value})


def _device(context: RequestContext, homey: SimulatedHomey) -> Json:
    return find(homey.devices, context.request.match_info["id"], "Device not found")


def _capability(context: RequestContext, homey: SimulatedHomey) -> Json:
    capabilities: dict[str, Json] = _device(context, homey)["capabilitiesObj"]
    name = context.request.match_info["capability"]
    return find(capabilities, name, "Capability not found")


def _check_value(capability: Json, value: object) -> None:
    """Require a value that the capability takes; the real texts are open (docs/wire.md)."""
    if not capability["setable"]:
        raise error(400, "not_setable", f"Not setable: {capability['id']} [not_setable]")
    if not has_type(value, capability["type"]):
        expected = f"Invalid value: expected {capability['type']}"
        raise error(400, "invalid_type", f"{expected} [invalid_type]")
    if isinstance(value, int | float) and not capability["min"] <= value <= capability["max"]:
        raise error(400, "out_of_range", "Value out of range [out_of_range]")


async def list_zones(context: RequestContext) -> web.Response:
    """GET /zones/zone: an object keyed by id."""
    homey, _ = authorize(context, "homey.zone.readonly")
    return json_response(homey.zones)


async def get_zone(context: RequestContext) -> web.Response:
    """GET /zones/zone/:id."""
    homey, _ = authorize(context, "homey.zone.readonly")
    return json_response(find(homey.zones, context.request.match_info["id"]))


async def trigger_flow(context: RequestContext) -> web.Response:
    """POST /flow/flow/:id/trigger; it has no effect."""
    authorize(context, "homey.flow.start")
    find(_FLOWS, context.request.match_info["id"])
    return json_response(None)


async def reboot(context: RequestContext) -> web.Response:
    """POST /system/reboot; it has no effect."""
    authorize(context, "homey.system")
    return json_response(None)


async def zwave_command(context: RequestContext) -> web.Response:
    """POST /zwave/command with ``{"command": text, "opts": ...}``; it has no effect."""
    authorize(context, "homey.system")
    body = context.received.json
    if not isinstance(body, dict) or not isinstance(body.get("command"), str):
        raise error(400, "invalid_request", "Missing parameter: command")
    return json_response(None)
