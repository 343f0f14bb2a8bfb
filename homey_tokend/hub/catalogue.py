"""The catalogue of calls: every endpoint by its name.

Paths, arguments, scopes and models are those of the vendor's specification files, and
``tests/end_to_end/foreign/catalogue.py`` compares them.
"""

import difflib
from collections.abc import Sequence

from homey_tokend.hub.endpoint import ALL, CLOUD, PRO_2019, PRO_2023, Endpoint

_PROS = (PRO_2019, PRO_2023)
_DEVICES, _FLOWS, _SYSTEM = "homey.device.readonly", "homey.flow.readonly", "homey.system.readonly"
_CAPABILITY = "/api/manager/devices/device/{device}/capability/{capability}"
_ZWAVE = "/api/manager/zwave/command"


def _get(
    group: str,
    name: str,
    path: str,
    does: str,
    scope: str,
    homeys: tuple[str, ...] = ALL,
    *,
    guide: str = "",
    note: str = "",
) -> Endpoint:
    return Endpoint(
        group,
        name,
        "GET",
        f"/api/manager/{path}",
        does,
        scope,
        homeys=homeys,
        guide=f"/api/{guide}" if guide else "",
        note=note,
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    _get("Alarms", "alarms", "alarms/alarm", "all alarms", "homey.alarm.readonly", _PROS),
    _get("Apps", "apps", "apps/app", "all apps", "homey.app.readonly"),
    _get("Apps", "app", "apps/app/{id}", "one app, such as com.fibaro", "homey.app.readonly"),
    _get("Cloud state", "cloud-state", "cloud/state", "the link to the cloud", _SYSTEM),
    _get("Devices", "devices", "devices/device", "all devices, with their values", _DEVICES),
    _get("Devices", "device", "devices/device/{id}", "one device", _DEVICES),
    _get(
        "Devices",
        "capability",
        "devices/device/{device}/capability/{capability}",
        "one value of a device",
        _DEVICES,
        (PRO_2023, CLOUD),
    ),
    Endpoint(
        "Devices",
        "set-capability",
        "PUT",
        _CAPABILITY,
        "sets a value of a device",
        "homey.device.control",
        body={"value": "{value}"},
    ),
    Endpoint(
        "Devices",
        "on",
        "PUT",
        _CAPABILITY.replace("{capability}", "onoff"),
        "switches a device on",
        "homey.device.control",
        body={"value": True},
    ),
    Endpoint(
        "Devices",
        "off",
        "PUT",
        _CAPABILITY.replace("{capability}", "onoff"),
        "switches a device off",
        "homey.device.control",
        body={"value": False},
    ),
    _get(
        "Drivers",
        "drivers",
        "drivers/driver",
        "all drivers of all apps",
        _DEVICES,
        guide="manager/devices/drivers/",
        note="Drivers have their own manager.",
    ),
    _get(
        "Drivers",
        "pairsessions",
        "drivers/pairsession",
        "running pairings",
        "homey.device",
        (PRO_2019,),
        note="Later models only have a single pairing, by its id.",
    ),
    _get(
        "Experiments",
        "experiments",
        "experiments/experiment",
        "experimental features",
        "homey.system",
        _PROS,
    ),
    _get("Flow", "flows", "flow/flow", "all standard flows", _FLOWS),
    _get("Flow", "flow", "flow/flow/{id}", "one standard flow", _FLOWS),
    _get("Flow", "advanced-flows", "flow/advancedflow", "all advanced flows", _FLOWS),
    Endpoint(
        "Flow",
        "trigger-flow",
        "POST",
        "/api/manager/flow/flow/{id}/trigger",
        "starts a flow",
        "homey.flow.start",
    ),
    _get("Flow folders", "flowfolders", "flow/flowfolder", "all folders of flows", _FLOWS),
    _get("Flow tokens", "flowtokens", "flowtoken/flowtoken", "all tags of flows", _FLOWS),
    _get("Images", "images", "images/image", "all images, such as of cameras", "homey.device"),
    _get("Insights", "insights", "insights/log", "all logs", "homey.insights.readonly"),
    _get(
        "Language and unit settings",
        "language",
        "i18n/option/language",
        "the language",
        _SYSTEM,
        guide="manager/i18n/",
        note="Language and units are separate options.",
    ),
    _get(
        "Language and unit settings",
        "units",
        "i18n/option/units",
        "metric or imperial",
        _SYSTEM,
        guide="manager/i18n/",
    ),
    _get(
        "LED ring",
        "screensavers",
        "ledring/screensaver",
        "what the ring can show",
        _SYSTEM,
        _PROS,
        note="Models since 2023 require no scope.",
    ),
    _get("LED ring", "ledring-state", "ledring/state", "what the ring shows", _SYSTEM, _PROS),
    _get(
        "Location",
        "location",
        "geolocation/option/location",
        "where the Homey is",
        "homey.geolocation.readonly",
        guide="manager/geolocation/",
        note="The location is a separate option.",
    ),
    _get(
        "Logic",
        "variables",
        "logic/variable",
        "all variables",
        "homey.logic.readonly",
        guide="logic/variable/",
        note="The guide omits `manager` here, but has it for setting a variable.",
    ),
    _get(
        "Logic",
        "variable",
        "logic/variable/{id}",
        "one variable",
        "homey.logic.readonly",
        guide="logic/variable/<VARIABLE_ID>/",
    ),
    Endpoint(
        "Logic",
        "set-variable",
        "PUT",
        "/api/manager/logic/variable/{id}",
        "sets a variable",
        "homey.logic",
        body={"value": "{value}"},
        note="A value of another type than the variable's is rejected.",
    ),
    _get(
        "Mobile",
        "mobile",
        "mobile/summary",
        "figures for the app's start page",
        _DEVICES,
        (PRO_2019,),
        guide="manager/mobile/",
        note="Also requires `homey.flow.readonly` and `homey.user.readonly`.",
    ),
    _get(
        "Notifications",
        "notifications",
        "notifications/notification",
        "the timeline",
        "homey.notifications.readonly",
    ),
    _get(
        "Notifications",
        "notification-owners",
        "notifications/owner",
        "the sources of the timeline",
        "homey.notifications.readonly",
    ),
    _get(
        "Presence",
        "present",
        "presence/{user}/present",
        "whether a user is at home",
        "homey.presence.readonly",
        guide="manager/presence/",
        note="Presence is per user; `users` lists their ids.",
    ),
    _get(
        "Presence",
        "asleep",
        "presence/{user}/asleep",
        "whether a user is asleep",
        "homey.presence.readonly",
        guide="manager/presence/",
    ),
    _get(
        "Reminders",
        "reminders",
        "reminder/reminder",
        "all reminders",
        "homey.reminder.readonly",
        (),
        note="The guide's path; no current specification has it.",
    ),
    _get("Sessions", "session", "sessions/session/me", "the session of the token in use", ""),
    _get(
        "Sessions",
        "sessions",
        "sessions/session",
        "all sessions",
        "homey.user.readonly",
        (PRO_2019,),
        note="Later models have no such list.",
    ),
    _get("System", "system", "system/", "model, versions, uptime, addresses", _SYSTEM),
    _get("System", "ping", "system/ping", "whether the Homey answers", ""),
    _get("System", "memory", "system/memory", "memory in use", _SYSTEM),
    _get("System", "storage", "system/storage", "storage in use", _SYSTEM),
    Endpoint(
        "System",
        "reboot",
        "POST",
        "/api/manager/system/reboot",
        "restarts the Homey",
        "homey.system",
        dangerous=True,
        note="The whole home is out of service for minutes.",
    ),
    _get("Users", "users", "users/user", "all users", "homey.user.readonly"),
    _get("Users", "user", "users/user/{id}", "one user", "homey.user.readonly"),
    _get(
        "Users",
        "users-state",
        "users/state",
        "the state of the users' manager",
        "homey.user.readonly",
        note="Models since 2023 require `homey.system.readonly`.",
    ),
    _get("Weather", "weather", "weather/weather", "the weather", "homey.geolocation.readonly"),
    _get("Zigbee", "zigbee-state", "zigbee/state", "the Zigbee network", _SYSTEM),
    _get("Z-Wave", "zwave-state", "zwave/state", "the Z-Wave network", _SYSTEM),
    _get("Z-Wave", "zwave-log", "zwave/log", "the Z-Wave log", "homey.system"),
    Endpoint(
        "Z-Wave",
        "zwave-command",
        "POST",
        _ZWAVE,
        "sends the Z-Wave controller a command",
        "homey.system",
        body={"command": "{command}", "opts": "{opts?}"},
        dangerous=True,
        note="A wrong command can break the network of all devices.",
    ),
    Endpoint(
        "Z-Wave",
        "zwave-heal",
        "POST",
        _ZWAVE,
        "makes a node search its routes again",
        "homey.system",
        body={"command": "heal", "opts": {"nodeId": "{node}"}},
        dangerous=True,
    ),
    Endpoint(
        "Z-Wave",
        "zwave-test",
        "POST",
        _ZWAVE,
        "sends a node an empty basic command",
        "homey.system",
        body={"command": "sendData", "opts": "{node},0x20,0x00"},
        dangerous=True,
    ),
    _get(
        "Zones",
        "zones",
        "zones/zone",
        "all zones",
        "homey.zone.readonly",
        guide="manager/zones/",
        note="The guide omits the last segment.",
    ),
    _get(
        "Zones",
        "zone",
        "zones/zone/{id}",
        "one zone",
        "homey.zone.readonly",
        guide="manager/zones/<ZONE_ID>/",
    ),
)

_BY_NAME = {endpoint.name: endpoint for endpoint in ENDPOINTS}


def find(name: str) -> Endpoint | None:
    """Return the endpoint of a name, or None."""
    return _BY_NAME.get(name)


def nearest(name: str) -> str | None:
    """Return the name that is most like a misspelt one, or None."""
    found = difflib.get_close_matches(name, _BY_NAME, n=1)
    return found[0] if found else None


def groups() -> Sequence[tuple[str, Sequence[Endpoint]]]:
    """Return all endpoints by their headings, in order."""
    names = dict.fromkeys(endpoint.group for endpoint in ENDPOINTS)
    return [(group, [one for one in ENDPOINTS if one.group == group]) for group in names]
