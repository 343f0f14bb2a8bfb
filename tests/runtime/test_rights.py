"""Which files other users can change: by mode, owner, or a directory of the path."""

import grp
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from homey_tokend.runtime.rights import exposure

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
STRANGER = 12345


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that only its owner can change, two directories down."""
    made = tmp_path / "a" / "b" / "file"
    made.parent.mkdir(parents=True)
    for folder in (made.parent, made.parent.parent):
        folder.chmod(0o755)
    made.touch()
    made.chmod(0o644)
    return made


def words(path: Path, user: int | None = None) -> str:
    return " ".join(exposure(path, user) or ())


@pytest.mark.parametrize("mode", [0o400, 0o644, 0o755, 0o4755])
def test_only_the_owner(file: Path, mode: int) -> None:
    """Files that others may only read and execute cause no warning."""
    file.chmod(mode)

    assert exposure(file) is None
    assert exposure(file, os.geteuid()) is None


@pytest.mark.parametrize("mode", [0o602, 0o646, 0o777])
def test_a_file(file: Path, mode: int) -> None:
    """Everybody may write it."""
    file.chmod(mode)

    assert words(file) == (
        f"everybody on this machine can change {file}, and so what the daemon does Run: "
        f"chmod o-w {file}"
    )


@pytest.mark.parametrize("levels", [0, 1])
@pytest.mark.parametrize("name", ["file", "missing"])
def test_a_directory(file: Path, levels: int, name: str) -> None:
    """A user who may write to a directory can replace its files, and create missing ones."""
    folder = file.parents[levels]
    folder.chmod(0o777)

    assert f"can change {folder}," in words(file.with_name(name))
    folder.chmod(0o1777)
    assert exposure(file) is None


def test_a_link(file: Path, tmp_path: Path) -> None:
    """The directories of a link and of its target are checked."""
    links = tmp_path / "links"
    links.mkdir()
    link = links / "link"
    link.symlink_to(file)
    assert exposure(link) is None

    file.parent.chmod(0o777)
    assert f"can change {file.parent}," in words(link)
    file.parent.chmod(0o755)
    links.chmod(0o777)
    assert f"can change {links}," in words(link)


def test_a_path_that_cannot_be_one() -> None:
    """Another check reports it."""
    assert exposure(Path("/a\0b")) is None


def group_of(monkeypatch: pytest.MonkeyPatch, name: str, members: Sequence[str]) -> None:
    group = SimpleNamespace(gr_name=name, gr_mem=list(members))
    monkeypatch.setattr(grp, "getgrgid", lambda _number: group)


@ROOT_NEEDED
def test_a_group(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writable group causes a warning unless only the owner is in it, as usual on Debian."""
    file.chmod(0o664)
    os.chown(file, 0, STRANGER)
    assert f"the group {STRANGER} can change {file}," in words(file)

    os.chown(file, STRANGER, STRANGER)
    assert exposure(file) is None
    group_of(monkeypatch, "alice", ["bob"])
    assert f"the group alice can change {file}," in words(file)
    assert f"chmod g-w {file}" in words(file)
    group_of(monkeypatch, "alice", [])
    assert exposure(file) is None


@ROOT_NEEDED
@pytest.mark.parametrize("level", [0, 1])
def test_what_root_depends_on(file: Path, level: int) -> None:
    """It must belong to root; for other users the owner may be somebody who mounts or manages it."""
    theirs = [file, *file.parents][level]
    os.chown(theirs, STRANGER, STRANGER)

    assert words(file, 0).startswith(f"the user {STRANGER}, who owns {theirs}, can change")
    assert exposure(file, None) is None
    assert exposure(file, STRANGER) is None
