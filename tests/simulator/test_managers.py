"""The managers of a simulated Homey: values, commands and scopes."""

import pytest

from homey_tokend.simulator.managers import FIXED_VALUES
from tests.simulator.conftest import Client, StartClient


@pytest.mark.parametrize("version", [2, 3])
async def test_fixed_values(start_client: StartClient, version: int) -> None:
    """Each value needs a bearer, on the versions that have it."""
    client = await start_client(api_version=version)
    token = await client.bearer()
    for fixed in FIXED_VALUES:
        if fixed.version not in {None, version}:
            continue
        id_ = next(iter(fixed.value), "") if "{id}" in fixed.path else ""
        path = fixed.path.replace("{id}", id_)
        found = await client.homey("GET", path, token)
        slashed = await client.homey("GET", f"{path}/", token)
        without = await client.homey("GET", path)

        assert [200, 200, 401] == [found.status, slashed.status, without.status], path
        assert (fixed.value[id_] if id_ else fixed.value) == found.json, path


@pytest.mark.parametrize(
    ("version", "path"),
    [
        (3, "/mobile/summary"),
        (3, "/drivers/pairsession"),
        (2, "/devices/device/x/capability/onoff"),
        (2, "/reminder/reminder"),
    ],
)
async def test_other_versions(start_client: StartClient, version: int, path: str) -> None:
    """A method of another version is unknown."""
    client = await start_client(api_version=version)

    assert (500, "missing_api_method") == (
        await client.homey("GET", path, await client.bearer())
    ).error[:2]


async def test_scopes(start_client: StartClient) -> None:
    """A session without the scope is 403."""
    client = await start_client(scopes=("homey.logic",))

    assert 403 == (await client.homey("GET", "/system", await client.bearer())).status


@pytest.mark.parametrize("path", ["/users/user/none", "/zones/zone/none", "/apps/app/none"])
async def test_unknown_things(client: Client, path: str) -> None:
    """An unknown id is 404."""
    assert 404 == (await client.homey("GET", path, await client.bearer())).status


async def test_a_zone(client: Client) -> None:
    """A zone can be read by its id."""
    token = await client.bearer()
    (zone,) = (await client.homey("GET", "/zones/zone", token)).json.values()

    assert zone == (await client.homey("GET", f"/zones/zone/{zone['id']}", token)).json


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
    client: Client, name: str, capability: str, value: object, error: str
) -> None:
    """A value of the wrong type, out of range, or of a sensor is 400 and changes nothing."""
    token = await client.bearer()
    before = (await client.homey("GET", "/devices/device", token)).json
    device = next(one["id"] for one in before.values() if one["name"] == name)
    path = f"/devices/device/{device}/capability/{capability}"
    got = await client.homey("PUT", path, token, json={"value": value})

    assert (400, error) == got.error[:2]
    assert before == (await client.homey("GET", "/devices/device", token)).json


async def test_a_value(start_client: StartClient) -> None:
    """From version 3 on a capability's value can be read by itself."""
    client = await start_client(api_version=3)
    token = await client.bearer()
    devices = (await client.homey("GET", "/devices/device", token)).json
    lamp = next(one["id"] for one in devices.values() if one["name"] == "Lamp")
    path = f"/devices/device/{lamp}/capability/dim"
    await client.homey("PUT", path, token, json={"value": 1})

    assert 1 == (await client.homey("GET", path, token)).json


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
async def test_commands(client: Client, path: str, body: object, status: int) -> None:
    """A reboot, a Z-Wave command and a flow's start are accepted and are in the request log."""
    got = await client.homey("POST", path, await client.bearer(), json=body)
    last = client.simulator.requests[-1]

    assert status == got.status
    assert (path, body) == (last.path.partition("/api/manager")[2], last.json)
