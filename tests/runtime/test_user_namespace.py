"""Which id stands for unknown users; none if all are known."""

from pathlib import Path

import pytest

from homey_tokend.runtime.user_namespace import UnknownIds, unknown_ids


@pytest.fixture
def proc(tmp_path: Path) -> Path:
    (tmp_path / "self").mkdir()
    (tmp_path / "sys" / "kernel").mkdir(parents=True)
    return tmp_path


def write(proc: Path, uids: str, gids: str = "") -> None:
    (proc / "self" / "uid_map").write_text(uids)
    (proc / "self" / "gid_map").write_text(gids or uids)


def test_a_namespace_with_all_users(proc: Path) -> None:
    """The machine's own, or one in two ranges."""
    write(proc, "0 0 4294967295\n", "         0          0      65535\n 65535 65535 4294901760\n")

    assert unknown_ids(proc) == UnknownIds()


@pytest.mark.parametrize(
    "ranges", ["", "0 0 1\n", "0 100000 65536\n", "0 1000 1\n1 100000 65536\n"]
)
def test_a_namespace_with_some_users(proc: Path, ranges: str) -> None:
    """Users and groups are checked separately, and the kernel's id is used if it is visible."""
    write(proc, ranges, "0 0 4294967295\n")
    assert unknown_ids(proc) == UnknownIds(uid=65534)

    (proc / "sys" / "kernel" / "overflowuid").write_text("99\n")
    (proc / "sys" / "kernel" / "overflowgid").write_text("98\n")
    assert unknown_ids(proc) == UnknownIds(uid=99)
    write(proc, ranges)
    assert unknown_ids(proc) == UnknownIds(99, 98)


def test_a_kernel_without_namespaces(tmp_path: Path) -> None:
    """All users are known."""
    assert unknown_ids(tmp_path) == UnknownIds()


def test_a_map_that_cannot_be_read(proc: Path) -> None:
    """Then no user counts as known."""
    for kind in ("uid", "gid"):
        (proc / "self" / f"{kind}_map").mkdir()

    assert unknown_ids(proc) == UnknownIds(65534, 65534)
