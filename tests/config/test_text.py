"""A valid file is read as intended; missing values have their defaults."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import ValidationError

from homey_tokend.config import (
    AllowConfig,
    DefaultPaths,
    ExecSinkConfig,
    FileSinkConfig,
    HomeyConfig,
    HttpConfig,
    LogConfig,
    LogicVariableConfig,
    RefreshConfig,
    RetryConfig,
    SocketConfig,
    StateConfig,
    parse,
)
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import Secret, SecretRef, SecretSource
from tests.config.texts import CANARY, HOMEY, below_home, read


def test_defaults() -> None:
    """A file with one Homey and nothing else has every default."""
    config = read(HOMEY)
    home = config.homeys["home"]

    assert RefreshConfig(
        at=0.5,
        jitter=0.05,
        lifetime=timedelta(hours=24),
        verify_every=timedelta(minutes=15),
        retry=RetryConfig(first=timedelta(seconds=1), max=timedelta(minutes=5)),
        timeout=timedelta(seconds=30),
        method="full",
    ) == (config.refresh)
    assert (
        SocketConfig(
            path=Path("/run/homey-tokend/homey-tokend.sock"),
            mode=0o660,
            group=None,
            allow=AllowConfig(users=(), groups=()),
            allow_api=None,
        )
        == config.socket
    )
    assert HttpConfig(listen=None) == config.http
    assert StateConfig(path=Path("/var/lib/homey-tokend/state.json")) == config.state
    assert LogConfig(level="info", format="auto") == config.log
    assert Endpoints() == config.endpoints
    assert () == config.warnings
    assert "config.yaml" == config.source
    assert ("home", "http://localhost", None, None, ()) == (
        home.name,
        home.redirect_url,
        home.totp_secret,
        home.url,
        home.sinks,
    )


def test_default_folders() -> None:
    """Socket and state are in the system's directories, unless configured otherwise."""
    defaults = DefaultPaths(Path("/a.sock"), Path("/b.json"))
    config = parse(HOMEY.encode(), "x", defaults=defaults, environ={})
    text = HOMEY + "socket: {path: /c.sock}\nstate: {path: null}\n"
    other = parse(text.encode(), "x", defaults=defaults, environ={})

    assert (Path("/a.sock"), Path("/b.json")) == (config.socket.path, config.state.path)
    assert (Path("/c.sock"), None) == (other.socket.path, other.state.path)


def test_everything() -> None:
    """Every key is read."""
    config = read(
        below_home(
            "redirect_url: http://localhost/",
            "totp_secret: jbsw y3dp ehpk 3pxp",
            "url: https://192-0-2-7.homey.homeylocal.com:4860/",
            "sinks:",
            "  - {type: logic_variable, name: accesstoken, create: yes}",
            "  - {type: logic_variable, id: 0B2E6F3C-9d3f-4c5b-8a55-0f6f2f1d7c11}",
            '  - {type: file, path: /run/home.token, mode: "0640", format: env}',
            "  - {type: file, path: /run/home.json, mode: 0440, format: json}",
            "  - {type: exec, command: [/opt/on-token, 0123, yes], timeout: 1m}",
        )
        + """
refresh: {at: .9, jitter: 0, lifetime: 7d, verify_every: 0, retry: {first: 500ms, max: 1h},
  timeout: 2.5, method: refresh_token}
socket: {path: /run/x.sock, mode: 0600, group: 1000, allow: {users: [007, root], groups: [wheel]},
  allow_api: {groups: [no]}}
http: {listen: "[::1]:9464"}
state: {path: null}
log: {level: debug, format: journal}
endpoints: {accounts: http://127.0.0.1:1/accounts/, api: https://api.example, homey: "http://localhost:1/{cloudid}/"}
x-free: [anything, {at: all}]
"""
    )
    home = config.homeys["home"]

    assert "http://localhost/" == home.redirect_url
    assert "https://192-0-2-7.homey.homeylocal.com:4860" == home.url
    assert (
        LogicVariableConfig(name="accesstoken", create=True),
        LogicVariableConfig(id="0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11"),
        FileSinkConfig(path=Path("/run/home.token"), mode=0o640, format="env"),
        FileSinkConfig(path=Path("/run/home.json"), mode=0o440, format="json"),
        ExecSinkConfig(command=("/opt/on-token", "0123", "yes"), timeout=timedelta(minutes=1)),
    ) == home.sinks
    assert (
        RefreshConfig(
            at=0.9,
            jitter=0.0,
            lifetime=timedelta(days=7),
            verify_every=None,
            retry=RetryConfig(first=timedelta(milliseconds=500), max=timedelta(hours=1)),
            timeout=timedelta(seconds=2.5),
            method="refresh_token",
        )
        == config.refresh
    )
    assert (
        SocketConfig(
            path=Path("/run/x.sock"),
            mode=0o600,
            group="1000",
            allow=AllowConfig(users=("007", "root"), groups=("wheel",)),
            allow_api=AllowConfig(groups=("no",)),
        )
        == config.socket
    )
    assert ("::1", 9464) == config.http.listen
    assert None is config.state.path
    assert LogConfig(level="debug", format="journal") == config.log
    assert (
        Endpoints(
            "http://127.0.0.1:1/accounts", "https://api.example", "http://localhost:1/{cloudid}"
        )
        == config.endpoints
    )


def test_targets() -> None:
    """A sink's target is safe to log: of a command's arguments it contains only a digest."""
    assert "logic_variable:accesstoken" == LogicVariableConfig(name="accesstoken").target
    assert "logic_variable:id=0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11" == (
        LogicVariableConfig(id="0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11").target
    )
    assert "file:/path" == FileSinkConfig(path=Path("/path")).target
    assert "exec:/opt/bin/on-token" == ExecSinkConfig(command=("/opt/bin/on-token",)).target
    assert CANARY not in ExecSinkConfig(command=("/x", CANARY)).target
    assert ExecSinkConfig(command=("/x", "a")).target != ExecSinkConfig(command=("/x", "b")).target


@pytest.mark.parametrize(
    "written",
    [
        "0123",
        "yes",
        "12:34:56",
        "1_000",
        "0x1F",
        "null",
        "~",
        "true",
        "1e3",
        "2001-01-01",
        "=",
        "<<",
    ],
)
def test_scalars_as_written(written: str) -> None:
    """Text that YAML would take for a number, a date or null stays as it is written."""
    config = read(HOMEY.replace(CANARY, written).replace("client_id: id", f"client_id: {written}"))
    home = config.homeys["home"]

    assert Secret(written) == home.password.plain
    assert Secret(written) == home.client_id.plain


def test_quoted_and_block_text() -> None:
    """Quotes and blocks are decoded as in YAML, and line ends at the end are dropped."""
    config = read(
        HOMEY.replace(f"password: {CANARY}", "password: |\n      one line\n").replace(
            f"client_secret: {CANARY}", 'client_secret: "\\ud83d\\ude00 \\u00e9"'
        )
    )
    home = config.homeys["home"]

    assert Secret("one line") == home.password.plain
    assert Secret("\U0001f600 é") == home.client_secret.plain


def test_secret_references() -> None:
    """A secret may be read from elsewhere; the reference knows its place."""
    config = read(
        """\
homeys:
  home:
    email: {file: /etc/email}
    password: {command: [pass, show, homey]}
    client_id: {env: CLIENT_ID}
    client_secret:
      credential: client-secret
    cloudid: cloudid
"""
    )
    home = config.homeys["home"]

    assert SecretRef(SecretSource.FILE, argument="/etc/email") == home.email
    assert SecretRef(SecretSource.COMMAND, argv=("pass", "show", "homey")) == home.password
    assert SecretRef(SecretSource.ENV, argument="CLIENT_ID") == home.client_id
    assert SecretRef(SecretSource.CREDENTIAL, argument="client-secret") == home.client_secret
    assert [
        "config.yaml:3:12 homeys.home.email",
        "config.yaml:4:15 homeys.home.password",
        "config.yaml:5:16 homeys.home.client_id",
        "config.yaml:7:7 homeys.home.client_secret",
    ] == [ref.place for ref in (home.email, home.password, home.client_id, home.client_secret)]


def test_order_of_homeys() -> None:
    """Homeys keep the order of the file; merged ones follow those that are written."""
    entry = "{<<: *account, cloudid: %s}"
    names = ["zulu", "alpha", "mike"]
    text = (
        "x-account: &account {email: e@x, password: p, client_id: i, client_secret: s}\nhomeys:\n"
        + "".join(f"  {name}: {entry % name}\n" for name in names)
    )

    more = "x-more: &more {first: {<<: *account, cloudid: first}}\n"
    merged = text.replace("homeys:\n", f"{more}homeys:\n  <<: *more\n")

    assert names == list(read(text).homeys)
    assert [*names, "first"] == list(read(merged).homeys)


def test_merge_keys() -> None:
    """Merged keys fill in missing ones; of several merges the first takes precedence."""
    config = read(
        """\
x-account: &account {email: e@x, password: account, client_id: i, client_secret: s}
x-office: &office {password: office, redirect_url: "http://office"}
homeys:
  one: {<<: *account, cloudid: one, password: own}
  two:
    <<: [*office, *account]
    cloudid: two
  three: &three
    <<: [*account, {redirect_url: "http://inline"}]
    cloudid: three
"""
    )
    seen = {
        name: (homey.password.plain, homey.redirect_url) for name, homey in config.homeys.items()
    }

    assert {
        "one": (Secret("own"), "http://localhost"),
        "two": (Secret("office"), "http://office"),
        "three": (Secret("account"), "http://inline"),
    } == seen


def test_empty_sections() -> None:
    """Sections whose keys are all commented out have their defaults."""
    text = below_home("sinks:", "totp_secret:") + (
        "refresh:\nsocket:\n  allow:\n  allow_api:\nhttp:\nlog:\nendpoints:\n"
    )
    config = read(text + "state: {}\n")

    assert RefreshConfig() == config.refresh
    assert SocketConfig() == config.socket
    assert (() == config.homeys["home"].sinks, None is config.homeys["home"].totp_secret) == (
        True,
        True,
    )


def test_byte_order_mark_and_line_ends() -> None:
    """Line ends and byte order marks of other systems are accepted."""
    data = b"\xef\xbb\xbf" + HOMEY.replace("\n", "\r\n").encode()

    assert ["home"] == list(read(data).homeys)


def test_frozen() -> None:
    """A configuration is immutable."""
    config = read(HOMEY)

    with pytest.raises(ValidationError):
        config.refresh.at = 0.9  # type: ignore[misc]  # what is tested
    with pytest.raises(AttributeError):
        config.source = "x"  # type: ignore[misc]  # what is tested
    with pytest.raises(TypeError):
        config.homeys["x"] = config.homeys["home"]  # type: ignore[index]  # what is tested


def test_no_secret_in_repr() -> None:
    """A printed configuration shows no secret."""
    assert CANARY not in repr(read(HOMEY))


def test_made_by_code() -> None:
    """The models can be built without YAML: plain texts are read as quoted ones."""
    ref = SecretRef(SecretSource.PLAIN, plain=Secret("x"))
    totp = SecretRef(SecretSource.ENV, argument="TOTP")
    homey = HomeyConfig(
        name="home",
        email=ref,
        password=ref,
        client_id=ref,
        client_secret=ref,
        totp_secret=totp,
        cloudid="cloudid",
        url=None,
        sinks=(FileSinkConfig(path="/x", mode=0o640), ExecSinkConfig(command=["/y", "z"])),
    )

    assert (
        FileSinkConfig(path=Path("/x"), mode=0o640),
        ExecSinkConfig(command=("/y", "z")),
    ) == homey.sinks
    assert totp == homey.totp_secret
