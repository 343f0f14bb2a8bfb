"""Any bytes become a Config or errors: nothing else, and in bounded time."""

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.config import Config
from homey_tokend.core.errors import ConfigurationInvalid
from tests.config.test_schema import GOOD, VALUES, with_value
from tests.config.texts import HOMEY, read


def outcome(data: bytes | str) -> Config | str:
    """Return a Config, or the text of the errors, each of which must be complete."""
    try:
        return read(data)
    except ConfigurationInvalid as error:
        found = error
    assert found.faults
    assert all(fault.message and fault.remedy for fault in found.faults)
    # A log line must be able to contain it.
    return str(found).encode().decode()


@given(st.binary(max_size=200))
def test_bytes(data: bytes) -> None:
    """Any bytes."""
    outcome(data)


YAMLISH = st.text(
    st.sampled_from("ab:-?[]{},&*!|>'\"%@`#~<=0\n\t \\uUx\r\x85\u2028é\U0001f600"), max_size=60
)


@given(YAMLISH)
@settings(max_examples=400)
def test_yaml_indicators(text: str) -> None:
    """Any text made of characters that YAML interprets."""
    outcome(text)


@given(YAMLISH, st.integers(0, len(HOMEY)))
def test_a_good_file_with_something_in_it(text: str, index: int) -> None:
    """A valid file with a random insertion."""
    outcome(HOMEY[:index] + text + HOMEY[index:])


KEYS = st.sampled_from(
    ["homeys", "home", "email", "password", "cloudid", "sinks", "type", "path", "refresh", "retry",
     "socket", "allow", "users", "file", "command", "name", "id", "x-a", "<<", "[key]", ""]
)  # fmt: skip
TREES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | KEYS,
    lambda below: st.lists(below, max_size=4) | st.dictionaries(KEYS, below, max_size=5),
    max_leaves=30,
)


@given(TREES)
def test_trees(tree: object) -> None:
    """Any tree."""
    outcome(json.dumps(tree))


@given(TREES)
def test_trees_as_pyyaml_writes_them(tree: object) -> None:
    """Any tree with anchors, tags and block text as a dumper writes them."""
    outcome(
        yaml.dump({"homeys": tree, "socket": tree, "refresh": [tree, tree]}, allow_unicode=True)
    )


@given(st.sampled_from(list(VALUES)), TREES)
def test_trees_in_every_place(path: tuple[str | int, ...], tree: object) -> None:
    """Any tree in the place of any value."""
    outcome(json.dumps(with_value(path, tree)))


@pytest.mark.parametrize(
    "text",
    [
        "[" * 300_000, "{" * 300_000, "- " * 300_000, "? " * 300_000, "a: " * 300_000,
        "&a " * 100_000, "!" * 300_000, "'" * 300_000, "#" * 300_000, "\n" * 300_000,
        "a" * 300_000, "*a " * 100_000, "- a\n" * 200_000, "a:\n" * 200_000,
        "".join(f"k{n}: 1\n" for n in range(5_000)), '"' + "\\n" * 100_000 + '"',
        "x: " + "[" + "{}," * 5_000 + "]", "homeys:\n" + "".join(f"  H{n}: {{}}\n" for n in range(3_000)),
        "homeys: {h: {sinks: [" + "{type: file, path: /x}," * 1_000 + "]}}",
        "https://" + "a" * 100_000, "endpoints: {api: https://" + "a.-" * 100_000 + "!}",
        "refresh: {at: " + "1" * 100_000 + "}", "refresh: {timeout: " + "1" * 100_000 + "}",
    ],
    ids=range(23),
)  # fmt: skip
def test_time_is_bounded(text: str) -> None:
    """Large and hostile texts are rejected within the test's time, not in minutes."""
    assert isinstance(outcome(text), str)


def test_large_and_good() -> None:
    """A hundred Homeys with ten sinks each are read in time."""
    document = {
        **GOOD,
        "homeys": {
            f"home-{n}": {
                **GOOD["homeys"]["home"],
                "cloudid": f"c{n}",
                "sinks": [{"type": "file", "path": f"/x/{n}/{m}"} for m in range(10)],
            }
            for n in range(100)
        },
    }
    config = outcome(json.dumps(document))

    assert isinstance(config, Config)
    assert 100 == len(config.homeys)
