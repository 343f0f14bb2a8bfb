"""The catalogue of calls: endpoints of the Homey's web API by name.

Paths, arguments, scopes and models are from the vendor's specification files;
``tests/end_to_end/foreign/catalogue.py`` compares them.
"""

import difflib
from collections.abc import Mapping
from functools import partial

from homey_tokend.hub.endpoint import CLOUD, PRO_2019, PRO_2023, Endpoint

_PROS = (PRO_2019, PRO_2023)
_DEVICES, _FLOWS, _SYSTEM = "homey.device.readonly", "homey.flow.readonly", "homey.system.readonly"
_get, _post, _put = (partial(Endpoint, method=method) for method in ("GET", "POST", "PUT"))

#: All endpoints, by heading. The formatter would turn them into 300 lines.
# fmt: off
GROUPS: Mapping[str, tuple[Endpoint, ...]] = {
    "Alarms": (
        _get("alarms", "alarms/alarm", "all alarms", "homey.alarm.readonly", homeys=_PROS),
    ),
    "Apps": (
        _get("apps", "apps/app", "all apps", "homey.app.readonly"),
        _get("app", "apps/app/{id}", "one app, such as com.fibaro", "homey.app.readonly"),
    ),
    "Cloud state": (
        _get("cloud-state", "cloud/state", "the link to the cloud", _SYSTEM),
    ),
    "Devices": (
        _get("devices", "devices/device", "all devices, with their values", _DEVICES),
        _get("device", "devices/device/{id}", "one device", _DEVICES),
        _get("capability", "devices/device/{device}/capability/{capability}",
             "one value of a device", _DEVICES, homeys=(PRO_2023, CLOUD)),
        _put("set-capability", "devices/device/{device}/capability/{capability}",
             "sets a value of a device", "homey.device.control", body={"value": "{value}"}),
        _put("on", "devices/device/{device}/capability/onoff", "switches a device on",
             "homey.device.control", body={"value": True}),
        _put("off", "devices/device/{device}/capability/onoff", "switches a device off",
             "homey.device.control", body={"value": False}),
    ),
    "Drivers": (
        _get("drivers", "drivers/driver", "all drivers of all apps", _DEVICES,
             guide="/api/manager/devices/drivers/", note="Drivers have their own manager."),
        _get("pairsessions", "drivers/pairsession", "running pairings", "homey.device",
             homeys=(PRO_2019,), note="Later models only have a single pairing, by its id."),
    ),
    "Experiments": (
        _get("experiments", "experiments/experiment", "experimental features", "homey.system",
             homeys=_PROS),
    ),
    "Flow": (
        _get("flows", "flow/flow", "all standard flows", _FLOWS),
        _get("flow", "flow/flow/{id}", "one standard flow", _FLOWS),
        _get("advanced-flows", "flow/advancedflow", "all advanced flows", _FLOWS),
        _post("trigger-flow", "flow/flow/{id}/trigger", "starts a flow", "homey.flow.start"),
    ),
    "Flow folders": (
        _get("flowfolders", "flow/flowfolder", "all folders of flows", _FLOWS),
    ),
    "Flow tokens": (
        _get("flowtokens", "flowtoken/flowtoken", "all tags of flows", _FLOWS,
             shows_variables=True),
    ),
    "Images": (
        _get("images", "images/image", "all images, such as of cameras", "homey.device"),
    ),
    "Insights": (
        _get("insights", "insights/log", "all logs", "homey.insights.readonly",
             shows_variables=True),
    ),
    "Language and unit settings": (
        _get("language", "i18n/option/language", "the language", _SYSTEM,
             guide="/api/manager/i18n/", note="Language and units are separate options."),
        _get("units", "i18n/option/units", "metric or imperial", _SYSTEM,
             guide="/api/manager/i18n/"),
    ),
    "LED ring": (
        _get("screensavers", "ledring/screensaver", "what the ring can show", _SYSTEM, homeys=_PROS,
             note="Models since 2023 require no scope."),
        _get("ledring-state", "ledring/state", "what the ring shows", _SYSTEM, homeys=_PROS),
    ),
    "Location": (
        _get("location", "geolocation/option/location", "where the Homey is",
             "homey.geolocation.readonly", guide="/api/manager/geolocation/",
             note="The location is a separate option."),
    ),
    "Logic": (
        _get("variables", "logic/variable", "all variables", "homey.logic.readonly",
             shows_variables=True, guide="/api/logic/variable/",
             note="The guide omits `manager` here, but has it for setting a variable."),
        _get("variable", "logic/variable/{id}", "one variable", "homey.logic.readonly",
             shows_variables=True, guide="/api/logic/variable/<VARIABLE_ID>/"),
        _put("set-variable", "logic/variable/{id}", "sets a variable", "homey.logic",
             body={"value": "{value}"}, shows_variables=True,
             note="A value of another type than the variable's is rejected."),
    ),
    "Mobile": (
        _get("mobile", "mobile/summary", "figures for the app's start page", _DEVICES,
             homeys=(PRO_2019,), guide="/api/manager/mobile/",
             note="Also requires `homey.flow.readonly` and `homey.user.readonly`."),
    ),
    "Notifications": (
        _get("notifications", "notifications/notification", "the timeline",
             "homey.notifications.readonly"),
        _get("notification-owners", "notifications/owner", "the sources of the timeline",
             "homey.notifications.readonly"),
    ),
    "Presence": (
        _get("present", "presence/{user}/present", "whether a user is at home",
             "homey.presence.readonly", guide="/api/manager/presence/",
             note="Presence is per user; `users` lists their ids."),
        _get("asleep", "presence/{user}/asleep", "whether a user is asleep",
             "homey.presence.readonly", guide="/api/manager/presence/"),
    ),
    "Reminders": (
        _get("reminders", "reminder/reminder", "all reminders", "homey.reminder.readonly",
             homeys=(), note="The guide's path; no current specification has it."),
    ),
    "Sessions": (
        _get("session", "sessions/session/me", "the session of the token in use", ""),
        _get("sessions", "sessions/session", "all sessions", "homey.user.readonly",
             homeys=(PRO_2019,), note="Later models have no such list."),
    ),
    "System": (
        _get("system", "system/", "model, versions, uptime, addresses", _SYSTEM),
        _get("ping", "system/ping", "whether the Homey answers", ""),
        _get("memory", "system/memory", "memory in use", _SYSTEM),
        _get("storage", "system/storage", "storage in use", _SYSTEM),
        _post("reboot", "system/reboot", "restarts the Homey", "homey.system", dangerous=True,
              note="The whole home is out of service for minutes."),
    ),
    "Users": (
        _get("users", "users/user", "all users", "homey.user.readonly"),
        _get("user", "users/user/{id}", "one user", "homey.user.readonly"),
        _get("users-state", "users/state", "the state of the users' manager", "homey.user.readonly",
             note="Models since 2023 require `homey.system.readonly`."),
    ),
    "Weather": (
        _get("weather", "weather/weather", "the weather", "homey.geolocation.readonly"),
    ),
    "Zigbee": (
        _get("zigbee-state", "zigbee/state", "the Zigbee network", _SYSTEM),
    ),
    "Z-Wave": (
        _get("zwave-state", "zwave/state", "the Z-Wave network", _SYSTEM),
        _get("zwave-log", "zwave/log", "the Z-Wave log", "homey.system"),
        _post("zwave-command", "zwave/command", "sends the Z-Wave controller a command",
              "homey.system", body={"command": "{command}", "opts": "{opts?}"}, dangerous=True,
              note="A wrong command can break the network of all devices."),
        _post("zwave-heal", "zwave/command", "makes a node search its routes again", "homey.system",
              body={"command": "heal", "opts": {"nodeId": "{node}"}}, dangerous=True),
        _post("zwave-test", "zwave/command", "sends a node an empty basic command", "homey.system",
              body={"command": "sendData", "opts": "{node},0x20,0x00"}, dangerous=True),
    ),
    "Zones": (
        _get("zones", "zones/zone", "all zones", "homey.zone.readonly", guide="/api/manager/zones/",
             note="The guide omits the last segment."),
        _get("zone", "zones/zone/{id}", "one zone", "homey.zone.readonly",
             guide="/api/manager/zones/<ZONE_ID>/"),
    ),
}
# fmt: on
ENDPOINTS = tuple(endpoint for group in GROUPS.values() for endpoint in group)
_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def find(name: str) -> Endpoint | None:
    """Return the endpoint with a name, or None."""
    return _BY_NAME.get(name)


def match(method: str, path: str) -> Endpoint | None:
    """Return the endpoint that a request asks for, or None; HEAD is GET without a body.

    Args:
        method: The method.
        path: The path from ``/api/`` on, without the query.
    """
    method = "GET" if method == "HEAD" else method
    return next((one for one in ENDPOINTS if one.matches(method, path)), None)


def list_for(method: str, path: str) -> Endpoint | None:
    """Return the endpoint that lists the ids of which a request has one in its path, or None."""
    endpoint = match(method, path)
    if endpoint is None or "/{" not in endpoint.path:
        return None
    return match("GET", endpoint.path.partition("/{")[0])


def nearest(name: str) -> str | None:
    """Return the name that is most similar to a misspelt one, or None."""
    found = difflib.get_close_matches(name, _BY_NAME, n=1)
    return found[0] if found else None
