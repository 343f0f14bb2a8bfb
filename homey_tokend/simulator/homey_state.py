"""A simulated Homey: its variables, devices, zones and sessions."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from homey_tokend.simulator.random_values import RandomValues

#: JSON types of the three types of logic variables (docs/wire.md D).
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}

Json = dict[str, Any]


def timestamp(at: float) -> str:
    """Format seconds since the epoch as Homeys do: ISO 8601, milliseconds, Z."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def has_type(value: object, type_: str) -> bool:
    """Return whether a JSON value has the type of a variable; true is not a number."""
    if isinstance(value, bool):
        return type_ == "boolean"
    return isinstance(value, TYPES.get(type_, ()))


@dataclass(slots=True, kw_only=True)
class HomeySession:
    """A session at a Homey; instants in seconds since the epoch."""

    id: str
    bearer: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    last_used: float

    def document(self, *, with_expiry: bool) -> Json:
        """Return the session as ``session/me`` describes it (docs/wire.md C)."""
        document: Json = {
            "id": self.id,
            "type": "OAUTH",
            "agent": None,
            "clientName": "homey-tokend",
            "scopes": list(self.scopes),
            "intersectedScopes": list(self.scopes),
            "createdAt": timestamp(self.created_at),
            "lastUsed": timestamp(self.last_used),
        }
        if with_expiry:
            document["expiresAt"] = timestamp(self.expires_at)
        return document


@dataclass(slots=True, kw_only=True)
class SimulatedHomey:
    """One Homey of the account.

    Args:
        cloudid: 24 hex digits.
        number: Counted from 1, for fault files, which cannot know the cloudid.
        name: Name in ``/user/me``.
        plugged: Whether the cloud can reach it.
        variables: By id, each ``{id, name, type, value}``.
        devices: By id.
        zones: By id.
        sessions: By bearer.
    """

    cloudid: str
    number: int
    name: str
    plugged: bool = True
    variables: dict[str, Json] = field(default_factory=dict)
    devices: dict[str, Json] = field(default_factory=dict)
    zones: dict[str, Json] = field(default_factory=dict)
    sessions: dict[str, HomeySession] = field(default_factory=dict)

    def add_variable(self, random: RandomValues, name: str, type_: str, value: object) -> Json:
        """Create a logic variable and return it."""
        variable: Json = {"id": random.uuid(), "name": name, "type": type_, "value": value}
        self.variables[variable["id"]] = variable
        return variable

    def find_variable(self, name_or_id: str) -> Json:
        """Return the variable of that id, else the first of that name.

        Raises:
            KeyError: There is none.
        """
        if name_or_id in self.variables:
            return self.variables[name_or_id]
        for variable in self.variables.values():
            if variable["name"] == name_or_id:
                return variable
        raise KeyError(name_or_id)


def create_homey(number: int, random: RandomValues) -> SimulatedHomey:
    """Create a Homey with three variables, a zone and two devices."""
    homey = SimulatedHomey(cloudid=random.hex(24), number=number, name=f"Homey {number}")
    homey.add_variable(random, "accesstoken", "string", "")
    homey.add_variable(random, "visitors", "number", 0)
    homey.add_variable(random, "holiday", "boolean", False)
    zone = random.uuid()
    homey.zones[zone] = {"id": zone, "name": "Home", "parent": None, "active": False}
    for name, class_, values in (
        ("Lamp", "light", {"onoff": False, "dim": 0.5}),
        ("Thermometer", "sensor", {"measure_temperature": 20.5}),
    ):
        device = random.uuid()
        homey.devices[device] = {"id": device, **_device(name, class_, zone, values)}
    return homey


def _device(name: str, class_: str, zone: str, values: Mapping[str, object]) -> Json:
    return {
        "name": name,
        "class": class_,
        "zone": zone,
        "available": True,
        "capabilities": list(values),
        "capabilitiesObj": {name: _capability(name, value) for name, value in values.items()},
    }


def _capability(name: str, value: object) -> Json:
    maximum = 1 if name == "dim" else 1_000_000
    return {
        "id": name,
        "type": next(type_ for type_ in TYPES if has_type(value, type_)),
        "value": value,
        "setable": not name.startswith("measure_"),
        "getable": True,
        "min": 0 if name == "dim" else -maximum,
        "max": maximum,
        "lastUpdated": None,
    }
