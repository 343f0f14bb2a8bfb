"""The managers of a pretend Homey: what they tell, what they take, and to whom."""

import pytest

from homey_tokend.simulator.managers import TOLD, Tell
from tests.simulator.conftest import Meet, Person


@pytest.mark.parametrize("told", TOLD, ids=lambda told: told.path)
async def test_told(meet: Meet, told: Tell) -> None:
    """Each is told to who has the scope, on the versions that have it."""
    person = await meet(api_version=told.only or 3)
    one = next(iter(told.value), "") if "{id}" in told.path else ""
    token = await person.bearer()
    path = told.path.replace("{id}", one)
    found = await person.homey("GET", path, token)
    slashed = await person.homey("GET", f"{path}/", token)
    nobody = await person.homey("GET", path)

    assert [200, 200, 401] == [found.status, slashed.status, nobody.status]
    assert (told.value[one] if one else told.value) == found.json


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (3, "/mobile/summary"),
        (3, "/drivers/pairsession"),
        (2, "/devices/device/x/capability/onoff"),
        (2, "/reminder/reminder"),
    ],
)
async def test_other_versions(meet: Meet, version: int, path: str) -> None:
    """What a version has not is no method of it."""
    person = await meet(api_version=version)

    assert (500, "missing_api_method") == (
        await person.homey("GET", path, await person.bearer())
    ).error[:2]


async def test_scopes(meet: Meet) -> None:
    """A session without the scope is 403."""
    person = await meet(scopes=("homey.logic",))

    assert 403 == (await person.homey("GET", "/system", await person.bearer())).status


@pytest.mark.parametrize("path", ["/users/user/none", "/zones/zone/none", "/apps/app/none"])
async def test_unknown_things(person: Person, path: str) -> None:
    """An id that nobody has is 404."""
    assert 404 == (await person.homey("GET", path, await person.bearer())).status


async def test_a_zone(person: Person) -> None:
    """A zone is told by its id."""
    token = await person.bearer()
    (zone,) = (await person.homey("GET", "/zones/zone", token)).json.values()

    assert zone == (await person.homey("GET", f"/zones/zone/{zone['id']}", token)).json


@pytest.mark.parametrize(
    ("name", "capability", "value", "error"),
    [
        ("Lamp", "onoff", "true", "invalid_type"),
        ("Lamp", "onoff", 1, "invalid_type"),
        ("Lamp", "onoff", None, "invalid_type"),
        ("Lamp", "dim", True, "invalid_type"),
        ("Lamp", "dim", 1.5, "out_of_range"),
        ("Lamp", "dim", -0.1, "out_of_range"),
        ("Thermometer", "measure_temperature", 20, "not_setable"),
    ],
)
async def test_wrong_values(
    person: Person, name: str, capability: str, value: object, error: str
) -> None:
    """A value of the wrong type, beyond its range, or for what measures is 400 and changes nothing."""
    token = await person.bearer()
    before = (await person.homey("GET", "/devices/device", token)).json
    device = next(one["id"] for one in before.values() if one["name"] == name)
    path = f"/devices/device/{device}/capability/{capability}"
    got = await person.homey("PUT", path, token, json={"value": value})

    assert (400, error) == got.error[:2]
    assert before == (await person.homey("GET", "/devices/device", token)).json


async def test_a_value(meet: Meet) -> None:
    """From version 3 on a capability's value can be read by itself."""
    person = await meet(api_version=3)
    token = await person.bearer()
    devices = (await person.homey("GET", "/devices/device", token)).json
    lamp = next(one["id"] for one in devices.values() if one["name"] == "Lamp")
    path = f"/devices/device/{lamp}/capability/dim"
    await person.homey("PUT", path, token, json={"value": 1})

    assert 1 == (await person.homey("GET", path, token)).json


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/system/reboot", None, 200),
        ("/zwave/command", {"command": "heal", "opts": {"nodeId": 5}}, 200),
        ("/zwave/command", {"opts": {}}, 400),
        ("/zwave/command", ["heal"], 400),
        ("/flow/flow/5f0c0000-0000-4000-8000-0000000000a3/trigger", None, 200),
        ("/flow/flow/none/trigger", None, 404),
    ],
)
async def test_commands(person: Person, path: str, body: object, status: int) -> None:
    """A reboot, a Z-Wave command and a flow's start are taken, and stand in the journal."""
    got = await person.homey("POST", path, await person.bearer(), json=body)
    last = person.simulator.journal[-1]

    assert status == got.status
    assert (path, body) == (last.path.partition("/api/manager")[2], last.json)
