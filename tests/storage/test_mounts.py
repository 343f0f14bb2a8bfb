"""Files that are mounted by themselves are recognised, by real mounts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from homey_tokend.storage.mounts import is_mount_point

ASK = """
import sys
from pathlib import Path
from homey_tokend.storage.mounts import is_mount_point
print(*(is_mount_point(Path(path)) for path in sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
@pytest.mark.parametrize("name", ["state.json", "with blank", "tab\tü\\x"])
def test_a_mounted_file(tmp_path: Path, name: str) -> None:
    """By its own path, and by a link to its directory; its neighbour and its directory are none."""
    (tmp_path / "real").touch()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).touch()
    (tmp_path / "link").symlink_to(folder)
    asked = [folder / name, tmp_path / "link" / name, folder / "other", folder]
    shell = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    command = ("unshare", "--mount", "/bin/sh", "-euc", shell, "sh")
    answers = subprocess.run(  # noqa: S603  our own interpreter
        [*command, tmp_path / "real", folder / name, sys.executable, "-c", ASK, *asked],
        capture_output=True,
        text=True,
        check=True,
    )

    assert answers.stdout.split() == ["True", "True", "False", "False"]


def test_what_is_no_mount(tmp_path: Path) -> None:
    """Neither a file nor a missing one, nor one in a missing directory."""
    (tmp_path / "file").touch()

    assert not is_mount_point(tmp_path / "file")
    assert not is_mount_point(tmp_path / "missing" / "file")
    assert is_mount_point(Path("/proc"))
