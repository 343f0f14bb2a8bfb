"""The example is valid and has every key; the documentation has every key and every variable."""

import re
from pathlib import Path

import pytest
import yaml

from homey_tokend.config import Config, DefaultPaths, LogicVariableConfig, schema
from homey_tokend.config.environment import DAEMON_VARIABLES, HOMEY_VARIABLES, KNOWN
from homey_tokend.config.field_types import Section
from homey_tokend.config.model import SECTIONS, ConfigDocument
from tests.config.texts import read, reported

ROOT = Path(__file__).parents[2]
EXAMPLE = (ROOT / "config.example.yaml").read_text()
PAGE = (ROOT / "docs/configuration.md").read_text()

KEYS = sorted({(shape, key) for shape, model in SECTIONS.items() for key in model.model_fields})


def uncommented(key: str) -> str:
    """Return the example with a commented-out key activated."""
    return re.sub(rf"^( *)# ({key}:)", r"\1\2", EXAMPLE, flags=re.MULTILINE)


def example() -> Config:
    return read(EXAMPLE)


def test_example_loads() -> None:
    """The example is valid, without a warning, and has one sink of each type."""
    config = example()

    assert () == config.warnings
    assert ["home"] == list(config.homeys)
    assert 3 == len(config.homeys["home"].sinks)


def test_example_is_the_default() -> None:
    """Outside the Homeys, the example has the defaults."""
    config, bare = example(), ConfigDocument.model_construct(homeys={})

    assert bare.refresh == config.refresh
    assert bare.log == config.log
    assert bare.http == config.http
    assert DefaultPaths() == DefaultPaths(config.socket.path, config.state.path or Path())
    assert (0o660, None) == (config.socket.mode, config.socket.group)


@pytest.mark.parametrize(("shape", "key"), KEYS, ids=lambda value: "-".join(value) or "top")
def test_example_has_every_key(shape: tuple[str, ...], key: str) -> None:
    """Every key is in the example, in its place."""
    assert key in keys_below(yaml.safe_load(uncommented("allow_api")), shape) or (
        key == "id" and re.search(r"# id: [0-9a-f-]{36}$", EXAMPLE, re.MULTILINE)
    )


def keys_below(document: object, shape: tuple[str, ...]) -> set[str]:
    """Return the keys of a document in a place."""
    found = [document]
    for part in shape:
        found = [below for one in found for below in children(one, part)]
    keys = [key for one in found if isinstance(one, dict) for key in one]
    return {"on" if key is True else str(key) for key in keys}  # to YAML 1.1 "on" is a boolean


def children(node: object, part: str) -> list[object]:
    """Return what is below a node: a key's value, all values, or the sinks of a type."""
    if isinstance(node, dict) and node.get("type") == part:
        return [node]
    if isinstance(node, list):
        return node
    if isinstance(node, dict):
        return list(node.values()) if part == "*" else [node[part]] if part in node else []
    return []


def test_example_uncommented() -> None:
    """The commented-out lines of the example are valid as well."""
    assert read(uncommented("allow_api")).socket.allow_api is not None
    by_id = (
        uncommented("id")
        .replace("        name: accesstoken\n", "")
        .replace("        create: true\n", "")
    )

    assert isinstance(read(by_id).homeys["home"].sinks[0], LogicVariableConfig)


def section_of(shape: tuple[str, ...]) -> str:
    """Return the part of the page that describes the models in a place."""
    headings = {
        "logic_variable": "#### `type: logic_variable`",
        "file": "#### `type: file`",
        "exec": "#### `type: exec`",
        "*": "## `homeys`",
        "allow_api": "### `allow`",  # with the same keys, as the page says
    }
    name = shape[-1] if shape else ""
    heading = headings.get(name, f"{'#' * (len(shape) + 1)} `{name}`")
    start = PAGE.index(f"\n{heading}\n") if name else 0
    return re.split(r"\n##", PAGE[start + 3 :], maxsplit=1)[0] if name else PAGE


@pytest.mark.parametrize(("shape", "key"), KEYS, ids=lambda value: "-".join(value) or "top")
def test_page_has_every_key(shape: tuple[str, ...], key: str) -> None:
    """Every key has a row in its section of the page, or its own heading."""
    own = f"`{key}`\n" in PAGE and f"# `{key}`" in PAGE

    assert own or key == "type" or f"\n| `{key}` |" in section_of(shape)


@pytest.mark.parametrize("name", [*KNOWN, "HOMEY_TOKEND_CONFIG"])
def test_page_has_every_variable(name: str) -> None:
    """Every environment variable is on the page."""
    assert re.search(rf"`\$?{name}`", PAGE)


def test_page_has_the_keys_of_variables() -> None:
    """The page has the key of each variable."""
    for name, path in DAEMON_VARIABLES.items():
        assert f"| `{name}` | `{'.'.join(path)}` |" in PAGE
    for name, path in HOMEY_VARIABLES.items():
        assert f"| `{name}` | `{name}_FILE` |" in PAGE
        assert path[-1] == "sinks" or f"| `{name}_FILE` | `{path[-1]}` |" in PAGE


def test_page_has_the_defaults() -> None:
    """A default on the page is the real one."""
    compared = 0
    for shape, model in SECTIONS.items():
        for key, told_default in rows(section_of(shape)).items():
            if shape and key in model.model_fields and told_default.startswith("`"):
                compared += 1
                written = yaml.safe_load(told_default.partition("`")[2].partition("`")[0])

                assert (key, default(model, key)) == (key, shown(written))
    assert compared > 20


def rows(section: str) -> dict[str, str]:
    """Return the second column of a table, by the key in the first."""
    return dict(re.findall(r"^\| `(\w+)` \| ([^|]*) \|", section, re.MULTILINE))


def default(model: type[Section], key: str) -> object:
    """Return the default of a key as the schema shows it, which is how people write it."""
    return schema()["$defs"][model.__name__]["properties"][key].get("default")


def shown(written: object) -> object:
    """Check a default of the page; a path that depends on the machine starts with its file name."""
    return {
        "homey-tokend.sock": "/run/homey-tokend/homey-tokend.sock",
        "state.json": "/var/lib/homey-tokend/state.json",
    }.get(str(written), written)


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_page_examples_load() -> None:
    """Every YAML example on the page is valid, and the errors on it are real."""
    for block in blocks("yaml"):
        assert read(block).homeys
    text = "homeys: {home: {email: e, password: p, client_id: i, client_secret: s, cloudid: c}}\n"
    text += "\n" * 9 + "refresh:\n  # two slips\n  at: 2\n  jiter: 1\n"
    assert {message for *_, message in reported(text)} == {
        line.split(": ", 2)[2].rsplit(". ", 1)[0] for line in blocks("text")[0].splitlines()
    }


def test_one_sentence_per_line() -> None:
    """Prose on the page has one sentence per line."""
    prose = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    for line in prose.splitlines():
        if not line.startswith(("|", "#", "1", "2", "3", "4", "5")):
            assert not re.search(r"[a-z`)]\. [A-Z]", line), line
