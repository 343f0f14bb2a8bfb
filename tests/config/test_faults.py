"""Every error has its place, key, message and remedy, and all are reported at once."""

import pytest
from pydantic import ValidationError

from homey_tokend.config.faults import validation_faults
from homey_tokend.config.field_types import Section
from homey_tokend.config.model import SECTIONS
from homey_tokend.config.secrets import FileSource
from homey_tokend.config.tree import Mark, Tree
from tests.config.texts import CANARY, HOMEY, NEXT, below_home, faults, read, reported

MAPPING = "where a mapping belongs"


@pytest.mark.parametrize(
    ("line", "column", "key", "message"),
    [
        ("refresh: {at: 0}", 15, "refresh.at", 'must be a number above 0 and at most 0.95, not "0"'),
        ("refresh: {at: 0.96}", 15, "refresh.at", 'must be a number above 0 and at most 0.95, not "0.96"'),
        ("refresh: {at: half}", 15, "refresh.at", 'must be a number above 0 and at most 0.95, not "half"'),
        ("refresh: {at: .nan}", 15, "refresh.at", 'must be a number above 0 and at most 0.95, not ".nan"'),
        ("refresh: {at: [1]}", 15, "refresh.at", "is a list where a single value belongs"),
        ("refresh: {jitter: -1}", 19, "refresh.jitter", 'must be a number from 0 to 0.95, not "-1"'),
        ("refresh: {at: 0.2, jitter: 0.2}", 28, "refresh.jitter",
         "0.2 is not below at, which is 0.2"),
        ("refresh: {at: 0.01}", 10, "refresh.jitter", "0.05 is not below at, which is 0.01"),
        ("refresh: {lifetime: 0.5}", 21, "refresh.lifetime",
         '"0.5" is not a duration from 1s to 365d'),
        ("refresh: {lifetime: 12:34}", 21, "refresh.lifetime",
         '"12:34" is not a duration from 1s to 365d'),
        ("refresh: {verify_every: 10ms}", 25, "refresh.verify_every",
         '"10ms" is not a duration from 1s to 365d'),
        ("refresh: {timeout: 1h}", 20, "refresh.timeout",
         '"1h" is not a duration from 100ms to 10m'),
        ("refresh: {timeout: }", 19, "refresh.timeout",
         "an empty value is not a duration from 100ms to 10m"),
        ("refresh: {retry: {first: 5m, max: 1m}}", 35, "refresh.retry.max",
         "1m is below first, which is 5m"),
        ("refresh: {retry: {first: 10m}}", 18, "refresh.retry.max",
         "5m is below first, which is 10m"),
        ("refresh: {retry: {first: 0, max: 1s}}", 26, "refresh.retry.first",
         '"0" is not a duration from 10ms to 1h'),
        ("refresh: {retry: {max: 25h}}", 24, "refresh.retry.max",
         '"25h" is not a duration from 10ms to 24h'),
        ("refresh: {method: fast}", 19, "refresh.method", '"fast" is none of full, refresh_token'),
        ("refresh: {at: 0.5, jiter: 0}", 20, "refresh.jiter", "is not a known key"),
        ("refresh: [at]", 10, "refresh", f"is a list {MAPPING}"),
        ("refresh: 5", 10, "refresh", f"is a single value {MAPPING}"),
        ("refresh: {retry: [1]}", 18, "refresh.retry", f"is a list {MAPPING}"),
        ("socket: {path: homey.sock}", 16, "socket.path",
         '"homey.sock" is not the absolute path of a file'),
        ("socket: {path: ~/x.sock}", 16, "socket.path",
         "this value is not the absolute path of a file"),
        ("socket: {path: /run/}", 16, "socket.path", '"/run/" is not the absolute path of a file'),
        ("socket: {path: }", 15, "socket.path", "is empty"),
        (f"socket: {{path: /{'x' * 107}}}", 16, "socket.path",
         "is longer than the 107 bytes that a unix socket's path can have"),
        ("socket: {mode: 0888}", 16, "socket.mode", '"0888" is not an octal file mode'),
        ("socket: {mode: 04755}", 16, "socket.mode", '"04755" is not an octal file mode'),
        ("socket: {mode: rw}", 16, "socket.mode", '"rw" is not an octal file mode'),
        ("socket: {group: a b}", 17, "socket.group", '"a b" is not a user or group'),
        ("socket: {allow: [me]}", 17, "socket.allow", f"is a list {MAPPING}"),
        ("socket: {allow: {users: me}}", 25, "socket.allow.users",
         "is a single value where a list belongs"),
        ("socket: {allow: {users: {me: 1}}}", 25, "socket.allow.users",
         "is a mapping where a list belongs"),
        ("socket: {allow: {groups: [ok, 'a:b']}}", 31, "socket.allow.groups[1]",
         '"a:b" is not a user or group'),
        ("socket: {allow: {groups: ['']}}", 27, "socket.allow.groups[0]", "is empty"),
        ("socket: {allow_api: {user: []}}", 22, "socket.allow_api.user", "is not a known key"),
        ("http: {listen: 9464}", 16, "http.listen", '"9464" is not host:port'),
        ("http: {listen: 127.0.0.1:70000}", 16, "http.listen",
         '"127.0.0.1:70000" is not host:port'),
        ("http: {hosts: ['a.example:9464']}", 16, "http.hosts[0]",
         '"a.example:9464" is not a host name'),
        ("http: {hosts: ['*.example']}", 16, "http.hosts[0]", "this value is not a host name"),
        ("state: null", 8, "state", "is empty"),
        ("state: {path: {}}", 15, "state.path", "is a mapping where a single value belongs"),
        ("log: {level: loud}", 14, "log.level", '"loud" is none of info, debug, warning, error'),
        (f"log: {{level: {'x' * 41}}}", 14, "log.level",
         "this value is none of info, debug, warning, error"),
        ("log: {format: xml}", 15, "log.format",
         '"xml" is none of auto, console, json, journal'),
        ("endpoints: {api: http://api.example}", 18, "endpoints.api",
         "is plain http, which is only accepted for this machine (loopback)"),
        ("endpoints: {api: https://u:p@api.example}", 18, "endpoints.api",
         "contains a user name or password"),
        ("endpoints: {api: 'https://api.example?x=1'}", 18, "endpoints.api",
         "contains a query or a fragment"),
        ("endpoints: {api: https://api.example/#x}", 18, "endpoints.api",
         "contains a query or a fragment"),
        ('endpoints: {api: "https://{cloudid}.example"}', 18, "endpoints.api",
         "contains braces without a meaning here"),
        ('endpoints: {homey: "https://{id}.example"}', 20, "endpoints.homey",
         "contains braces without a meaning here"),
        ("endpoints: {api: api.example}", 18, "endpoints.api",
         "is not a URL of the form https://host"),
        ("endpoints: {api: https://api.example:99999}", 18, "endpoints.api",
         "is not a URL of the form https://host"),
        ("endpoints: {api: }", 17, "endpoints.api", "is empty"),
        ("refersh: {}", 1, "refersh", "is not a known key"),
        ("'no key: at all': {}", 1, "…", "is not a key"),
        ("x: {}", 1, "x", "is not a known key"),
    ],
    ids=lambda value: value if isinstance(value, str) and ": " in value else "",
)  # fmt: skip
def test_sections(line: str, column: int, key: str, message: str) -> None:
    """An error in a section is reported at its place."""
    assert [(NEXT, column, key, message)] == reported(HOMEY + line + "\n")


@pytest.mark.parametrize(
    ("line", "column", "key", "message"),
    [
        ("redirect_url: localhost", 19, "redirect_url",
         '"localhost" is not a URL without a fragment'),
        (f"redirect_url: a:{'x' * 4096}", 19, "redirect_url",
         "is longer than 4096 characters"),
        (f"url: https://{'x' * 2048}", 10, "url", "is longer than 2048 characters"),
        ("redirect_url: http://localhost/#x", 19, "redirect_url",
         "this value is not a URL without a fragment"),
        ("url: http://192.0.2.7", 10, "url",
         "is plain http, which is only accepted for this machine (loopback)"),
        ("url: [x]", 10, "url", "is a list where a single value belongs"),
        ("totp_secret: JBSWY3DP", 18, "totp_secret",
         "is not base32 of at least 16 characters"),
        ("totp_secret: JBSWY3DPEHPK3PX1", 18, "totp_secret",
         "is not base32 of at least 16 characters"),
        ("totp_secret: ''", 18, "totp_secret", "is empty"),
        ("sinks: {type: file}", 12, "sinks", "is a mapping where a list belongs"),
        ("sinks: [file]", 13, "sinks[0]", f"is a single value {MAPPING}"),
        ("sinks: [[file]]", 13, "sinks[0]", f"is a list {MAPPING}"),
        ("sinks: [{path: /x}]", 13, "sinks[0]",
         "a sink needs a type, one of logic_variable, file, exec"),
        ("sinks: [{type: mqtt}]", 13, "sinks[0]",
         "a sink needs a type, one of logic_variable, file, exec"),
        ("sinks: [{type: [file]}]", 13, "sinks[0]",
         "a sink needs a type, one of logic_variable, file, exec"),
        ("sinks: [{type: file}]", 13, "sinks[0].path", "is missing"),
        ("sinks: [{type: file, path: x}]", 32, "sinks[0].path",
         '"x" is not the absolute path of a file'),
        ("sinks: [{type: file, path: /x, format: yaml}]", 44, "sinks[0].format",
         '"yaml" is none of raw, env, json'),
        ("sinks: [{type: file, path: /x, mod: 1}]", 36, "sinks[0].mod", "is not a known key"),
        ("sinks: [{type: exec, command: /x -y}]", 35, "sinks[0].command",
         "is a single value where a list belongs"),
        ("sinks: [{type: exec, command: []}]", 35, "sinks[0].command", "is an empty list"),
        ("sinks: [{type: exec, command: [bin/x]}]", 35, "sinks[0].command",
         "does not start with a program"),
        ("sinks: [{type: exec, command: [curl -s https://example.com]}]", 35, "sinks[0].command",
         "is a whole command line in one item"),
        ("sinks: [{type: exec, command: [/x, [y]]}]", 40, "sinks[0].command[1]",
         "is a list where a single value belongs"),
        ("sinks: [{type: exec, command: [/x], timeout: 0}]", 50, "sinks[0].timeout",
         '"0" is not a duration from 100ms to 10m'),
        ("sinks: [{type: logic_variable}]", 13, "sinks[0].id", "neither name nor id is given"),
        ("sinks: [{type: logic_variable, name: null}]", 13, "sinks[0].id",
         "neither name nor id is given"),
        ("sinks: [{type: logic_variable, name: '', id: x}]", 42, "sinks[0].name", "is empty"),
        ("sinks: [{type: logic_variable, name: a, id: 0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11}]", 49,
         "sinks[0].id", "both id and name are given"),
        ("sinks: [{type: logic_variable, name: a, create: maybe}]", 53, "sinks[0].create",
         '"maybe" is neither true nor false'),
        ("sinks: [{type: logic_variable, id: 0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11, create: on}]",
         86, "sinks[0].create", "needs a name, and the variable has an id"),
        ("emial: x", 5, "emial", "is not a known key"),
    ],
    ids=lambda value: value if isinstance(value, str) and ": " in value else "",
)  # fmt: skip
def test_homeys(line: str, column: int, key: str, message: str) -> None:
    """An error in a Homey is reported at its place; an invalid name and id are both reported."""
    seen = reported(below_home(line))

    assert (NEXT, column, f"homeys.home.{key}", message) == seen[0]
    assert len(seen) == (2 if "id: x" in line else 1)


@pytest.mark.parametrize(
    ("text", "line", "column", "key", "message"),
    [
        ("log: {}\n", 1, 1, "homeys", "is missing"),
        ("homeys:\n", 1, 8, "homeys", "is empty"),
        ("homeys: {}\n", 1, 9, "homeys", "names no Homey"),
        ("homeys: []\n", 1, 9, "homeys", f"is a list {MAPPING}"),
        ("homeys: home\n", 1, 9, "homeys", f"is a single value {MAPPING}"),
        ("homeys: {home: }\n", 1, 15, "homeys.home", "is empty"),
        ("homeys: {home: x}\n", 1, 16, "homeys.home", f"is a single value {MAPPING}"),
        (HOMEY.replace("  home:", "  My_Home:"), 2, 3, "homeys.My_Home",
         '"My_Home" is not a name of 1 to 32 lower-case letters, digits and dashes'),
        (HOMEY.replace("  home:", f"  {'h' * 33}:"), 2, 3, f"homeys.{'h' * 33}",
         f'"{"h" * 33}" is not a name of 1 to 32 lower-case letters, digits and dashes'),
        (HOMEY.replace("  home:", "  '':"), 2, 3, "homeys.…", "is empty"),
        (HOMEY.replace("cloudid: cloudid", "cloudid: a.b"), 7, 14, "homeys.home.cloudid",
         '"a.b" is not a cloud id'),
        (HOMEY.replace("cloudid: cloudid", "cloudid:"), 7, 13, "homeys.home.cloudid", "is empty"),
        (HOMEY.replace("    cloudid: cloudid\n", ""), 2, 3, "homeys.home.cloudid", "is missing"),
        (HOMEY.replace("client_id: id", "client_id: {}"), 5, 16, "homeys.home.client_id",
         "is an empty mapping"),
        (HOMEY.replace("client_id: id", "client_id: {env: A, file: /b}"), 5, 16,
         "homeys.home.client_id", "names several sources"),
        (HOMEY.replace("client_id: id", "client_id: {keyring: a}"), 5, 16,
         "homeys.home.client_id", "names a source that is not known"),
        (HOMEY.replace("client_id: id", "client_id: {env: 1A}"), 5, 16, "homeys.home.client_id",
         "gives no proper name of an environment variable"),
        (HOMEY.replace("client_id: id", "client_id: {credential: ../a}"), 5, 16,
         "homeys.home.client_id", "gives no proper name of a credential"),
        (HOMEY.replace("client_id: id", "client_id: {file: a}"), 5, 16, "homeys.home.client_id",
         "names a file without an absolute path"),
        (HOMEY.replace("client_id: id", "client_id: {command: a}"), 5, 16,
         "homeys.home.client_id", "gives no list of a program and its arguments"),
    ],
)  # fmt: skip
def test_texts(text: str, line: int, column: int, key: str, message: str) -> None:
    """Errors in the structure of the file are reported at their place."""
    assert [(line, column, key, message)] == reported(text)


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("refersh: {}", "Did you mean refresh?"),
        ("Refresh: {}", "Did you mean refresh?"),
        ("refresh: {verify-every: 1}", "Did you mean verify_every?"),
        ("refresh: {retry: {fist: 1}}", "Did you mean first?"),
        ("log: {colour: no}", "Known here: level, format."),
        ("'a b': 1", "Write key, colon, blank, value; quote text that contains a brace."),
    ],
)
def test_nearest_key(line: str, remedy: str) -> None:
    """For an unknown key the nearest known one is suggested, or all are listed."""
    assert [remedy] == [fault.remedy for fault in faults(HOMEY + line + "\n")]


def test_all_at_once() -> None:
    """Errors of YAML, values, relations and unknown keys are reported together, in order."""
    text = below_home(
        "cloudid: twice",
        "sinks:",
        "  - {type: file, path: /x}",
        "  - {type: file, path: /x, mode: 9}",
        "  - {type: file, path: /./x}",
        "url: ftp://x",
    ) + ("refresh: {at: 2, retry: {first: 1h}}\nsockets: {}\n")

    assert [
        (8, "homeys.home.cloudid"),
        (11, "homeys.home.sinks[1].mode"),
        (12, "homeys.home.sinks[2]"),
        (13, "homeys.home.url"),
        (14, "refresh.at"),
        (14, "refresh.retry.max"),
        (15, "sockets"),
    ] == [(fault.line, fault.key) for fault in faults(text)]


def test_too_many_to_report() -> None:
    """Beyond a hundred errors, the first hundred are reported and that there are more."""
    text = HOMEY + "".join(f"key{number}: 1\n" for number in range(500))
    seen = faults(text)

    assert 101 == len(seen)
    assert "has more than 100 faults" == seen[0].message


def test_fault_style() -> None:
    """An error is one line that editors can jump to."""
    [fault] = faults(HOMEY + "log: {level: loud}\n")

    assert (
        'config.yaml:8:14: log.level: "loud" is none of info, debug, warning, error. Write info.'
    ) == str(fault)


def test_every_model_has_its_place() -> None:
    """The nearest key is found in every section."""
    base = FileSource.__mro__[1]
    below = {each for model in Section.__subclasses__() for each in model.__subclasses__()}
    sources: set[type] = set(base.__subclasses__())
    sections = {
        model
        for model in {*Section.__subclasses__(), *below} - sources
        if not model.__name__.startswith("_") and model.__name__ != "HomeyConfig"
    }

    assert sections == set(SECTIONS.values())


def test_unexpected_errors_of_pydantic() -> None:
    """An unexpected error of pydantic is reported in our words."""
    error = ValidationError.from_exception_data(
        "Document", [{"type": "uuid_type", "loc": ("refresh", "at"), "input": CANARY}]
    )
    [fault] = validation_faults(error, Tree("config.yaml", None, {(): (Mark(1, 1), Mark(1, 1))}))

    assert (
        "config.yaml:1:1: refresh.at: is not what belongs here. "
        "Compare it with docs/configuration.md."
    ) == str(fault)


def test_wrongly_typed_secrets() -> None:
    """A secret of the wrong type is an error, and not repeated."""
    for written in (f"[{CANARY}]", f"{{a: {CANARY}}}", f"[[{CANARY}]]"):
        [fault] = faults(HOMEY.replace(f"password: {CANARY}", f"password: {written}"))

        assert "homeys.home.password" == fault.key


def test_a_secret_in_quotes() -> None:
    """Characters with a meaning in YAML are text within quotes."""
    for written in ("'{x}'", '"[x]"', "'*x'", "'!x'", "'null'"):
        text = HOMEY.replace(f"password: {CANARY}", f"password: {written}")
        plain = read(text).homeys["home"].password.plain

        assert plain is not None
        assert written[1:-1] == plain.reveal()
