"""Where the first configuration goes; all of it is written, or nothing."""

import grp
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli.setup import destination
from homey_tokend.cli.setup.destination import Destination
from homey_tokend.client.errors import ClientError
from homey_tokend.config.locate import SystemPaths

SECRETS = {"password": "pw", "client_secret": "cs"}


@pytest.fixture
def system(tmp_path: Path) -> Path:
    """The machine's directory, below a temporary one."""
    return tmp_path / "etc"


def destination_of(tmp_path: Path, system: Path) -> Destination:
    """Find the destination without --config."""
    return destination.find_destination(
        None, environ(tmp_path), SystemPaths(config=system / "config.yaml")
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def environ(tmp_path: Path) -> dict[str, str]:
    return {"HOME": str(tmp_path / "home")}


def test_a_named_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command line precedes the environment; a relative path becomes absolute."""
    monkeypatch.chdir(tmp_path)
    environment = {"HOMEY_TOKEND_CONFIG": "/elsewhere/b.yaml"}

    assert destination.find_destination("a.yaml", environment) == Destination(
        tmp_path / "a.yaml", tmp_path, unit=False
    )
    assert Path("/elsewhere/b.yaml") == destination.find_destination(None, environment).config


def test_for_one_person(tmp_path: Path, system: Path) -> None:
    """Without the machine's directory, the user's own is created."""
    place = destination_of(tmp_path, system)
    place.require_free()
    written = place.write("text", SECRETS)

    own = tmp_path / "home/.config/homey-tokend"
    assert [own / "password", own / "client-secret", own / "config.yaml"] == written
    assert ["pw\n", "cs\n", "text"] == [path.read_text() for path in written]
    assert [0o600] * 3 == [mode(path) for path in written]
    assert 0o700 == mode(own)
    assert not system.exists()


def test_for_the_unit(tmp_path: Path, system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a directory of credentials the secrets go there, and the unit's group can read the file."""
    group = grp.struct_group(("homey-tokend", "x", os.getgid(), []))
    monkeypatch.setattr(grp, "getgrnam", {"homey-tokend": group}.__getitem__)
    (system / "credentials").mkdir(parents=True)
    place = destination_of(tmp_path, system)
    written = place.write("text", SECRETS)

    assert [
        system / "credentials/password",
        system / "credentials/client_secret",
        system / "config.yaml",
    ] == written
    assert [0o600, 0o600, 0o640] == [mode(path) for path in written]
    assert ("homey_password", "homey_totp_secret") == (
        place.reference("password"),
        place.reference("totp_secret"),
    )


def test_an_existing_configuration(tmp_path: Path, system: Path) -> None:
    """An existing configuration is not shadowed by a second one."""
    system.mkdir()
    (system / "config.yaml").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ClientError, match="already exists") as caught:
        destination_of(tmp_path, system)

    assert exit_codes.CANNOT_CREATE == caught.value.exit_status


@pytest.mark.parametrize("parent", ["file/x", "file"])
def test_no_folder(tmp_path: Path, parent: str) -> None:
    """A file in place of the directory is reported before any question."""
    (tmp_path / "file").touch()
    config = tmp_path / parent / "config.yaml"
    with pytest.raises(ClientError, match="is not a folder that you can write to") as caught:
        Destination(config, config.parent, unit=False).require_free()

    assert exit_codes.CANNOT_CREATE == caught.value.exit_status


def test_a_closed_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory that cannot be read is reported with its path."""

    def denied(self: Path, **_: object) -> None:
        raise PermissionError(13, "Permission denied", str(self))

    place = Destination(tmp_path / "x/y/config.yaml", tmp_path / "x/y", unit=False)
    for name in ("lstat", "stat"):
        monkeypatch.setattr(Path, name, denied)
    with pytest.raises(ClientError, match=f"{tmp_path}/x/y is not a folder"):
        place.require_free()


@pytest.mark.parametrize("name", ["password", "client-secret", "totp-secret"])
def test_a_name_that_a_secret_needs(tmp_path: Path, name: str) -> None:
    """The configuration cannot take the place of a secret."""
    with pytest.raises(ClientError, match="is the file of a secret"):
        Destination(tmp_path / name, tmp_path, unit=False).require_free()


@pytest.mark.parametrize("path", ["a\nb/config.yaml", "a\udce9/config.yaml"])
def test_a_path_that_cannot_be_written(tmp_path: Path, path: str) -> None:
    """A path that YAML cannot represent is rejected before any question."""
    with pytest.raises(ClientError, match="unprintable"):
        destination.find_destination(str(tmp_path / path), {})


@pytest.mark.parametrize("name", ["config.yaml", "password", "totp-secret"])
def test_a_file_that_appears_meanwhile_stays(tmp_path: Path, name: str) -> None:
    """A file that appears while a person types is not overwritten."""
    place = Destination(tmp_path / "config.yaml", tmp_path, unit=False)
    place.require_free()
    (tmp_path / name).write_text("mine")
    with pytest.raises(ClientError, match="already exists"):
        place.write("text", SECRETS)

    assert [name] == [path.name for path in tmp_path.iterdir()]
    assert "mine" == (tmp_path / name).read_text()


def test_a_write_that_fails_leaves_nothing(tmp_path: Path) -> None:
    """If the configuration cannot be written, the secrets are removed."""
    folder = tmp_path / "secrets"
    config = tmp_path / "absent" / "config.yaml"
    with pytest.raises(ClientError, match="cannot be written: no such file") as caught:
        Destination(config, folder, unit=True).write("text", SECRETS)

    assert exit_codes.CANNOT_CREATE == caught.value.exit_status
    assert [] == list(tmp_path.iterdir())


def test_two_at_once(tmp_path: Path) -> None:
    """A file that another process has just created stays, and ours are removed."""
    place = Destination(tmp_path / "config.yaml", tmp_path, unit=False)

    class Meanwhile(dict[str, str]):
        def items(self) -> Any:
            (tmp_path / "config.yaml").write_text("another's")
            return super().items()

    with pytest.raises(ClientError, match="cannot be written: file exists"):
        place.write("ours", Meanwhile(SECRETS))

    assert ["config.yaml"] == [path.name for path in tmp_path.iterdir()]
    assert "another's" == (tmp_path / "config.yaml").read_text()


@pytest.mark.parametrize("name", ["shared/config.yaml", "shared/new/config.yaml"])
def test_where_others_can_write(tmp_path: Path, name: str) -> None:
    """A user who can replace the configuration can have the password sent elsewhere."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    place = destination.find_destination(str(tmp_path / name), {})
    with pytest.raises(ClientError, match=f"everybody on this machine can change {shared}"):
        place.write("text", SECRETS)

    assert not list(shared.iterdir())
