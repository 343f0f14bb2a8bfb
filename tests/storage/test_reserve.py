"""A full disk keeps the state in the reserve, and nothing older ever comes back from there."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from homey_tokend.core.errors import StateUnusable
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.reserve import Reserve, StateInReserve
from homey_tokend.storage.state_file import StateFile
from tests.storage.files import mode_of

LIMIT = 1 << 20
#: A shell that sees mounts of its own.
NAMESPACE = ("unshare", "--mount", "/bin/sh", "-euc")


@pytest.fixture
def worker() -> Iterator[WorkerPool]:
    worker = WorkerPool()
    yield worker
    worker.close()


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    """An allocated reserve."""
    reserve = Reserve(tmp_path / "state")
    reserve.allocate(100)
    return reserve


def test_it_belongs_to_one_content_of_the_state_file(reserve: Reserve) -> None:
    reserve.write(b"base", b"newer")

    assert reserve.read(b"base", LIMIT) == b"newer"
    assert reserve.read(b"another base", LIMIT) is None
    assert reserve.read(b"", LIMIT) is None


def test_the_last_write_counts(reserve: Reserve) -> None:
    """A shorter one replaces a longer one."""
    reserve.write(b"", b"the longer one")
    reserve.write(b"", b"short")

    assert reserve.read(b"", LIMIT) == b"short"


@pytest.mark.usefixtures("reserve")
def test_it_is_private_and_allocated(tmp_path: Path) -> None:
    path = tmp_path / "state.reserve"

    assert mode_of(path) == 0o600
    assert path.stat().st_blocks * 512 >= path.stat().st_size >= 200


@pytest.mark.parametrize("cut", [0, 1, 31, 32, 63, 64, 71, 72, 80])
def test_a_torn_write_is_ignored(reserve: Reserve, tmp_path: Path, cut: int) -> None:
    """A crash leaves the beginning of the new bytes and the rest of the old ones."""
    path = tmp_path / "state.reserve"
    reserve.write(b"base", b"older!!!!")
    old = path.read_bytes()
    reserve.write(b"base", b"newer----")
    new = path.read_bytes()
    path.write_bytes(new[:cut] + old[cut:])

    assert reserve.read(b"base", LIMIT) in {None, b"older!!!!"}


@pytest.mark.parametrize("content", [b"", b"x" * 7, b"\0" * 65536, os.urandom(65536)])
def test_garbage_is_ignored(reserve: Reserve, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "state.reserve").write_bytes(content)

    assert reserve.read(b"", LIMIT) is None


def test_a_link_and_a_second_name_are_not_used(reserve: Reserve, tmp_path: Path) -> None:
    """Somebody who may write in the directory could let the daemon overwrite another file."""
    path, other = tmp_path / "state.reserve", tmp_path / "other"
    other.write_bytes(b"precious")
    for make in (path.symlink_to, path.hardlink_to):
        path.unlink()
        make(other)
        reserve.allocate(LIMIT)
        with pytest.raises(OSError):  # noqa: PT011  any of them
            reserve.write(b"", b"x")
        assert reserve.read(b"", LIMIT) is None

    assert other.read_bytes() == b"precious"


async def test_a_fifo_in_its_place_blocks_nothing(tmp_path: Path, worker: WorkerPool) -> None:
    os.mkfifo(tmp_path / "state.reserve")
    store = StateFile(tmp_path / "state", worker)

    await store.save(b"{}")

    assert await store.load() == b"{}"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount")
def test_a_real_full_disk(tmp_path: Path) -> None:
    """What is saved is loaded by the next process; once there is space, the file has it again."""
    code = f"""
import asyncio, contextlib, os
from pathlib import Path
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.reserve import StateInReserve
from homey_tokend.storage.state_file import StateFile

path, filler = Path({str(tmp_path)!r}) / "state", Path({str(tmp_path)!r}) / "filler"

async def main():
    worker = WorkerPool()
    await StateFile(path, worker).save(b"first" * 1000)
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), b"x" * 4096)
    store = StateFile(path, worker)
    for number in range(3):
        try:
            await store.save(b"%d" % number * 5000)
        except StateInReserve:
            print("in reserve")
    assert await StateFile(path, worker).load() == b"2" * 5000
    filler.unlink()
    await store.save(b"3")
    assert path.read_bytes() == await StateFile(path, worker).load() == b"3"
    worker.close()

asyncio.run(main())
"""
    shell = f'mount -t tmpfs -o size=256k none {tmp_path} && exec "$@"'
    done = subprocess.run(  # noqa: S603  our own program
        [*NAMESPACE, shell, "sh", sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
    )

    assert done.stdout == "in reserve\n" * 3


async def test_without_space_ahead_there_is_none(tmp_path: Path, worker: WorkerPool) -> None:
    """The first save of all fails: there is no reserve yet."""

    def full(_point: str) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(StateUnusable) as caught:
        await StateFile(tmp_path / "state", worker, at=full).save(b"{}")

    assert not isinstance(caught.value, StateInReserve)
    assert await StateFile(tmp_path / "state", worker).load() is None
