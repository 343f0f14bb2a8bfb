"""Logic variables as ``docs/wire.md`` D tells them."""

from typing import Any

import pytest

from tests.simulator.conftest import Meet, Person


def first(person: Person) -> str:
    path: str = person.told["homeys"][0]["variables"][0]["id"]
    return f"/logic/variable/{path}"


async def test_listed(person: Person) -> None:
    """Variables come as an object keyed by id; accesstoken is the first of the line."""
    variables = (await person.homey("GET", "/logic/variable", await person.bearer())).json

    assert {"accesstoken", "visitors", "holiday"} == {one["name"] for one in variables.values()}
    assert list(variables) == [one["id"] for one in variables.values()]
    assert (
        person.told["homeys"][0]["variables"][0]["name"],
        person.told["homeys"][0]["variables"][0]["type"],
    ) == ("accesstoken", "string")


@pytest.mark.parametrize("slash", ["", "/"])
async def test_flat(person: Person, slash: str) -> None:
    """A flat PUT is echoed and kept, with a slash at the end or without."""
    token = await person.bearer()
    path = first(person) + slash
    echo = (await person.homey("PUT", path, token, json={"value": "new", "id": "x"})).json

    assert echo["value"] == "new"
    assert person.simulator.get_variable("accesstoken") == "new"
    assert echo == (await person.homey("GET", path, token)).json


async def test_nested(person: Person) -> None:
    """A nested PUT is 200 and changes nothing."""
    answer = await person.homey(
        "PUT", first(person), await person.bearer(), json={"variable": {"value": "lost"}}
    )

    assert (answer.status, answer.json["value"]) == (200, "")


async def test_renamed(person: Person) -> None:
    """A PUT may change the name."""
    token = await person.bearer()
    await person.homey("PUT", first(person), token, json={"name": "other"})

    assert person.simulator.get_variable("other") == ""


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
async def test_created(person: Person, body: Any, status: int) -> None:
    """A POST needs a flat name, type and value that fit each other."""
    answer = await person.homey("POST", "/logic/variable/", await person.bearer(), json=body)

    assert status == answer.status
    assert status != 200 or body == {key: answer.json[key] for key in body}


async def test_broken_json(person: Person) -> None:
    """A body that is no JSON is 400."""
    url = person.told["homey"].replace("{cloudid}", person.told["cloudid"])
    headers = {
        "Authorization": f"Bearer {await person.bearer()}",
        "Content-Type": "application/json",
    }
    answer = await person.ask(
        "PUT", f"{url}/api/manager{first(person)}", data=b"{", headers=headers
    )

    assert answer.status == 400


async def test_other_type(person: Person) -> None:
    """A value of another type is 400; the type was fixed when it was made."""
    token = await person.bearer()

    assert (await person.homey("PUT", first(person), token, json={"value": 1})).status == 400


async def test_deleted(person: Person) -> None:
    """A deleted variable is 404 for every method."""
    token = await person.bearer()
    gone = [await person.homey(one, first(person), token) for one in ("DELETE", "DELETE", "GET")]
    put = await person.homey("PUT", first(person), token, json={"value": "x"})

    assert [*(one.status for one in gone), put.status] == [200, 404, 404, 404]


async def test_missing_scopes(meet: Meet) -> None:
    """With homey.logic.readonly reading is allowed and writing is Missing Scopes."""
    person = await meet(scopes=("homey.logic.readonly",))
    token = await person.bearer()
    read = await person.homey("GET", "/logic/variable", token)
    write = await person.homey("PUT", first(person), token, json={"value": "x"})

    assert read.status == 200
    assert write.error[:2] == (403, "Missing Scopes")


async def test_slash_refused(meet: Meet) -> None:
    """By switch the slash at the end is 404."""
    person = await meet(slash="refused")
    token = await person.bearer()
    path = first(person)

    assert [
        (await person.homey("PUT", one, token, json={"value": "x"})).status
        for one in (f"{path}/", path)
    ] == [404, 200]


async def test_changed_from_outside(person: Person) -> None:
    """A test sets, adds, reads and deletes variables by name or id."""
    simulator = person.simulator
    made = simulator.add_variable("again", "string", "a")
    simulator.set_variable("again", "b")

    assert simulator.get_variable(made["id"]) == "b"

    simulator.delete_variable("again")
    with pytest.raises(KeyError):
        simulator.get_variable("again")
