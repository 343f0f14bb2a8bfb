"""The files of secrets, inspected by ``check`` without reading them."""

import sys
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli import main
from homey_tokend.config import Config
from homey_tokend.credentials import checks
from tests.config.texts import read

TEXT = """\
homeys:
  home: &home
    email: you@example.com
    password: {{file: {path}}}
    client_id: id
    client_secret: secret
    cloudid: cloudid
  hut: {{<<: *home, cloudid: other}}
"""
PLACE = "config.yaml:4:15 homeys.home.password: "


def naming(path: object) -> Config:
    return read(TEXT.format(path=path))


def private(path: Path, content: str = "a password") -> Path:
    path.write_text(content, encoding="utf-8")
    path.chmod(0o600)
    return path


def test_a_good_file_is_not_mentioned(tmp_path: Path) -> None:
    """A private file with content causes no warning."""
    assert [] == checks.warnings(naming(private(tmp_path / "p")), {})


def test_each_warning_is_given_once_with_place_and_remedy(tmp_path: Path) -> None:
    """A file that several Homeys share causes one warning."""
    missing, empty, open_ = (tmp_path / name for name in ("missing", "empty", "open"))
    private(empty, "")
    private(open_).chmod(0o644)

    (reported,) = checks.warnings(naming(missing), {})
    assert reported.startswith(
        f"{PLACE}the file {missing} cannot be read: no such file or directory."
    )
    assert reported.endswith(" Write the value into it, or correct the path.")
    assert [f"{PLACE}the file {empty} is empty. Write the value into it."] == (
        checks.warnings(naming(empty), {})
    )
    (reported,) = checks.warnings(naming(open_), {})
    assert reported.startswith(f"{PLACE}the file {open_} can be read by everybody on this machine.")
    assert reported.endswith(f" Remove that permission (chmod o-r {open_}).")


@pytest.mark.parametrize("path", ["/tmp", "/dev/null"])
def test_anything_but_a_file_is_reported(path: str) -> None:
    """A directory or a device causes a warning."""
    assert [f"{PLACE}{path} is not a plain file. Name one, or use {{command: …}}."] == (
        checks.warnings(naming(path), {})
    )


def test_an_inaccessible_file_causes_no_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that this user may not inspect causes no warning."""

    def denied(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    config = naming(tmp_path / "missing")
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", denied)
        found = checks.warnings(config, {})

    assert [] == found


def test_check_prints_the_warning_and_succeeds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a warning and not an error: the daemon may run elsewhere."""
    file = private(tmp_path / "config.yaml", TEXT.format(path=tmp_path / "missing"))
    monkeypatch.setattr(sys, "argv", ["homey-tokend", "check", "-c", str(file)])
    status = main.main()
    reported = capsys.readouterr()

    assert status == exit_codes.OK
    assert f"{file}: valid; 2 Homeys: home, hut\n" == reported.out
    assert f"warning: {file}:4:15 homeys.home.password: the file {tmp_path}/missing" in reported.err
