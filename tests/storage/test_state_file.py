"""The state survives kills and full disks, and one daemon at a time writes it."""

import asyncio
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from homey_tokend.core.errors import StateUnusable
from homey_tokend.runtime.workers import WorkerPool
from homey_tokend.storage.reserve import StateInReserve
from homey_tokend.storage.state_file import STATE_LIMIT, NoStateFile, StateFile
from tests.storage.files import failing, mode_of, names


@pytest.fixture
def worker() -> Iterator[WorkerPool]:
    worker = WorkerPool()
    yield worker
    worker.close()


async def test_what_is_saved_is_loaded(tmp_path: Path, worker: WorkerPool) -> None:
    """A second store on the same path loads it; before, there is nothing."""
    path = tmp_path / "a" / "b" / "state.json"
    store = StateFile(path, worker)

    assert await store.load() is None
    await store.save(b"{}")

    assert await StateFile(path, worker).load() == b"{}"
    assert mode_of(path) == 0o600
    assert mode_of(path.parent) == 0o700


async def test_waiting_saves_are_combined_and_the_latest_is_written(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """Of a hundred saves at once only the first and the latest reach the disk."""
    writes = list[str]()
    gate, reached = threading.Event(), threading.Event()

    def at(point: str) -> None:
        if point == "opened":
            writes.append(point)
            reached.set()
            gate.wait(5)

    store = StateFile(tmp_path / "state", worker, at=at)
    saves = [asyncio.create_task(store.save(b"%d" % number)) for number in range(100)]
    await asyncio.to_thread(reached.wait, 5)
    gate.set()
    await asyncio.gather(*saves)

    assert await store.load() == b"99"
    assert len(writes) <= 2


async def test_a_cancelled_save_never_replaces_a_newer_one(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The thread of a cancelled save continues: the newer save waits for it."""
    gate, reached = threading.Event(), threading.Event()

    def at(point: str) -> None:
        if point == "synced" and not reached.is_set():
            reached.set()
            gate.wait(5)

    store = StateFile(tmp_path / "state", worker, at=at)
    older = asyncio.create_task(store.save(b"older"))
    await asyncio.to_thread(reached.wait, 5)
    older.cancel()
    newer = asyncio.create_task(store.save(b"newer"))
    await asyncio.sleep(0.01)
    gate.set()
    await newer

    assert older.cancelled()
    assert await store.load() == b"newer"


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "Free space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "ReadWritePaths"),
        (errno.EACCES, "write access"),
        (errno.EIO, "kernel's log"),
        (errno.EBUSY, ""),
    ],
    ids=["full", "quota", "read-only", "closed", "broken", "other"],
)
async def test_a_failed_save_keeps_the_old_state_and_has_a_remedy(
    tmp_path: Path, worker: WorkerPool, number: int, remedy: str
) -> None:
    """Only what a full disk does not take is in the reserve, and is loaded."""
    path = tmp_path / "state"
    await StateFile(path, worker).save(b"old")

    with pytest.raises(StateUnusable, match=os.strerror(number).lower()) as caught:
        await StateFile(path, worker, at=failing("written", number)).save(b"new")

    full = number in {errno.ENOSPC, errno.EDQUOT}
    assert remedy in caught.value.remedy
    assert isinstance(caught.value, StateInReserve) == full
    assert path.read_bytes() == b"old"
    assert await StateFile(path, worker).load() == (b"new" if full else b"old")


async def test_a_save_after_a_failed_one_writes(tmp_path: Path, worker: WorkerPool) -> None:
    """A failed save does not count as written."""
    broken = [True]

    def at(_point: str) -> None:
        if broken:
            raise OSError(errno.ENOSPC, "full")

    store = StateFile(tmp_path / "state", worker, at=at)
    with pytest.raises(StateUnusable):
        await store.save(b"same")
    broken.clear()
    await store.save(b"same")

    assert await store.load() == b"same"


async def test_a_state_that_is_too_large_is_neither_read_nor_written(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """A state that could not be loaded is not overwritten."""
    store = StateFile(tmp_path / "state", worker)
    with pytest.raises(StateUnusable, match="was not written"):
        await store.save(b" " * (STATE_LIMIT + 1))
    (tmp_path / "state").write_bytes(b" " * (STATE_LIMIT + 1))

    with pytest.raises(StateUnusable, match="not a regular file"):
        await store.load()


async def test_a_pipe_at_the_path_does_not_hang(tmp_path: Path, worker: WorkerPool) -> None:
    """It is reported at once."""
    os.mkfifo(tmp_path / "state")

    with pytest.raises(StateUnusable, match="not a regular file"):
        await asyncio.wait_for(StateFile(tmp_path / "state", worker).load(), 40)


async def test_a_directory_at_the_path_is_reported(tmp_path: Path, worker: WorkerPool) -> None:
    """Errors of loading and saving have a remedy."""
    (tmp_path / "state").mkdir()
    store = StateFile(tmp_path / "state", worker)

    with pytest.raises(StateUnusable, match="cannot read"):
        await store.load()
    with pytest.raises(StateUnusable, match="cannot write") as caught:
        await store.save(b"new")

    assert "use a file" in caught.value.remedy


async def test_loading_cleans_up_and_follows_a_link(tmp_path: Path, worker: WorkerPool) -> None:
    """A start finds its state through a link, and cleans up after a killed run."""
    (tmp_path / "elsewhere").write_bytes(b"{}")
    (tmp_path / "state").symlink_to("elsewhere")
    (tmp_path / ".state.0123456789abcdef.tmp").touch()

    blob = await StateFile(tmp_path / "state", worker).load()

    assert blob == b"{}"
    assert names(tmp_path) == ["elsewhere", "state"]


async def test_damaged_states_are_set_aside_and_the_latest_kept(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """The numbers increase, the latest three stay, nothing else is touched."""
    path = tmp_path / "state"
    (tmp_path / "state.damaged-by-hand").touch()
    store = StateFile(path, worker)

    places = []
    for number in range(1, 6):
        path.write_bytes(b"%d" % number)
        places.append(await store.set_aside())

    assert places[-1] == str(tmp_path / "state.damaged-5")
    assert (tmp_path / "state.damaged-5").read_bytes() == b"5"
    assert names(tmp_path) == [
        "state.damaged-3",
        "state.damaged-4",
        "state.damaged-5",
        "state.damaged-by-hand",
    ]
    assert await store.set_aside() == ""


async def test_a_state_that_cannot_be_set_aside_is_reported(
    tmp_path: Path, worker: WorkerPool
) -> None:
    """A path through a file, for example."""
    (tmp_path / "file").touch()

    with pytest.raises(StateUnusable, match="cannot set aside"):
        await StateFile(tmp_path / "file" / "state", worker).set_aside()


async def test_no_state_file_keeps_nothing() -> None:
    """``state.path: null`` keeps nothing."""
    store = NoStateFile()
    await store.save(b"{}")

    assert await store.load() is None
    assert await store.set_aside() == ""


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o606])
async def test_a_state_that_others_could_read_is_made_private(
    tmp_path: Path, worker: WorkerPool, mode: int
) -> None:
    """It is loaded, replaced by a private one, and this is reported."""
    path = tmp_path / "state"
    path.write_bytes(b"{}")
    path.chmod(mode)
    with capture_logs() as lines:
        blob = await StateFile(path, worker).load()
        await StateFile(path, worker).load()

    assert (blob, mode_of(path), names(tmp_path)) == (b"{}", 0o600, ["state"])
    assert [("state.exposed", str(path), f"{mode:04o}")] == [
        (line["event"], line["path"], line["mode"]) for line in lines
    ]
    assert "private now" in lines[0]["remedy"]


async def test_a_link_to_a_state_that_others_can_read(tmp_path: Path, worker: WorkerPool) -> None:
    """The link is replaced, the mode of its target stays, and the message asks to change it."""
    target = tmp_path / "target"
    target.write_bytes(b"{}")
    target.chmod(0o644)
    (tmp_path / "state").symlink_to("target")
    with capture_logs() as lines:
        blob = await StateFile(tmp_path / "state", worker).load()

    assert (blob, mode_of(target), mode_of(tmp_path / "state")) == (b"{}", 0o644, 0o600)
    assert f"Run: chmod 0600 {target}" == lines[0]["remedy"]


async def test_a_state_that_cannot_be_made_private(tmp_path: Path, worker: WorkerPool) -> None:
    """It is used nevertheless, and the message asks to change its mode."""
    path = tmp_path / "state"
    path.write_bytes(b"{}")
    path.chmod(0o644)
    with capture_logs() as lines:
        blob = await StateFile(path, worker, at=failing("opened", errno.EROFS)).load()

    assert (blob, mode_of(path)) == (b"{}", 0o644)
    assert f"Run: chmod 0600 {path}" == lines[0]["remedy"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
async def test_a_link_of_another_user_is_not_followed(tmp_path: Path, worker: WorkerPool) -> None:
    """The daemon loads no file that another user chooses."""
    (tmp_path / "theirs").write_bytes(b"{}")
    (tmp_path / "state").symlink_to("theirs")
    os.chown(tmp_path / "state", 12345, 12345, follow_symlinks=False)

    with pytest.raises(StateUnusable, match="a symbolic link of another user"):
        await StateFile(tmp_path / "state", worker).load()
