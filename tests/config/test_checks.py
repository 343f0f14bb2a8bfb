"""Conflicting values are errors; values that are most likely not intended are warnings."""

from pathlib import Path

import pytest

from homey_tokend.config import DefaultPaths, parse
from homey_tokend.core.errors import ConfigurationInvalid
from tests.config.texts import CANARY, HOMEY, below_home, read, reported


def two(first: str, second: str, *, cloudid: str = "other", email: str = "e@x") -> str:
    """Return two Homeys, each with further keys."""
    return f"""\
x-account: &account {{password: p, client_id: i, client_secret: s}}
homeys:
  one: {{<<: *account, email: e@x, cloudid: cloudid, {first}}}
  two: {{<<: *account, email: {email}, cloudid: {cloudid}, {second}}}
"""


@pytest.mark.parametrize(
    "sink",
    [
        "{type: file, path: /x}",
        "{type: logic_variable, name: accesstoken}",
        "{type: exec, command: [/x, y]}",
    ],
    ids=["file", "variable", "exec"],
)
def test_twice_in_one_homey(sink: str) -> None:
    """Two sinks of one Homey with the same target are an error at the second."""
    assert [
        (10, 9, "homeys.home.sinks[1]", "has the same target as homeys.home.sinks[0]")
    ] == reported(below_home("sinks:", f"  - {sink}", f"  - {sink}"))


def test_commands_with_other_arguments() -> None:
    """The same program with other arguments is another target."""
    text = below_home(
        "sinks:", "  - {type: exec, command: [/x, a]}", "  - {type: exec, command: [/x, b]}"
    )

    assert 2 == len(read(text).homeys["home"].sinks)


def test_files_across_homeys() -> None:
    """Two Homeys must not write to the same file, in any spelling of its path."""
    text = two("sinks: [{type: file, path: /a/x}]", "sinks: [{type: file, path: /a/../a/x}]")

    assert [
        (4, 59, "homeys.two.sinks[0]", "has the same target as homeys.one.sinks[0]")
    ] == reported(text)


def test_variables_across_homeys() -> None:
    """A variable of one Homey must not be written twice; of two Homeys it may."""
    sink = "sinks: [{type: logic_variable, name: a}]"
    same = two(sink, sink, cloudid="cloudid", email="f@x")

    assert ["homeys.two.sinks[0]"] == [key for _, _, key, _ in reported(same)]
    assert 2 == len(read(two(sink, sink)).homeys)


def test_variables_in_two_unicode_forms() -> None:
    """A composed and a decomposed name are one variable."""
    sinks = [f"{{type: logic_variable, name: {name}}}" for name in ("jet\u00f3n", "jeto\u0301n")]
    own = "{type: logic_variable, name: jet\u00f3n, state_variable: jeto\u0301n}"

    assert ["has the same target as homeys.home.sinks[0]"] == [
        message
        for *_, message in reported(below_home("sinks:", *(f"  - {sink}" for sink in sinks)))
    ]
    assert ["is the variable of name, too"] == [
        message for *_, message in reported(below_home("sinks:", f"  - {own}"))
    ]


@pytest.mark.parametrize("key", ["expires_variable", "state_variable"])
def test_variables_beside_the_token(key: str) -> None:
    """A variable besides the token's must be neither another token's nor its own."""
    first = f"{{type: logic_variable, name: a, {key}: b}}"
    second = "{type: logic_variable, name: b}"
    own = f"{{type: logic_variable, name: a, {key}: a}}"

    assert ["has the same target as homeys.home.sinks[0]"] == [
        message
        for _, _, _, message in reported(below_home("sinks:", f"  - {first}", f"  - {second}"))
    ]
    assert ["is the variable of name, too"] == [
        message for _, _, _, message in reported(below_home("sinks:", f"  - {own}"))
    ]
    assert 1 == len(read(below_home("sinks:", f"  - {first}")).homeys["home"].sinks)


def test_commands_across_homeys() -> None:
    """One command may serve several Homeys: its input names the Homey."""
    sink = "sinks: [{type: exec, command: [/x]}]"

    assert () == read(two(sink, sink)).warnings


def test_conflicts_beside_other_faults() -> None:
    """A conflict is found even if the cloud id or another Homey is invalid."""
    sink = "{type: logic_variable, name: a}"
    text = two(f"sinks: [{sink}, {sink}]", "sinks: 5").replace("cloudid: cloudid", "cloudid: []")

    assert ["homeys.one.cloudid", "homeys.one.sinks[1]", "homeys.two.sinks"] == [
        key for _, _, key, _ in reported(text)
    ]


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ("socket: {path: /x/y}", "socket.path"),
        ("state: {path: /x/y}", "state.path"),
        ("x-nothing: 1", "homeys.home.totp_secret"),
    ],
    ids=["socket", "state", "secret"],
)
def test_sink_over_own_files(own: str, key: str) -> None:
    """A sink that would overwrite a file of the daemon is an error."""
    lines = ["sinks: [{type: file, path: /x/../x/y}]"]
    if "secret" in key:
        lines.append("totp_secret: {file: /x/y}")
    text = below_home(*lines) + own + "\n"

    assert [(8, 32, "homeys.home.sinks[0].path", f"would overwrite the file of {key}")] == reported(
        text
    )


@pytest.mark.parametrize(
    ("text", "place", "own"),
    [
        (below_home("sinks: [{type: file, path: //etc/x}]", "totp_secret: {file: /etc/x}"),
         "homeys.home.sinks[0].path", "the file of homeys.home.totp_secret"),
        (below_home("sinks: [{type: file, path: /x/y.lock}]") + "socket: {path: /x/y}\n",
         "homeys.home.sinks[0].path", "the lock of socket.path"),
        (below_home("sinks: [{type: file, path: /default/state.json}]"),
         "homeys.home.sinks[0].path", "the file of state.path"),
        (below_home("sinks: [{type: file, path: /x/y.reserve}]") + "state: {path: /x/y}\n",
         "homeys.home.sinks[0].path", "the reserve of state.path"),
        (below_home("sinks: [{type: file, path: /default/d.sock.lock}]") + "socket: 5\n",
         "homeys.home.sinks[0].path", "the lock of socket.path"),
        (below_home("sinks: [{type: file, path: /etc/c.yaml}]"),
         "homeys.home.sinks[0].path", "the configuration"),
        (below_home("totp_secret: {file: /x/y}") + "state: {path: /x/y}\n",
         "state.path", "the file of homeys.home.totp_secret"),
        (HOMEY + "state: {path: /etc/../etc/c.yaml}\n", "state.path", "the configuration"),
        (HOMEY + "socket: {path: /x/y}\nstate: {path: /x/y}\n",
         "state.path", "the file of socket.path"),
    ],
    ids=["slashes", "lock", "reserve", "default state", "default socket", "configuration", "state over a secret",
         "state over the configuration", "state over the socket"],
)  # fmt: skip
def test_over_own_files(text: str, place: str, own: str) -> None:
    """The same for paths that are written and for defaults."""
    with pytest.raises(ConfigurationInvalid) as caught:
        parse(text.encode(), "c.yaml", defaults=PLACES, environ={}, path="/etc/c.yaml")

    assert (place, f"would overwrite {own}") in [
        (fault.key, fault.message) for fault in caught.value.faults
    ]


PLACES = DefaultPaths(socket=Path("/default/d.sock"), state=Path("/default/state.json"))


def test_without_a_state_its_path_is_free() -> None:
    """Without a state file its default path is free."""
    text = below_home("sinks: [{type: file, path: /default/state.json}]") + "state: {path: null}\n"
    config = parse(text.encode(), "c.yaml", defaults=PLACES, environ={})

    assert config.state.path is None


@pytest.mark.parametrize(
    ("text", "key", "message"),
    [
        (below_home("sinks: [{type: file, path: /x, mode: 0644}]"), "homeys.home.sinks[0].mode",
         "mode 0644 lets everybody on this machine read the token file"),
        (below_home("sinks: [{type: file, path: /x, mode: 0660}]"), "homeys.home.sinks[0].mode",
         "mode 0660 lets others change the token file"),
        (HOMEY + "socket: {mode: 0666}\n", "socket.mode",
         "mode 0666 lets everybody on this machine have the token"),
        (HOMEY + "http: {listen: 0.0.0.0:9464}\n", "http.listen",
         "is not a loopback address: the network can read status and metrics"),
        (HOMEY + "http: {listen: tokend.example:9464}\n", "http.listen",
         "is not a loopback address: the network can read status and metrics"),
        (two("url: auto", "url: auto", cloudid="cloudid"), "homeys.two.cloudid",
         "is the same Homey and account as homeys.one"),
    ],
)  # fmt: skip
def test_warnings(text: str, key: str, message: str) -> None:
    """Valid values that are most likely not intended are warnings with place and remedy."""
    [warning] = read(text).warnings

    assert (key, message) == (warning.key, warning.message)
    assert warning.line > 0
    assert warning.remedy.endswith(".")


@pytest.mark.parametrize(
    "text",
    [
        below_home("sinks: [{type: file, path: /x, mode: 0640}]"),
        HOMEY + "socket: {mode: 0666, allow: {users: [me]}}\n",
        HOMEY + "http: {listen: localhost:1}\n",
        HOMEY + 'http: {listen: "[::1]:1"}\n',
        HOMEY + "http: {listen: 127.1.2.3:1}\n",
        two("url: auto", "url: auto", cloudid="cloudid", email="f@x"),
    ],
    ids=["file", "socket", "localhost", "ipv6", "loopback", "accounts"],
)
def test_no_warnings(text: str) -> None:
    """A good configuration causes no warning."""
    assert () == read(text).warnings


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("' right'", "has a blank as its character number 1, which is sent with it"),
        (r'"\u200dright"', "(zero width joiner) as its character number 1, which is sent with it"),
        ("'\"right\"'", "is in quotes, which are sent with it"),
    ],
)
def test_doubtful_passwords(written: str, words: str) -> None:
    """A character that is most likely not part of a password is a warning."""
    text = HOMEY.replace(f"password: {CANARY}", f"password: {written}")
    [warning] = read(text).warnings

    assert "homeys.home.password" == warning.key
    assert warning.message.endswith(words)


@pytest.mark.parametrize("key", ["email", "client_id", "client_secret"])
def test_accidents_in_other_values(key: str) -> None:
    """In other values it is an error."""
    text = HOMEY.replace(f"    {key}: ", f"    {key}: '\"right\"' # ")

    assert [f"homeys.home.{key}"] == [fault for _, _, fault, _ in reported(text)]
