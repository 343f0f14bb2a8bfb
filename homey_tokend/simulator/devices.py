"""Devices and zones of a pretend Homey, enough for a script to switch a lamp."""

from aiohttp import web

from homey_tokend.simulator.call import Call
from homey_tokend.simulator.homey import guarded
from homey_tokend.simulator.household import timestamp
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


async def switched(call: Call) -> web.Response:
    """PUT /api/manager/devices/device/:id/capability/:capability with ``{"value": ...}``."""
    homey, _ = guarded(call, "homey.device.control")
    device = homey.devices.get(call.request.match_info["id"])
    capabilities = device["capabilitiesObj"] if device else {}
    capability = capabilities.get(call.request.match_info["capability"])
    body = call.entry.json
    if capability is None:
        raise plain_error(404, "not_found", "Capability not found [not_found]")
    if not isinstance(body, dict) or "value" not in body:
        raise plain_error(400, "invalid_request", "Missing parameter: value")
    capability.update(value=body["value"], lastUpdated=timestamp(call.world.now()))
    return as_json({"value": body["value"]})


async def zones(call: Call) -> web.Response:
    """GET /api/manager/zones/zone: an object keyed by id."""
    homey, _ = guarded(call, "homey.zone.readonly")
    return as_json(homey.zones)
