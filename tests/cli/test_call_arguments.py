"""How the words of a call become a request, and its answer a table."""

import json

import pytest

from homey_tokend.cli import call_arguments, table
from homey_tokend.hub import catalogue
from homey_tokend.hub.endpoint import Endpoint


def endpoint(name: str) -> Endpoint:
    found = catalogue.find(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("words", "path", "body"),
    [
        (["devices"], "devices/device", None),
        (["device", "a b:c"], "devices/device/a%20b%3Ac", None),
        (
            ["set-capability", "d", "onoff", "true"],
            "devices/device/d/capability/onoff",
            {"value": True},
        ),
        (
            ["set-capability", "d", "dim", "0.5"],
            "devices/device/d/capability/dim",
            {"value": 0.5},
        ),
        (["set-variable", "v", "on"], "logic/variable/v", {"value": "on"}),
        (["set-variable", "v", '"7"'], "logic/variable/v", {"value": "7"}),
        (["set-variable", "v", "NaN"], "logic/variable/v", {"value": "NaN"}),
        (["set-variable", "v", ""], "logic/variable/v", {"value": ""}),
        (["set-variable", "v", "{id}"], "logic/variable/v", {"value": "{id}"}),
        (["on", "d"], "devices/device/d/capability/onoff", {"value": True}),
        (["reboot"], "system/reboot", None),
        (["zwave-command", "x"], "zwave/command", {"command": "x"}),
        (["zwave-command", "x", '{"a":1}'], "zwave/command", {"command": "x", "opts": {"a": 1}}),
        (["zwave-heal", "5"], "zwave/command", {"command": "heal", "opts": {"nodeId": 5}}),
        (["zwave-test", "5"], "zwave/command", {"command": "sendData", "opts": "5,0x20,0x00"}),
    ],
)
def test_built_calls(words: list[str], path: str, body: object) -> None:
    """Each argument becomes one segment of the path, or a value of the body."""
    found = call_arguments.build_call(endpoint(words[0]), words[1:])

    assert f"/api/manager/{path}" == found[0]
    assert body == (None if found[1] is None else json.loads(found[1]))


@pytest.mark.parametrize(
    "words",
    [
        ["device"],
        ["device", ""],
        ["device", ".."],
        ["device", "a/b"],
        ["devices", "x"],
        ["set-capability", "d", "onoff"],
        ["zwave-command", "x", "y", "z"],
    ],
)
def test_wrong_words(words: list[str]) -> None:
    """Too few or too many arguments, and those that would change the path, are errors that name the expected ones."""
    with pytest.raises(call_arguments.InvalidArguments, match=r"expected: |is not a path segment"):
        call_arguments.build_call(endpoint(words[0]), words[1:])


@pytest.mark.parametrize(
    "value", ["1e999", "-1e999", "[1e999]", "[" * 60_000, "[" * 60_000 + "]" * 60_000]
)
def test_values_that_cannot_be_sent(value: str) -> None:
    """A number out of range and too deep nesting are errors in plain words."""
    with pytest.raises(call_arguments.InvalidArguments, match=r"is too large|nesting is too deep"):
        call_arguments.build_call(endpoint("set-variable"), ["v", value])


def test_tables() -> None:
    """A list of objects, or objects by id, is a table: names first, control characters replaced."""
    things = {
        "a": {"zone": "z", "name": "Lamp\x1b[2J", "id": "a", "tags": [1], "on": True},
        "b": {"id": "b", "name": "x" * 50, "zone": None, "on": False, "tags": []},
    }
    expected = (
        "id  name                                      zone  on\n"
        "a   Lamp [2J                                  z     true\n"
        f"b   {'x' * 39}…  -     false\n"
    )

    assert expected == table.table(things)
    assert expected == table.table(list(things.values()))


@pytest.mark.parametrize(
    "value",
    [
        *(None, 1, "a", [], {}, [1], {"a": 1}, {"value": {"latitude": 1}}, {"a": {"id": "b"}}),
        *([[]], [{}], [{"a": {"b": 1}}, {"a": {"b": 2}}]),
    ],
)
def test_no_tables(value: object) -> None:
    """Any other value is not a table."""
    assert table.table(value) is None
