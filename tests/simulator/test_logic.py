"""Logic variables as in ``docs/wire.md`` D."""

from typing import Any

import pytest

from tests.simulator.conftest import Client, StartClient


def first(client: Client) -> str:
    path: str = client.description["homeys"][0]["variables"][0]["id"]
    return f"/logic/variable/{path}"


async def test_listed(client: Client) -> None:
    """Variables come as an object keyed by id; accesstoken is the first one."""
    variables = (await client.homey("GET", "/logic/variable", await client.bearer())).json

    assert {"accesstoken", "visitors", "holiday"} == {one["name"] for one in variables.values()}
    assert list(variables) == [one["id"] for one in variables.values()]
    assert (
        client.description["homeys"][0]["variables"][0]["name"],
        client.description["homeys"][0]["variables"][0]["type"],
    ) == ("accesstoken", "string")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_flat(client: Client, slash: str) -> None:
    """A flat PUT is echoed and kept, with a slash at the end or without."""
    token = await client.bearer()
    path = first(client) + slash
    echo = (await client.homey("PUT", path, token, json={"value": "new", "id": "x"})).json

    assert echo["value"] == "new"
    assert client.simulator.get_variable("accesstoken") == "new"
    assert echo == (await client.homey("GET", path, token)).json


async def test_nested(client: Client) -> None:
    """A nested PUT is 200 and changes nothing."""
    answer = await client.homey(
        "PUT", first(client), await client.bearer(), json={"variable": {"value": "lost"}}
    )

    assert (answer.status, answer.json["value"]) == (200, "")


async def test_renamed(client: Client) -> None:
    """A PUT may change the name."""
    token = await client.bearer()
    await client.homey("PUT", first(client), token, json={"name": "other"})

    assert client.simulator.get_variable("other") == ""


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"name": "n", "type": "boolean", "value": True}, 200),
        ({"name": "n", "type": "number", "value": 1.5}, 200),
        ({"name": "n", "type": "number", "value": True}, 400),
        ({"name": "n", "type": "string", "value": 1}, 400),
        ({"name": "n", "type": "list", "value": []}, 400),
        ({"type": "string", "value": ""}, 400),
        ({"name": "n", "value": ""}, 400),
        ({"name": "n", "type": "string"}, 400),
        (["n"], 400),
    ],
)
async def test_created(client: Client, body: Any, status: int) -> None:
    """A POST needs a flat name, type and value that fit each other."""
    answer = await client.homey("POST", "/logic/variable/", await client.bearer(), json=body)

    assert status == answer.status
    assert status != 200 or body == {key: answer.json[key] for key in body}


async def test_broken_json(client: Client) -> None:
    """A body that is not JSON gets 400."""
    url = client.description["homey"].replace("{cloudid}", client.description["cloudid"])
    headers = {
        "Authorization": f"Bearer {await client.bearer()}",
        "Content-Type": "application/json",
    }
    answer = await client.ask(
        "PUT", f"{url}/api/manager{first(client)}", data=b"{", headers=headers
    )

    assert answer.status == 400


async def test_other_type(client: Client) -> None:
    """A value of another type is 400; the type is fixed at creation."""
    token = await client.bearer()

    assert (await client.homey("PUT", first(client), token, json={"value": 1})).status == 400


async def test_deleted(client: Client) -> None:
    """A deleted variable is 404 for every method."""
    token = await client.bearer()
    gone = [await client.homey(one, first(client), token) for one in ("DELETE", "DELETE", "GET")]
    put = await client.homey("PUT", first(client), token, json={"value": "x"})

    assert [*(one.status for one in gone), put.status] == [200, 404, 404, 404]


async def test_missing_scopes(start_client: StartClient) -> None:
    """With homey.logic.readonly reading is allowed and writing is Missing Scopes."""
    client = await start_client(scopes=("homey.logic.readonly",))
    token = await client.bearer()
    read = await client.homey("GET", "/logic/variable", token)
    write = await client.homey("PUT", first(client), token, json={"value": "x"})

    assert read.status == 200
    assert write.error[:2] == (403, "Missing Scopes")


async def test_slash_rejected(start_client: StartClient) -> None:
    """By switch the slash at the end is 404."""
    client = await start_client(slash="refused")
    token = await client.bearer()
    path = first(client)

    assert [
        (await client.homey("PUT", one, token, json={"value": "x"})).status
        for one in (f"{path}/", path)
    ] == [404, 200]


async def test_changed_from_outside(client: Client) -> None:
    """A test sets, adds, reads and deletes variables by name or id."""
    simulator = client.simulator
    made = simulator.add_variable("again", "string", "a")
    simulator.set_variable("again", "b")

    assert simulator.get_variable(made["id"]) == "b"

    simulator.delete_variable("again")
    with pytest.raises(KeyError):
        simulator.get_variable("again")
