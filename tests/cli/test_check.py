"""``check`` warns of problems outside the configuration."""

import sys
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli import main
from tests.config.texts import HOMEY, below_home


@pytest.fixture
def check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> "Check":
    return Check(tmp_path / "config.yaml", monkeypatch, capsys)


class Check:
    """Run ``homey-tokend check`` and return its warnings."""

    def __init__(
        self, path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self._path = path
        self._monkeypatch = monkeypatch
        self._capsys = capsys
        for name in ("NO_PROXY", "HTTPS_PROXY", "ALL_PROXY", "SSL_CERT_FILE"):
            monkeypatch.delenv(name, raising=False)
            monkeypatch.delenv(name.lower(), raising=False)

    def __call__(self, text: str = HOMEY, **environ: str) -> list[str]:
        self._path.write_text(text, encoding="utf-8")
        self._path.chmod(0o600)
        for name, value in environ.items():
            self._monkeypatch.setenv(name, value)
        self._monkeypatch.setattr(sys, "argv", ["homey-tokend", "check", "-c", str(self._path)])
        assert exit_codes.OK == main.main()
        return self._capsys.readouterr().err.splitlines()


def test_nothing(check: Check) -> None:
    """A good configuration in an empty environment has no warning."""
    assert [] == check()


def test_unknown_users_and_groups(check: Check) -> None:
    """A name in the lists of users and groups that the machine does not have is reported."""
    allow = "{users: [root, nobody-here, 4711], groups: [no-group]}"
    [user, group, caller] = check(
        f"{HOMEY}socket: {{allow: {allow}, allow_api: {{users: [nobody-here]}}}}\n"
    )

    assert 'socket.allow.users: this machine has no user "nobody-here". Correct the name' in user
    assert 'socket.allow.groups: this machine has no group "no-group"' in group
    assert 'socket.allow_api.users: this machine has no user "nobody-here"' in caller


def test_proxies(check: Check) -> None:
    """A malformed proxy variable is reported."""
    [no_proxy, proxy] = check(NO_PROXY="<local>, athom.com", HTTPS_PROXY="socks5://p:1")

    assert no_proxy.startswith('warning: environment: no_proxy: "<local>" is malformed')
    assert proxy.startswith("warning: environment: https_proxy: is neither an http:// nor")


def test_authorities(check: Check, tmp_path: Path) -> None:
    """A bundle that OpenSSL would silently ignore is reported."""
    [missing] = check(SSL_CERT_FILE=f"{tmp_path}/none")
    [returned] = check(SSL_CERT_FILE=f"{tmp_path}/none\r")

    assert f"SSL_CERT_FILE: names {tmp_path}/none, which cannot be read: no such file" in missing
    assert "SSL_CERT_FILE: has a carriage return as its last character" in returned


def test_programs(check: Check, tmp_path: Path) -> None:
    """A script that the system would not run is reported, for a sink and for a secret."""
    script = tmp_path / "on-token"
    script.write_text("#!/bin/sh\r\n")
    script.chmod(0o755)
    text = below_home("sinks:", f"  - {{type: exec, command: [{script}]}}")
    sink, secret = check(
        text.replace("email: you@example.com", f"email: {{command: [{tmp_path}/none]}}")
    )[::-1]

    assert "homeys.home.sinks[0].command: the program has Windows line ends" in sink
    assert "homeys.home.email: the program does not exist. Correct the path" in secret


def test_a_command_line_in_one_item(check: Check, tmp_path: Path) -> None:
    """Its arguments, which may be private, are not shown."""
    [line] = check(
        below_home("sinks:", f"  - {{type: exec, command: [{tmp_path}/x --key hunter2]}}")
    )

    assert f"Write each word as an item of the list: command: [{tmp_path}/x, ARGUMENT…]." in line
    assert "hunter2" not in line


def test_rights(check: Check, tmp_path: Path) -> None:
    """What others may change is reported once: secrets, programs, and directories written to."""
    script, secret = tmp_path / "on-token", tmp_path / "secret"
    for path, text in ((script, "#!/bin/sh\n"), (secret, "you@example.com\n")):
        path.write_text(text)
        path.chmod(0o722)
    folders = {name: tmp_path / name for name in ("state", "run", "sink")}
    for folder in folders.values():
        folder.mkdir()
        folder.chmod(0o777)
    text = below_home(
        "sinks:",
        f"  - {{type: exec, command: [{script}]}}",
        f"  - {{type: exec, command: [/bin/sh, {script}]}}",
        f"  - {{type: file, path: {folders['sink']}/token}}",
    ).replace("email: you@example.com", f"email: {{file: {secret}}}")
    text += f"state: {{path: {folders['state']}/state.json}}\n"
    text += f"socket: {{path: {folders['run']}/run.sock}}\n"
    lines = [line for line in check(text) if "everybody on this machine can change" in line]

    assert [line.split(": ")[-3].split()[-1] for line in lines] == [
        "homeys.home.email",
        "homeys.home.sinks[0].command",
        "homeys.home.sinks[2].path",
        "state.path",
        "socket.path",
    ]
    assert lines[1].endswith(
        f"can change {script}, and so what the daemon does. Run: chmod o-w {script}"
    )


def test_authorities_that_others_may_change(check: Check, tmp_path: Path) -> None:
    """A user who can change them can take the place of Athom."""
    file, folder = tmp_path / "bundle.pem", tmp_path / "certificates"
    file.touch()
    file.chmod(0o666)
    folder.mkdir()
    folder.chmod(0o777)
    lines = check(SSL_CERT_FILE=str(file), SSL_CERT_DIR=f"/etc/ssl/certs:{folder}")
    found = [line for line in lines if "everybody on this machine can change" in line]

    assert f"environment: SSL_CERT_FILE: everybody on this machine can change {file}" in found[0]
    assert f"environment: SSL_CERT_DIR: everybody on this machine can change {folder}" in found[1]


def test_the_configuration_in_a_directory_of_all(check: Check, tmp_path: Path) -> None:
    """A user who can replace the configuration can have the password sent elsewhere."""
    tmp_path.chmod(0o777)
    [line] = check()

    assert f"config.yaml: everybody on this machine can change {tmp_path}," in line
