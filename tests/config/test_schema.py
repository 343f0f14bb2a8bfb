"""The schema for editors accepts what the checks accept, as far as a schema can express it."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from homey_tokend.config import schema
from homey_tokend.config.model import SECTIONS
from homey_tokend.core.errors import ConfigurationInvalid
from tests.config.texts import read

GOOD: dict[str, Any] = {
    "homeys": {
        "home": {
            "email": "you@example.com",
            "password": {"file": "/etc/password"},
            "client_id": 123,
            "client_secret": {"env": "SECRET"},
            "cloudid": "cloudid",
            "redirect_url": "http://localhost",
            "totp_secret": {"credential": "totp"},
            "url": "auto",
            "sinks": [
                {
                    "type": "logic_variable",
                    "name": "accesstoken",
                    "create": True,
                    "expires_variable": "accesstoken_ends",
                    "state_variable": "accesstoken_is",
                },
                {"type": "file", "path": "/run/x", "mode": "0640", "format": "raw"},
                {"type": "exec", "command": ["/bin/x"], "timeout": "30s", "on": ["token"]},
            ],
        }
    },
    "refresh": {
        "at": 0.5,
        "jitter": 0.01,
        "lifetime": "24h",
        "verify_every": 0,
        "retry": {"first": "1s", "max": "5m"},
        "timeout": 30,
        "method": "full",
    },
    "socket": {
        "path": "/run/x.sock",
        "mode": "0660",
        "group": None,
        "allow": {"users": ["me", 1000], "groups": []},
        "allow_api": {"groups": ["all"]},
    },
    "http": {"listen": "127.0.0.1:1"},
    "state": {"path": None},
    "log": {"level": "info", "format": "auto"},
    "endpoints": {
        "accounts": "https://a.example",
        "api": "http://localhost:1/x/",
        "homey": "https://{cloudid}.example",
    },
    "x-free": {"any": ["thing"]},
}

SINKS = ("homeys", "home", "sinks")

#: Values by their place: the schema and the checks must agree on each.
VALUES: dict[tuple[str | int, ...], list[Any]] = {
    (): [{}, [], {"homeys": {}}, {"homeys": GOOD["homeys"]}],
    ("homeys",): [None, [], {}, {"A": GOOD["homeys"]["home"]}, {"a-1": GOOD["homeys"]["home"]}],
    ("homeys", "home"): [None, {}, "x", [], {"email": "x"}],
    **{
        ("homeys", "home", key): [
            "x", 5, 1.5, True, "", "\n", [], {}, {"file": "/x"}, {"file": "x"}, {"file": "/x/"},
            {"env": "A_1"}, {"env": "1A"}, {"env": "A", "file": "/x"}, {"keyring": "x"},
            {"credential": "a.b"}, {"credential": "../a"}, {"command": ["/x", 1]},
            {"command": ["x"]}, {"command": ["a/x"]}, {"command": []}, {"command": "x"},
        ]
        for key in ("email", "password", "client_id", "client_secret")
    },
    ("homeys", "home", "totp_secret"): [None, "JBSWY3DPEHPK3PXP", "", [], {}, {"env": "A"}],
    ("homeys", "home", "cloudid"): ["a", "a-b", 12, "a.b", "a b", "", [], {}, "-a", "a" * 64],
    ("homeys", "home", "redirect_url"): ["app://x", "x", "http://a#b", "http://a b", [], ""],
    ("homeys", "home", "url"): ["auto", "automatic", "https://a", "http://a", "https://a/b/", []],
    SINKS: [None, [], {}, "x", [{}], [[]], ["x"], [{"type": "mqtt"}], [{"type": []}]],
    (*SINKS, 0): [
        {"type": "logic_variable", "id": "0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11"},
        {"type": "logic_variable", "id": "x"},
        {"type": "logic_variable", "name": "a", "id": "0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11"},
        {"type": "logic_variable"},
        {"type": "logic_variable", "name": None},
        {"type": "logic_variable", "name": 5, "path": "/x"},
        {"name": "a"},
    ],
    (*SINKS, 0, "name"): ["a", "a b", "", 5, "a" * 129, "a\tb", [], None],
    (*SINKS, 0, "create"): [True, False, "yes", "off", "maybe", 1, None, []],
    (*SINKS, 0, "expires_variable"): ["a", "", 5, "a" * 129, "a\tb", [], None],
    (*SINKS, 0, "state_variable"): ["a b", "", True, "a\nb", {}, None],
    (*SINKS, 1): [{"type": "file"}, {"type": "file", "path": "/y"}, {"path": "/y"}],
    (*SINKS, 1, "path"): ["/x", "x", "/", "", "/x/", "/a\nb", 5, None, []],
    (*SINKS, 1, "mode"): ["0640", "640", "0o640", "0888", "", "06400", None, [], 640, -1],
    (*SINKS, 1, "format"): ["raw", "env", "json", "xml", None, 5],
    (*SINKS, 2, "command"): [["x"], [], "x", ["a/b"], ["/a", ""], [""], ["/a", []], [5], None],
    (*SINKS, 2, "timeout"): ["30s", 0.1, 0.05, 601, "x", "", None, True],
    (*SINKS, 2, "on"): [
        ["token", "error", "recovered"], ["error"], [], ["x"], "token", None, [[]], [5],
        ["error", "error"],
    ],
    ("refresh",): [None, {}, [], "x", {"att": 1}],
    ("refresh", "at"): [0.95, 0.96, 0, -1, "0.5", "x", None, True, [], 0.02],
    ("refresh", "jitter"): [0, 0.1, -0.1, 0.96, "0.1", "x", None, []],
    ("refresh", "lifetime"): [1, 0.5, "7d", "7w", 365 * 86400, 366 * 86400, None, []],
    ("refresh", "verify_every"): [0, 1, 0.5, "15m", "x", None],
    ("refresh", "retry"): [None, {}, {"first": 2}, {"fist": 2}, [], "x"],
    ("refresh", "retry", "first"): [0.01, 0.001, 299, "1s", "x", None],
    ("refresh", "retry", "max"): [86400, 86401, 2, "24h", "x", None],
    ("refresh", "timeout"): [0.1, 600, 601, 0, "x", None],
    ("refresh", "method"): ["full", "refresh_token", "fast", None],
    ("socket",): [None, {}, [], 5, {"paths": "/x"}],
    ("socket", "path"): ["/x", "x", "", None, []],
    ("socket", "mode"): ["0600", "rw", None, []],
    ("socket", "group"): [None, "a", 5, "a b", "", []],
    ("socket", "allow"): [None, {}, [], {"user": []}, "x"],
    ("socket", "allow", "users"): [None, [], ["a", 1], ["a b"], "a", {}, [[]]],
    ("socket", "allow_api"): [None, {}, [], {"groups": None}, {"x": 1}],
    ("http",): [None, {}, [], {"port": 1}],
    ("http", "listen"): [None, "localhost:1", "[::1]:1", "a:65535", "a:65536", "a:00001", "1", "x", ":1", 5, []],
    ("state",): [None, {}, [], {"file": "/x"}],
    ("state", "path"): [None, "/x", "x", "", []],
    ("log",): [None, {}, []],
    ("log", "level"): ["debug", "warning", "warn", None, 1],
    ("log", "format"): ["auto", "console", "json", "journal", "xml", None],
    ("endpoints",): [None, {}, [], {"cloud": "https://x"}],
    ("endpoints", "accounts"): ["https://a:1/b/", "ftp://a", "https://", "https://a?b", None, []],
    ("endpoints", "api"): ["https://a:65535", "https://a:65536/x", "http://127.0.0.1", "http://[::1]:1", "http://a", "https://{cloudid}"],
    ("endpoints", "homey"): ["https://a", "https://{cloudid}/x", "https://{id}", "http://{cloudid}"],
    ("x-free",): [None, [], 5],
    ("free",): [None],
}  # fmt: skip


def changed() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield documents that differ from ``GOOD`` in one value."""
    for path, values in VALUES.items():
        for value in values:
            yield f"{'.'.join(map(str, path))}={json.dumps(value)[:60]}", with_value(path, value)


def with_value(path: tuple[str | int, ...], value: Any) -> Any:
    """Return ``GOOD`` with one value changed."""
    if not path:
        return value
    document = copy.deepcopy(GOOD)
    below: Any = document
    for key in path[:-1]:
        below = below[key]
    below[path[-1]] = value
    return document


def accepted(document: object) -> bool:
    """Return whether the checks accept a document, JSON being YAML."""
    try:
        read(json.dumps(document))
    except ConfigurationInvalid:
        return False
    return True


VALIDATOR = Draft202012Validator(schema())


def test_is_a_schema() -> None:
    """The schema is valid, and names its draft."""
    Draft202012Validator.check_schema(schema())

    assert "https://json-schema.org/draft/2020-12/schema" == schema()["$schema"]


def test_good() -> None:
    """The document with every key is valid for both."""
    assert (True, []) == (accepted(GOOD), list(VALIDATOR.iter_errors(GOOD)))


@pytest.mark.parametrize(
    "document", [pytest.param(document, id=name) for name, document in changed()]
)
def test_same_verdict(document: object) -> None:
    """Schema and checks agree."""
    assert accepted(document) == VALIDATOR.is_valid(document)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        # A path beyond the kernel's length.
        (("socket", "path"), "/" + "x" * 200),
        # Bounds of what is written as text.
        (("refresh", "lifetime"), "366d"),
        (("refresh", "at"), "5"),
        # Relations.
        (("refresh", "jitter"), 0.6),
        (("refresh", "retry", "first"), 301),
        (("homeys", "home", "sinks"), [{"type": "file", "path": "/x"}] * 2),
        (("homeys", "home", "sinks", 0, "expires_variable"), "accesstoken"),
        # Base32, and an octal number that looks like a decimal one.
        (("homeys", "home", "totp_secret"), "nonsense!"),
        (("homeys", "home", "sinks", 1, "mode"), 488),
    ],
    ids=lambda value: str(value)[:40],
)
def test_beyond_the_schema(path: tuple[str | int, ...], value: object) -> None:
    """Some errors only the checks can find."""
    document = with_value(path, value)

    assert not accepted(document)
    assert VALIDATOR.is_valid(document)


def test_null_as_a_secret() -> None:
    """An unquoted null is text to the checks; the schema rejects it, since it is most likely a mistake."""
    document = with_value(("homeys", "home", "password"), None)

    assert accepted(document)
    assert not VALIDATOR.is_valid(document)


LEAVES = [path for path in VALUES if path and path != ("free",)]
JSON = st.recursive(
    st.booleans() | st.integers(-5, 1000) | st.sampled_from(["x", "/x", "auto", "https://a"]),
    lambda below: (
        st.lists(below, max_size=2)
        | st.dictionaries(
            st.sampled_from(["file", "type", "path", "users", "a"]), below, max_size=2
        )
    ),
    max_leaves=4,
)


@given(st.sampled_from(LEAVES), JSON)
def test_same_verdict_on_anything(path: tuple[str | int, ...], value: object) -> None:
    """With any value in any place, a document that the checks accept is valid for the schema."""
    document = with_value(path, value)
    if accepted(document):
        assert VALIDATOR.is_valid(document)


def test_no_examples_are_bad() -> None:
    """Every example in the schema is valid in its place."""
    places: dict[tuple[str, ...], tuple[str | int, ...]] = {
        ("homeys", "*"): ("homeys", "home"),
        ("homeys", "*", "sinks", "*", "logic_variable"): (*SINKS, 0),
        ("homeys", "*", "sinks", "*", "file"): (*SINKS, 1),
        ("homeys", "*", "sinks", "*", "exec"): (*SINKS, 2),
    }
    for shape, model in SECTIONS.items():
        for key, field in model.model_fields.items():
            if (shape, key) in {
                ((), "homeys"),
                (("homeys", "*", "sinks", "*", "logic_variable"), "id"),
            }:
                continue  # an excerpt, and one that excludes the name beside it
            for example in field.examples or ():
                document = with_value((*places.get(shape, shape), key), example)

                assert (key, True) == (key, accepted(document))
                assert (key, True) == (key, VALIDATOR.is_valid(document))


def test_descriptions_and_examples() -> None:
    """Every key has a description, and every key but a sink's type an example."""
    for model in SECTIONS.values():
        for key, field in model.model_fields.items():
            assert field.description, key
            assert field.examples or key == "type", key


def test_defaults_as_written() -> None:
    """Defaults are shown as people write them."""
    shown = schema()["$defs"]

    assert "24h" == shown["RefreshConfig"]["properties"]["lifetime"]["default"]
    assert "0660" == shown["SocketConfig"]["properties"]["mode"]["default"]
    assert (
        "/var/lib/homey-tokend/state.json" == shown["StateConfig"]["properties"]["path"]["default"]
    )
    assert "auto" == shown["HomeyDocument"]["properties"]["url"]["default"]
    assert {} == schema()["properties"]["refresh"]["default"]
    assert 0.5 == shown["RefreshConfig"]["properties"]["at"]["default"]


def test_fresh() -> None:
    """A schema that is changed is a copy."""
    schema()["title"] = "other"

    assert "homey-tokend" == schema()["title"]
