"""Devices and zones of a pretend Homey, enough for a script to switch a lamp."""

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.homey import guarded, missing_method
from homey_tokend.simulator.household import Homey, Json, fits, timestamp
from homey_tokend.simulator.replies import as_json, plain_error


async def listed(call: Call) -> web.Response:
    """GET /api/manager/devices/device: an object keyed by id."""
    homey, _ = guarded(call, "homey.device.readonly")
    return as_json(homey.devices)


async def shown(call: Call) -> web.Response:
    """GET /api/manager/devices/device/:id."""
    homey, _ = guarded(call, "homey.device.readonly")
    device = homey.devices.get(call.request.match_info["id"])
    if device is None:
        raise plain_error(404, "not_found", "Device not found [not_found]")
    return as_json(device)


async def read(call: Call) -> web.Response:
    """GET /api/manager/devices/device/:id/capability/:capability, which version 2 has not."""
    homey, _ = guarded(call, "homey.device.readonly")
    if call.switches.api_version == 2:
        raise missing_method()
    return as_json(_capability(call, homey)["value"])


async def switched(call: Call) -> web.Response:
    """PUT /api/manager/devices/device/:id/capability/:capability with ``{"value": ...}``."""
    homey, _ = guarded(call, "homey.device.control")
    capability = _capability(call, homey)
    body = call.entry.json
    if not isinstance(body, dict) or "value" not in body:
        raise plain_error(400, "invalid_request", "Missing parameter: value")
    _check(capability, body["value"])
    capability.update(value=body["value"], lastUpdated=timestamp(call.world.now()))
    return as_json({"value": body["value"]})


def _capability(call: Call, homey: Homey) -> Json:
    device = homey.devices.get(call.request.match_info["id"])
    if device is None:
        raise plain_error(404, "not_found", "Device not found [not_found]")
    capability: Json | None = device["capabilitiesObj"].get(call.request.match_info["capability"])
    if capability is None:
        raise plain_error(404, "not_found", "Capability not found [not_found]")
    return capability


def _check(capability: Json, value: object) -> None:
    """Refuse what a capability cannot be set to; the real texts are not known (docs/wire.md)."""
    if not capability["setable"]:
        raise plain_error(400, "not_setable", f"Not setable: {capability['id']} [not_setable]")
    if not fits(capability["type"], value):
        expected = f"Invalid value: expected {capability['type']}"
        raise plain_error(400, "invalid_type", f"{expected} [invalid_type]")
    if isinstance(value, int | float) and not capability["min"] <= value <= capability["max"]:
        raise plain_error(400, "out_of_range", "Value out of range [out_of_range]")


async def zones(call: Call) -> web.Response:
    """GET /api/manager/zones/zone: an object keyed by id."""
    homey, _ = guarded(call, "homey.zone.readonly")
    return as_json(homey.zones)
