"""Without a file, environment variables describe one Homey; misspelt and unused ones are reported."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from homey_tokend.config import (
    Config,
    DefaultPaths,
    FileSinkConfig,
    LogicVariableConfig,
)
from homey_tokend.config.environment import DAEMON_VARIABLES, HOMEY_VARIABLES, from_environment
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid
from homey_tokend.core.http_types import Endpoints
from homey_tokend.core.secret import SecretRef, SecretSource
from tests.config.texts import CANARY, HOMEY, read

FULL = {
    "HOMEY_EMAIL": "you@example.com",
    "HOMEY_PASSWORD": CANARY,
    "HOMEY_CLIENT_ID": "id",
    "HOMEY_CLIENT_SECRET": CANARY,
    "HOMEY_CLOUDID": "cloudid",
}

FILES = {
    "/run/secrets/empty": "\n",
    "/run/secrets/cloudid": "from-a-file\n",
    "/run/secrets/variable": "accesstoken",
}


def read_text(path: str) -> str:
    if path not in FILES:
        raise ConfigurationInvalid([ConfigFault(path, 0, 0, "", "is not there", "Make it.")])
    return FILES[path]


def build(environ: Mapping[str, str]) -> Config | None:
    return from_environment(environ, defaults=DefaultPaths(), read_text=read_text)


def config_of(environ: Mapping[str, str]) -> Config:
    config = build(environ)
    assert config is not None
    return config


def faults(environ: Mapping[str, str]) -> list[ConfigFault]:
    with pytest.raises(ConfigurationInvalid) as raised:
        build(environ)
    assert CANARY not in f"{raised.value!r} {raised.value.__cause__!r}"
    assert all(fault.source == "environment" and fault.line == 0 for fault in raised.value.faults)
    return list(raised.value.faults)


def test_nothing() -> None:
    """Without a variable of the Homey there is no configuration, whatever else is set."""
    assert None is build({})
    assert None is build({"HOMEY_TOKEND_SOCKET": "/x", "HOMEY_URL": "x", "HOMEY_EMAIL": ""})


def test_required_variables() -> None:
    """Five variables are enough; secrets are not read yet, and know their variable."""
    config = config_of(FULL)
    home = config.homeys["home"]

    assert ["home"] == list(config.homeys)
    assert SecretRef(SecretSource.ENV, argument="HOMEY_PASSWORD") == home.password
    assert "environment HOMEY_PASSWORD" == home.password.place
    assert ("cloudid", "http://localhost", None, ()) == (
        home.cloudid,
        home.redirect_url,
        home.totp_secret,
        home.sinks,
    )
    assert DefaultPaths().socket == config.socket.path
    assert ((), "environment") == (config.warnings, config.source)


def test_everything() -> None:
    """Every variable has its key."""
    config = config_of(
        {
            **FULL,
            "HOMEY_TOTP_SECRET": "JBSWY3DPEHPK3PXP",
            "HOMEY_REDIRECT_URL": "http://localhost/x",
            "HOMEY_LOGIC_VARIABLE": "accesstoken",
            "HOMEY_TOKEND_SOCKET": "/x.sock",
            "HOMEY_TOKEND_SOCKET_MODE": "0600",
            "HOMEY_TOKEND_STATE": "null",
            "HOMEY_TOKEND_LOG_LEVEL": "debug",
            "HOMEY_TOKEND_HTTP_LISTEN": "127.0.0.1:9464",
            "HOMEY_TOKEND_ENDPOINT_ACCOUNTS": "http://localhost:1/accounts/",
            "HOMEY_TOKEND_ENDPOINT_API": "http://localhost:1/api",
            "HOMEY_TOKEND_ENDPOINT_HOMEY": "http://localhost:1/{cloudid}",
        }
    )
    home = config.homeys["home"]

    assert SecretSource.ENV == (home.totp_secret or home.email).source
    assert "http://localhost/x" == home.redirect_url
    assert (LogicVariableConfig(name="accesstoken", create=True),) == home.sinks
    assert (Path("/x.sock"), 0o600) == (config.socket.path, config.socket.mode)
    assert None is config.state.path
    assert "debug" == config.log.level
    assert ("127.0.0.1", 9464) == config.http.listen
    assert (
        Endpoints(
            "http://localhost:1/accounts", "http://localhost:1/api", "http://localhost:1/{cloudid}"
        )
        == config.endpoints
    )


def test_variable_by_id() -> None:
    """A UUID is the id of the logic variable."""
    identity = "0b2e6f3c-9d3f-4c5b-8a55-0f6f2f1d7c11"
    home = config_of({**FULL, "HOMEY_LOGIC_VARIABLE": identity}).homeys["home"]

    assert (LogicVariableConfig(id=identity),) == home.sinks


def test_files() -> None:
    """Each variable of the Homey may name a file; a secret in it is read at each sign-in."""
    environ = {
        "HOMEY_EMAIL_FILE": "/run/secrets/email",
        "HOMEY_PASSWORD_FILE": "/run/secrets/password",
        "HOMEY_CLIENT_ID_FILE": "/run/secrets/id",
        "HOMEY_CLIENT_SECRET_FILE": "/run/secrets/secret",
        "HOMEY_TOTP_SECRET_FILE": "/run/secrets/totp",
        "HOMEY_CLOUDID_FILE": "/run/secrets/cloudid",
        "HOMEY_LOGIC_VARIABLE_FILE": "/run/secrets/variable",
    }
    home = config_of(environ).homeys["home"]

    assert SecretRef(SecretSource.FILE, argument="/run/secrets/password") == home.password
    assert "environment HOMEY_PASSWORD_FILE" == home.password.place
    assert "from-a-file" == home.cloudid
    assert (LogicVariableConfig(name="accesstoken", create=True),) == home.sinks


def test_both_together() -> None:
    """A variable together with its _FILE is an error, along with all others."""
    environ = {**FULL, "HOMEY_PASSWORD_FILE": "/x", "HOMEY_CLOUDID": "a b", "HOMEY_EMAIL": ""}

    assert [
        ("HOMEY_CLOUDID", '"a b" is not a cloud id'),
        ("HOMEY_EMAIL", "is missing"),
        ("HOMEY_PASSWORD", "is set, and HOMEY_PASSWORD_FILE too"),
    ] == [(fault.key, fault.message) for fault in faults(environ)]


def test_only_both_together() -> None:
    """That error alone is enough."""
    [fault] = faults({**FULL, "HOMEY_PASSWORD_FILE": "/x"})

    assert "Unset one of them." == fault.remedy


def test_missing() -> None:
    """A missing value is reported by its variable, with both ways to set it."""
    reported = faults({"HOMEY_EMAIL": "you@example.com"})

    assert [
        "HOMEY_CLIENT_ID",
        "HOMEY_CLIENT_SECRET",
        "HOMEY_CLOUDID",
        "HOMEY_PASSWORD",
    ] == [fault.key for fault in reported]
    assert "Set HOMEY_CLIENT_ID or HOMEY_CLIENT_ID_FILE." == reported[0].remedy


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("HOMEY_TOKEND_SOCKET", "x", '"x" is not the absolute path of a file'),
        ("HOMEY_TOKEND_SOCKET_MODE", "rw", '"rw" is not an octal file mode'),
        ("HOMEY_TOKEND_STATE", "x", '"x" is not the absolute path of a file'),
        ("HOMEY_TOKEND_LOG_LEVEL", "x", '"x" is none of info, debug, warning, error'),
        ("HOMEY_TOKEND_HTTP_LISTEN", "x", '"x" is not host:port'),
        ("HOMEY_TOKEND_ENDPOINT_API", "x", "is not a URL of the form https://host"),
        ("HOMEY_REDIRECT_URL", "x", '"x" is not a URL without a fragment'),
        ("HOMEY_LOGIC_VARIABLE", "a" * 129, "this value is not a variable's name"),
        ("HOMEY_LOGIC_VARIABLE", "a\nb", "has a line break as its character number 2"),
        ("HOMEY_LOGIC_VARIABLE", '"accesstoken"', "is in quotes"),
        ("HOMEY_LOGIC_VARIABLE", "accesstoken ", "has a blank as its last character"),
        ("HOMEY_CLOUDID", "'cloudid'", "is in quotes"),
        ("HOMEY_TOKEND_SOCKET", '"/run/x"', "is in quotes"),
        ("HOMEY_PASSWORD_FILE", '"/run/x"', "is in quotes"),
        ("HOMEY_PASSWORD_FILE", "/\udcff", "is not UTF-8"),
    ],
)
def test_bad_values(name: str, value: str, message: str) -> None:
    """An invalid value is reported by its variable."""
    [fault] = faults({**FULL, name.removesuffix("_FILE"): "", name: value})

    assert (name, message) == (fault.key, fault.message)


def test_an_env_file_with_crlf() -> None:
    """A carriage return at the end of a variable is dropped, and alone it is no value."""
    names = [*FULL, "HOMEY_TOKEND_LOG_LEVEL"]
    environ = {name: f"{({**FULL, 'HOMEY_TOKEND_LOG_LEVEL': 'debug'})[name]}\r" for name in names}
    config = config_of({**environ, "HOMEY_LOGIC_VARIABLE": "\r", "HOMEY_PASSWORD_FILE": "\r"})

    assert ("cloudid", (), "debug") == (
        config.homeys["home"].cloudid,
        config.homeys["home"].sinks,
        config.log.level,
    )
    assert SecretSource.ENV is config.homeys["home"].password.source


@pytest.mark.parametrize("name", ["HOMEY_PASSWORD_FILE", "HOMEY_CLOUDID_FILE"])
@pytest.mark.parametrize("value", [CANARY, "./pw", "~/pw", "/run/secrets/"])
def test_a_file_without_its_whole_path(name: str, value: str) -> None:
    """A relative path is reported by its variable, with what to write there."""
    environ = {**FULL, name: value}
    del environ[name.removesuffix("_FILE")]
    [fault] = faults(environ)

    assert (
        name,
        "is not the absolute path of a file",
        "Write the whole path from / on; ~ and variables are not expanded.",
    ) == (fault.key, fault.message, fault.remedy)


def test_unreadable_file() -> None:
    """A file that cannot be read is reported by its variable, along with other errors."""
    environ = {**FULL, "HOMEY_CLOUDID": "", "HOMEY_CLOUDID_FILE": "/none", "HOMEY_EMAIL": ""}
    with pytest.raises(ConfigurationInvalid) as raised:
        build(environ)

    assert [
        ("/none", "HOMEY_CLOUDID_FILE", "is not there"),
        ("environment", "HOMEY_EMAIL", "is missing"),
    ] == [(fault.source, fault.key, fault.message) for fault in raised.value.faults]


def test_empty_file() -> None:
    """An empty file sets nothing."""
    [fault] = faults({**FULL, "HOMEY_CLOUDID": "", "HOMEY_CLOUDID_FILE": "/run/secrets/empty"})

    assert ("HOMEY_CLOUDID", "is missing") == (fault.key, fault.message)


def test_misspelt() -> None:
    """A misspelt variable is reported with the one most likely meant."""
    environ = {**FULL, "HOMEY_TOTP_SECERT": CANARY, "HOMEY_TOKEN": "x", "HOMEY_XYZ": "x", "A": "b"}
    [warning] = config_of(environ).warnings

    assert ("HOMEY_TOTP_SECERT", "Did you mean HOMEY_TOTP_SECRET?") == (
        warning.key,
        warning.remedy,
    )
    assert CANARY not in str(warning)


def test_conflict() -> None:
    """Relations are checked as in a file."""
    environ = {**FULL, "HOMEY_TOKEND_SOCKET_MODE": "0666"}
    [warning] = config_of(environ).warnings

    assert "mode 0666 lets everybody on this machine have the token" == warning.message


def test_a_file_wins() -> None:
    """With a file, set variables are ignored and listed, except those that it refers to."""
    environ = {
        "HOMEY_EMAIL": "x",
        "HOMEY_PASSWORD_FILE": CANARY,
        "HOMEY_CLIENT_SECRET": CANARY,
        "HOMEY_CLOUDID": "",
        "HOMEY_TOKEND_SOCKET": "/x",
        "HOMEY_TOKEND_CONFIG": "/y",
        "HOMEY_OTHER": "z",
    }
    text = HOMEY.replace(f"client_secret: {CANARY}", "client_secret: {env: HOMEY_CLIENT_SECRET}")
    config = read(text, environ)

    assert ["HOMEY_EMAIL", "HOMEY_PASSWORD_FILE", "HOMEY_TOKEND_SOCKET"] == [
        warning.key for warning in config.warnings
    ]
    assert all(CANARY not in str(warning) for warning in config.warnings)
    assert DefaultPaths().socket == config.socket.path


def test_names() -> None:
    """The variables are the documented ones."""
    assert {
        "HOMEY_EMAIL",
        "HOMEY_PASSWORD",
        "HOMEY_CLIENT_ID",
        "HOMEY_CLIENT_SECRET",
        "HOMEY_CLOUDID",
        "HOMEY_TOTP_SECRET",
        "HOMEY_REDIRECT_URL",
        "HOMEY_LOGIC_VARIABLE",
    } == set(HOMEY_VARIABLES)
    assert {
        f"HOMEY_TOKEND_{name}"
        for name in (
            "SOCKET",
            "SOCKET_MODE",
            "STATE",
            "LOG_LEVEL",
            "HTTP_LISTEN",
            "ENDPOINT_ACCOUNTS",
            "ENDPOINT_API",
            "ENDPOINT_HOMEY",
        )
    } == set(DAEMON_VARIABLES)


def test_not_a_file_sink() -> None:
    """A logic variable's name that looks like a path is still a name."""
    home = config_of({**FULL, "HOMEY_LOGIC_VARIABLE": "/x"}).homeys["home"]

    assert not isinstance(home.sinks[0], FileSinkConfig)
