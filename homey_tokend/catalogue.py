"""The Homey's API as a catalogue: what can be called, by name.

Paths, parameters, scopes and the kinds of Homey are those of the vendor's
specification files, and ``tests/foreign/catalogue.py`` holds them against these.
``guide`` is how the well-known list of endpoints writes a path where that differs
by more than a slash at its end (``docs/calls.md``).
"""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote

#: The kinds of Homey as the specifications name them: Homey Pro 2016-2019, Homey Pro of 2023 and
#: later, and the Homey of the cloud (Bridge).
PRO_2019, PRO_2023, CLOUD = "V2", "V3Local", "V3Cloud"
_ALL = (PRO_2019, PRO_2023, CLOUD)
_PROS = (PRO_2019, PRO_2023)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One thing that can be called.

    Args:
        group: The heading it stands under.
        name: What it is called here.
        method: Its HTTP method.
        path: Its path; ``{word}`` is filled with an argument.
        does: What it does, in a few words.
        scope: The scope that the session needs; "" for none.
        body: Its JSON body; ``{word}`` in a text is filled with an argument, ``{word?}`` may
            be left out.
        dangerous: It asks before it is called.
        homeys: The kinds of Homey that have it; none: it is in no specification.
        guide: The path that the guide writes.
        note: What one should know.
    """

    group: str
    name: str
    method: str
    path: str
    does: str
    scope: str = ""
    body: Mapping[str, object] = field(default_factory=dict)
    dangerous: bool = False
    homeys: tuple[str, ...] = _ALL
    guide: str = ""
    note: str = ""

    @property
    def changes(self) -> bool:
        """Whether it changes something."""
        return self.method != "GET"

    @property
    def arguments(self) -> tuple[str, ...]:
        """The names of its arguments, in order; those with a ``?`` may be left out."""
        return tuple(_PLACE.findall(self.path)) + tuple(_places(self.body))

    @property
    def usage(self) -> str:
        """Its name and arguments, as a person types them."""
        words = [f"[<{one[:-1]}>]" if one[-1] == "?" else f"<{one}>" for one in self.arguments]
        return " ".join([self.name, *words])


_PLACE = re.compile(r"\{([a-z]+\??)\}")


def _places(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield from _PLACE.findall(value)
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _places(each)


def _get(
    group: str,
    name: str,
    path: str,
    does: str,
    scope: str,
    homeys: tuple[str, ...] = _ALL,
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


_DEVICES, _FLOWS, _SYSTEM = "homey.device.readonly", "homey.flow.readonly", "homey.system.readonly"
_CAPABILITY = "/api/manager/devices/device/{device}/capability/{capability}"
_ZWAVE = "/api/manager/zwave/command"

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
        note="Drivers have a manager of their own.",
    ),
    _get(
        "Drivers",
        "pairsessions",
        "drivers/pairsession",
        "pairings under way",
        "homey.device",
        (PRO_2019,),
        note="Later Homeys tell a single pairing only, by its id.",
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
        note="Language and units are options of their own.",
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
        note="Homeys since 2023 ask for no scope.",
    ),
    _get("LED ring", "ledring-state", "ledring/state", "what the ring shows", _SYSTEM, _PROS),
    _get(
        "Location",
        "location",
        "geolocation/option/location",
        "where the Homey is",
        "homey.geolocation.readonly",
        guide="manager/geolocation/",
        note="The place is an option of its own.",
    ),
    _get(
        "Logic",
        "variables",
        "logic/variable",
        "all variables",
        "homey.logic.readonly",
        guide="logic/variable/",
        note="The guide leaves `manager` out here, and writes it where it sets a variable.",
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
        note="A value of another type than the variable's is refused.",
    ),
    _get(
        "Mobile",
        "mobile",
        "mobile/summary",
        "numbers for the app's first page",
        _DEVICES,
        (PRO_2019,),
        guide="manager/mobile/",
        note="Needs `homey.flow.readonly` and `homey.user.readonly`, too.",
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
        "who writes to the timeline",
        "homey.notifications.readonly",
    ),
    _get(
        "Presence",
        "present",
        "presence/{user}/present",
        "whether a user is at home",
        "homey.presence.readonly",
        guide="manager/presence/",
        note="Presence is told for each user; `users` tells their ids.",
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
        note="The guide's path; no specification of today has it.",
    ),
    _get("Sessions", "session", "sessions/session/me", "the session of the token in use", ""),
    _get(
        "Sessions",
        "sessions",
        "sessions/session",
        "all sessions",
        "homey.user.readonly",
        (PRO_2019,),
        note="Later Homeys do not tell.",
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
        note="All of the home stands still for minutes.",
    ),
    _get("Users", "users", "users/user", "all users", "homey.user.readonly"),
    _get("Users", "user", "users/user/{id}", "one user", "homey.user.readonly"),
    _get(
        "Users",
        "users-state",
        "users/state",
        "what the users' manager says",
        "homey.user.readonly",
        note="Homeys since 2023 ask for `homey.system.readonly`.",
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
        "gives the Z-Wave controller a command",
        "homey.system",
        body={"command": "{command}", "opts": "{opts?}"},
        dangerous=True,
        note="A wrong one can break the network of all devices.",
    ),
    Endpoint(
        "Z-Wave",
        "zwave-heal",
        "POST",
        _ZWAVE,
        "has a node find its routes anew",
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
        note="The guide leaves the last word out.",
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
#: What is dangerous below these, too, whatever a specification of tomorrow adds.
_DANGEROUS = ("/api/manager/system/reboot", "/api/manager/zwave/command")


def find(name: str) -> Endpoint | None:
    """The endpoint of a name, or None."""
    return _BY_NAME.get(name)


def nearest(name: str) -> str | None:
    """The name that somebody may have meant."""
    found = difflib.get_close_matches(name, _BY_NAME, n=1)
    return found[0] if found else None


def groups() -> Sequence[tuple[str, Sequence[Endpoint]]]:
    """All endpoints by their headings, in order."""
    names = dict.fromkeys(endpoint.group for endpoint in ENDPOINTS)
    return [(group, [one for one in ENDPOINTS if one.group == group]) for group in names]


def is_dangerous(method: str, path: str) -> bool:
    """Whether a call by method and path does what the catalogue asks about first.

    Paths are compared as a Homey's router does: decoded, in any case, with or without the
    last slash, and without the query.
    """
    plain = unquote(path.partition("?")[0]).lower()
    return method.upper() not in {"GET", "HEAD", "OPTIONS"} and plain.startswith(_DANGEROUS)
