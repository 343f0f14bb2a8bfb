"""A pretend Homey: its variables, devices, zones and sessions."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from homey_tokend.simulator.chance import Chance

#: JSON types of the three kinds of logic variables (docs/wire.md D).
TYPES: dict[str, tuple[type, ...]] = {"string": (str,), "number": (int, float), "boolean": (bool,)}

Json = dict[str, Any]


def timestamp(at: float) -> str:
    """Write seconds since the epoch as Homeys do: ISO 8601, milliseconds, Z."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return moment.replace("+00:00", "Z")


def fits(kind: str, value: object) -> bool:
    """Tell whether a value has the type of a variable; true is no number."""
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, TYPES.get(kind, ()))


@dataclass(slots=True, kw_only=True)
class Session:
    """One login at a Homey; times in seconds since the epoch."""

    id: str
    bearer: str
    scopes: tuple[str, ...]
    created_at: float
    expires_at: float
    last_used: float

    def as_json(self, *, with_expiry: bool) -> Json:
        """Describe the session as ``session/me`` does (docs/wire.md C)."""
        told: Json = {
            "id": self.id,
            "type": "OAUTH",
            "agent": None,
            "clientName": "homey-tokend",
            "scopes": list(self.scopes),
            "intersectedScopes": list(self.scopes),
            "createdAt": timestamp(self.created_at),
            "lastUsed": timestamp(self.last_used),
        }
        return told | ({"expiresAt": timestamp(self.expires_at)} if with_expiry else {})


@dataclass(slots=True, kw_only=True)
class Homey:
    """One Homey of the account.

    Args:
        cloudid: 24 hex digits.
        number: Counted from 1, for faults files that cannot know the cloudid.
        name: As ``/user/me`` tells it.
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
    sessions: dict[str, Session] = field(default_factory=dict)

    def add_variable(self, chance: Chance, name: str, kind: str, value: object) -> Json:
        """Create a variable and give it."""
        variable: Json = {"id": chance.uuid(), "name": name, "type": kind, "value": value}
        self.variables[variable["id"]] = variable
        return variable

    def find_variable(self, name_or_id: str) -> Json | None:
        """Give the variable of that id, else the first of that name, else None."""
        named = (one for one in self.variables.values() if one["name"] == name_or_id)
        return self.variables.get(name_or_id) or next(named, None)


def furnished(number: int, chance: Chance) -> Homey:
    """Set up a Homey with three variables, a zone and two devices."""
    homey = Homey(cloudid=chance.hex(24), number=number, name=f"Homey {number}")
    homey.add_variable(chance, "accesstoken", "string", "")
    homey.add_variable(chance, "visitors", "number", 0)
    homey.add_variable(chance, "holiday", "boolean", False)
    zone = chance.uuid()
    homey.zones[zone] = {"id": zone, "name": "Home", "parent": None, "active": False}
    _add_device(homey, chance, ("Lamp", "light", zone), {"onoff": False, "dim": 0.5})
    _add_device(homey, chance, ("Thermometer", "sensor", zone), {"measure_temperature": 20.5})
    return homey


def _add_device(
    homey: Homey, chance: Chance, what: tuple[str, str, str], values: dict[str, object]
) -> None:
    name, kind, zone = what
    device = chance.uuid()
    homey.devices[device] = {
        "id": device,
        "name": name,
        "class": kind,
        "zone": zone,
        "available": True,
        "capabilities": list(values),
        "capabilitiesObj": {
            capability: _capability(capability, value) for capability, value in values.items()
        },
    }


def _capability(name: str, value: object) -> Json:
    """A capability with its type, by its value; a measured one cannot be set, dim is a share."""
    kind = next(kind for kind in ("boolean", "number", "string") if fits(kind, value))
    most = 1 if name == "dim" else 1_000_000
    return {
        "id": name,
        "type": kind,
        "value": value,
        "setable": not name.startswith("measure_"),
        "getable": True,
        "min": 0 if name == "dim" else -most,
        "max": most,
        "lastUpdated": None,
    }
