"""A directory in which somebody else can write: no foreign file changes, whatever is done there."""

import grp
import os
import socket
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import pytest

from homey_tokend.core.errors import CannotServe
from homey_tokend.server.unix_socket import SocketOptions, UnixSocket

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
#: Any user that owns nothing else.
STRANGER = 12345
#: Replaces what appears in a directory by links to a file, as fast as it can, until it is ended.
SWAPPER = f"""
import os, sys
os.chdir(sys.argv[1])
os.setgid({STRANGER}); os.setuid({STRANGER})
print("ready", flush=True)
while True:
    for name in os.listdir("."):
        if name.startswith("."):
            try:
                os.symlink(sys.argv[2], "link")
                os.rename("link", name)
            except OSError:
                pass
"""


def rights(path: Path) -> tuple[int, int, int]:
    found = path.stat()
    return stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid


@pytest.fixture
def victim(tmp_path: Path) -> Path:
    path = tmp_path / "victim"
    path.write_text("precious")
    path.chmod(0o600)
    return path


def by_link(victim: Path, name: Path) -> None:
    name.symlink_to(victim)


def by_hard_link(victim: Path, name: Path) -> None:
    name.hardlink_to(victim)


def by_hard_link_to_a_socket(victim: Path, name: Path) -> None:
    victim.unlink()
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(victim))
    victim.chmod(0o600)
    name.hardlink_to(victim)


@pytest.mark.parametrize("swap", [by_link, by_hard_link, by_hard_link_to_a_socket])
def test_swapped_while_its_rights_are_set(
    folder: Path,
    victim: Path,
    swap: Callable[[Path, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What takes the socket's place between two steps gets neither its group nor its mode."""

    def look_up(_name: str) -> SimpleNamespace:
        bound = next(folder.glob(".*"))
        bound.rename(folder / "moved")
        swap(victim, bound)
        return SimpleNamespace(gr_gid=STRANGER if os.geteuid() == 0 else os.getegid())

    monkeypatch.setattr(grp, "getgrnam", look_up)
    with pytest.raises(CannotServe, match="somebody else has replaced"):
        UnixSocket.open(SocketOptions(folder / "d.sock", 0o666, group="any"))

    assert rights(victim) == (0o600, os.geteuid(), os.getegid())


@pytest.mark.parametrize("swap", [by_link, by_hard_link, by_hard_link_to_a_socket])
def test_swapped_before_its_rights_are_set(
    folder: Path,
    victim: Path,
    swap: Callable[[Path, Path], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same if it happens as soon as the socket is bound."""
    open_file = os.open

    def opened(path: str, flags: int, *mode: int, dir_fd: int | None = None) -> int:
        bound = list(folder.glob(".*.sock"))
        if bound and str(path).startswith("."):
            bound[0].rename(folder / "moved")
            swap(victim, bound[0])
        return open_file(path, flags, *mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", opened)
    with pytest.raises(CannotServe, match="somebody else has replaced"):
        UnixSocket.open(SocketOptions(folder / "d.sock", 0o666))

    assert rights(victim) == (0o600, os.geteuid(), os.getegid())


@pytest.mark.parametrize("swap", [by_link, by_hard_link, by_hard_link_to_a_socket])
def test_swapped_before_a_reload(
    folder: Path, victim: Path, swap: Callable[[Path, Path], None]
) -> None:
    """A changed mode is for the daemon's own socket only."""
    place = SocketOptions(folder / "d.sock")
    made = UnixSocket.open(place)
    place.path.rename(folder / "moved")
    swap(victim, place.path)
    try:
        with pytest.raises(CannotServe, match="somebody else has replaced"):
            made.change_rights(place._replace(mode=0o666))
    finally:
        made.close()

    assert rights(victim) == (0o600, os.geteuid(), os.getegid())
    assert {"moved", "d.sock"} <= {path.name for path in folder.iterdir()}


def test_a_made_directory_is_swapped(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A private directory that takes the place of the one just made stays private."""
    private = tmp_path / "private"
    private.mkdir(mode=0o700)
    mkdir = Path.mkdir

    def swapped(self: Path, mode: int = 0o777) -> None:
        mkdir(self, mode)
        self.rename(folder / "moved")
        self.symlink_to(private)

    monkeypatch.setattr(Path, "mkdir", swapped)
    with pytest.raises(CannotServe, match="cannot be created or opened"):
        UnixSocket.open(SocketOptions(folder / "made" / "d.sock"))

    assert stat.S_IMODE(private.stat().st_mode) == 0o700
    assert not list(private.iterdir())


def test_a_directory_with_files_takes_the_place(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that somebody renames into the place of the one just made stays private, too."""
    private = folder / "private"
    private.mkdir(mode=0o700)
    (private / "secret").touch()
    mkdir = Path.mkdir

    def swapped(self: Path, mode: int = 0o777) -> None:
        mkdir(self, mode)
        self.rename(folder / "moved")
        private.rename(self)

    monkeypatch.setattr(Path, "mkdir", swapped)
    UnixSocket.open(SocketOptions(folder / "made" / "d.sock")).close()

    assert stat.S_IMODE((folder / "made").stat().st_mode) == 0o700


@ROOT_NEEDED
@pytest.mark.slow
def test_the_owner_swaps_as_fast_as_it_can(folder: Path, victim: Path) -> None:
    """In 300 starts against the owner of the directory, nothing of root's changes."""
    os.chown(folder, STRANGER, STRANGER)
    folder.chmod(0o755)
    arguments = [sys.executable, "-c", SWAPPER, str(folder), str(victim)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE) as swapper:  # noqa: S603  our own script
        try:
            assert swapper.stdout is not None
            swapper.stdout.readline()
            for number in range(300):
                place = folder / f"{number}.sock"
                group = str(STRANGER) if number % 2 else None
                with suppress(CannotServe):
                    UnixSocket.open(SocketOptions(place, 0o666, group)).close()
        finally:
            swapper.kill()

    assert rights(victim) == (0o600, 0, 0)
