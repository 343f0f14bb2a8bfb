"""The configuration file is found in order, read within bounds, and never skipped silently."""

import os
import threading
from pathlib import Path

import pytest

from homey_tokend.config import DefaultPaths, load, locate
from homey_tokend.config.locate import SystemPaths
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

CANARY = "canary-5f3a-Hunter2"

MINIMAL = f"""\
homeys:
  home:
    email: you@example.com
    password: {CANARY}
    client_id: id
    client_secret: {{env: HOMEY_CLIENT_SECRET}}
    cloudid: cloudid
"""


@pytest.fixture
def system(tmp_path: Path) -> SystemPaths:
    """The paths of the system, below the test's directory."""
    root = tmp_path / "system"
    root.mkdir()
    return SystemPaths(root / "etc/config.yaml", root / "run", root / "state")


def write(path: Path, text: str | bytes = MINIMAL, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    path.chmod(mode)
    return path


def faults(error: pytest.ExceptionInfo[ConfigurationInvalid]) -> list[ConfigFault]:
    assert CANARY not in str(error.value)
    return list(error.value.faults)


def test_order(tmp_path: Path, system: SystemPaths) -> None:
    """The first existing file is used."""
    home = tmp_path / "home"
    named = write(tmp_path / "named.yaml")
    from_variable = write(tmp_path / "variable.yaml")
    from_unit = write(tmp_path / "unit/config.yaml")
    of_system = write(system.config)
    of_person = write(home / ".config/homey-tokend/config.yaml")
    person = {"HOME": str(home)}
    unit = {"CONFIGURATION_DIRECTORY": f"{tmp_path}/unit:/other"}
    variable = {**unit, "HOMEY_TOKEND_CONFIG": str(from_variable)}

    assert named == locate.find(str(named), variable, system)
    assert from_variable == locate.find(None, variable, system)
    assert from_unit == locate.find(None, unit, system)
    assert of_system == locate.find(None, person, system)
    of_system.unlink()
    assert of_person == locate.find(None, person, system)
    of_person.unlink()
    assert None is locate.find(None, {**person, "CONFIGURATION_DIRECTORY": "/no/such"}, system)


def test_xdg_config_home(tmp_path: Path, system: SystemPaths) -> None:
    """An absolute XDG_CONFIG_HOME replaces ~/.config; a relative one is ignored."""
    found = write(tmp_path / "xdg/homey-tokend/config.yaml")
    environ = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}

    assert found == locate.find(None, environ, system)
    assert None is locate.find(None, {"XDG_CONFIG_HOME": "xdg", "HOME": str(tmp_path)}, system)


def test_named_and_missing(tmp_path: Path) -> None:
    """An explicit file that does not exist is an error, with the reason."""
    path = str(tmp_path / "none.yaml")
    for explicit, environ in ((path, {}), (None, {"HOMEY_TOKEND_CONFIG": path})):
        with pytest.raises(ConfigurationInvalid) as raised:
            load(explicit, environ)
        [fault] = faults(raised)

        assert path == fault.source
        assert "cannot be read: no such file or directory" == fault.message


def test_there_and_unreadable(system: SystemPaths, tmp_path: Path) -> None:
    """A file that exists but cannot be read is an error, not skipped."""
    write(tmp_path / ".config/homey-tokend/config.yaml")
    system.config.parent.mkdir()
    system.config.symlink_to("config.yaml")
    with pytest.raises(ConfigurationInvalid) as raised:
        load(None, {"HOME": str(tmp_path)}, system)
    [fault] = faults(raised)

    assert "cannot be read: too many levels of symbolic links" == fault.message


def test_folder(tmp_path: Path) -> None:
    """A directory in place of the file is reported as one."""
    with pytest.raises(ConfigurationInvalid) as raised:
        load(str(tmp_path), {})
    [fault] = faults(raised)

    assert "is a folder" == fault.message


def test_folder_that_cannot_be_entered(system: SystemPaths, tmp_path: Path) -> None:
    """A directory without access may contain the file: an error, not skipped."""
    write(system.config)
    system.config.parent.chmod(0)
    root = os.geteuid() == 0
    if root:
        # Root may look everywhere: become somebody who gets as far as the directory, and no further.
        for above in (tmp_path / "system", tmp_path, *tmp_path.parents[:2]):
            above.chmod(0o711)
        os.seteuid(65534)
    try:
        with pytest.raises(ConfigurationInvalid) as raised:
            load(None, {"HOME": str(tmp_path)}, system)
    finally:
        if root:
            os.seteuid(0)
        system.config.parent.chmod(0o700)
    [fault] = faults(raised)

    assert "cannot be read: permission denied" == fault.message


def test_nul_in_the_name() -> None:
    """A NUL in the path is reported, not raised."""
    with pytest.raises(ConfigurationInvalid) as raised:
        load("a\0b", {})
    [fault] = faults(raised)

    assert "contains a NUL character" == fault.message


def test_error_while_it_is_read() -> None:
    """A file that opens but cannot be read is reported: /proc/self/mem has nothing at 0."""
    with pytest.raises(ConfigurationInvalid) as raised:
        load("/proc/self/mem", {})
    [fault] = faults(raised)

    assert "cannot be read: input/output error" == fault.message


def test_endless_file() -> None:
    """An endless file is read up to the bound, and reported."""
    with pytest.raises(ConfigurationInvalid) as raised:
        load("/dev/zero", {})
    [fault] = faults(raised)

    assert "is larger than 1 MiB" == fault.message


def test_pipe_without_a_writer(tmp_path: Path) -> None:
    """A pipe without a writer does not block the start."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationInvalid) as raised:
        load(str(tmp_path / "pipe"), {})
    [fault] = faults(raised)

    assert "is empty" == fault.message


def test_pipe_of_the_shell() -> None:
    """The shell's <(…) is read to its end, even if it is slow."""
    reading, writing = os.pipe()
    pipe = os.fdopen(writing, "w")
    writer = threading.Timer(0.05, print, [MINIMAL], {"file": pipe, "flush": True})
    writer.start()
    closer = threading.Timer(0.1, pipe.close)
    closer.start()
    config = load(f"/dev/fd/{reading}", {})
    writer.join()
    closer.join()
    os.close(reading)

    assert ["home"] == list(config.homeys)


def test_loaded_file(tmp_path: Path, system: SystemPaths) -> None:
    """A file is parsed with its path as source and the machine's directories as defaults."""
    system.run.mkdir()
    path = write(tmp_path / "config.yaml")
    config = load(str(path), {"HOME": str(tmp_path)}, system)

    assert str(path) == config.source
    assert f"{path}:4:15 homeys.home.password" == config.homeys["home"].password.place
    assert system.run / "homey-tokend.sock" == config.socket.path
    assert tmp_path / ".local/state/homey-tokend/state.json" == config.state.path
    assert () == config.warnings


def test_world_readable(tmp_path: Path) -> None:
    """A secret in a file that everybody can read is a warning, without the secret."""
    path = write(tmp_path / "config.yaml", mode=0o644)
    [warning] = load(str(path), {}).warnings

    assert "homeys.home.password" == warning.key
    assert "is a secret in a file that everybody on this machine can read" == warning.message
    assert CANARY not in str(warning)


def test_group_readable(tmp_path: Path) -> None:
    """A file that only a group can read is fine."""
    path = write(tmp_path / "config.yaml", mode=0o640)

    assert () == load(str(path), {}).warnings


def test_world_readable_without_secrets(tmp_path: Path) -> None:
    """A file without secrets may be readable by everybody."""
    text = MINIMAL.replace(CANARY, "{file: /etc/homey-tokend/password}")
    path = write(tmp_path / "config.yaml", text, mode=0o644)

    assert () == load(str(path), {}).warnings


def test_environment(tmp_path: Path, system: SystemPaths) -> None:
    """Without a file, the environment alone describes one Homey."""
    cloudid = write(tmp_path / "cloudid", "cloudid\n")
    environ = {
        "HOMEY_EMAIL": "you@example.com",
        "HOMEY_PASSWORD": CANARY,
        "HOMEY_CLIENT_ID": "id",
        "HOMEY_CLIENT_SECRET": "secret",
        "HOMEY_CLOUDID_FILE": str(cloudid),
        "HOME": str(tmp_path),
    }
    config = load(None, environ, system)

    assert "environment" == config.source
    assert "cloudid" == config.homeys["home"].cloudid


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"\xff", "is not UTF-8"),
        (b"x" * 65537, "is larger than 64 KiB"),
        (None, "cannot be read: no such file or directory"),
    ],
    ids=["latin1", "huge", "missing"],
)
def test_bad_value_file(
    tmp_path: Path, content: bytes | None, words: str, system: SystemPaths
) -> None:
    """An invalid file behind a variable is an error of that variable."""
    path = tmp_path / "cloudid"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationInvalid) as raised:
        load(None, {"HOMEY_CLOUDID_FILE": str(path), "HOME": str(tmp_path)}, system)
    [fault] = [fault for fault in faults(raised) if fault.key == "HOMEY_CLOUDID_FILE"]

    assert fault.message.endswith(words)
    assert str(path) in str(fault)


def test_nothing_at_all(tmp_path: Path, system: SystemPaths) -> None:
    """Without a configuration every searched place is listed, with what to do."""
    with pytest.raises(ConfigurationInvalid) as raised:
        load(None, {"HOME": str(tmp_path), "CONFIGURATION_DIRECTORY": "/no/such"}, system)
    [fault] = faults(raised)

    assert (
        "there is none: looked for --config, $HOMEY_TOKEND_CONFIG, /no/such/config.yaml, "
        f"{system.config}, {tmp_path}/.config/homey-tokend/config.yaml and HOMEY_EMAIL "
        "in the environment"
    ) == fault.message
    assert fault.remedy.startswith("Call homey-tokend init, which asks for the values")


def test_default_folders(system: SystemPaths, tmp_path: Path) -> None:
    """systemd's directories take precedence, then the system's if writable, then the user's."""
    given = {
        "RUNTIME_DIRECTORY": "/run/unit:/run/other",
        "STATE_DIRECTORY": "/var/lib/unit",
        "XDG_RUNTIME_DIR": "/run/user/1000",
        "XDG_STATE_HOME": str(tmp_path / "state-home"),
        "HOME": str(tmp_path),
    }
    own = {name: value for name, value in given.items() if not name.endswith("_DIRECTORY")}
    bare = {"HOME": str(tmp_path)}
    without_folders = locate.default_paths(own, system), locate.default_paths(bare, system)
    system.run.mkdir()
    system.state.mkdir()

    assert DefaultPaths(
        Path("/run/unit/homey-tokend.sock"), Path("/var/lib/unit/state.json")
    ) == locate.default_paths(given, system)
    assert DefaultPaths(
        system.run / "homey-tokend.sock", system.state / "state.json"
    ) == locate.default_paths(own, system)
    assert (
        DefaultPaths(
            Path("/run/user/1000/homey-tokend/homey-tokend.sock"),
            tmp_path / "state-home/homey-tokend/state.json",
        ),
        DefaultPaths(
            system.run / "homey-tokend.sock",
            tmp_path / ".local/state/homey-tokend/state.json",
        ),
    ) == without_folders


def test_no_home(monkeypatch: pytest.MonkeyPatch, system: SystemPaths) -> None:
    """A user without a home, as in containers, is no error."""

    def unknown() -> Path:
        raise RuntimeError("no home")

    monkeypatch.setattr(Path, "home", unknown)

    assert Path("/.local/state/homey-tokend/state.json") == locate.default_paths({}, system).state


def test_home_of_the_user_database(monkeypatch: pytest.MonkeyPatch, system: SystemPaths) -> None:
    """Without $HOME, the user database has the home."""
    monkeypatch.setattr(Path, "home", lambda: Path("/somewhere"))

    assert (
        Path("/somewhere/.local/state/homey-tokend/state.json")
        == locate.default_paths({}, system).state
    )
