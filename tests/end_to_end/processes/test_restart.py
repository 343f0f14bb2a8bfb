"""A daemon after a kill; a second daemon; paths that are taken."""

import re
import signal
import stat
from pathlib import Path

import pytest

from homey_tokend import exit_codes
from tests.end_to_end.processes.cloud import Clouds, sign_ins
from tests.end_to_end.processes.daemons import Daemons, command, configuration, together, write

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def test_killed_and_restarted(clouds: Clouds, daemons: Daemons) -> None:
    """After SIGKILL the current token is served at once: no sign-in, and the dead socket replaced."""
    cloud = clouds.start()
    first = daemons.start(cloud).up()
    token = first.token()
    first.send(signal.SIGKILL)
    killed = first.ended()
    dead = first.socket.lstat().st_ino
    cloud.add_fault(kind="hang")
    second = daemons.start(cloud, folder=first.folder).up()
    served = second.get("/token")

    assert killed == -signal.SIGKILL
    assert stat.S_ISSOCK(first.socket.lstat().st_mode)
    assert (200, token) == (served.status, served.text)
    assert dead != second.socket.lstat().st_ino
    assert sign_ins(cloud) == 1
    assert [] == list(second.folder.glob(".*"))


def test_second_daemon(clouds: Clouds, daemons: Daemons) -> None:
    """A second daemon on the same socket or state, and ``once`` beside it, end with 73."""
    cloud = clouds.start()
    first = daemons.start(cloud).up()
    token = first.token()
    document = configuration(cloud, first.folder)
    other = daemons.folder()
    state = write(daemons.folder(), document | {"state": {"path": str(other / "state.json")}})
    socket = write(daemons.folder(), document | {"socket": {"path": str(other / "d.sock")}})
    same = str(first.folder / "config.yaml")
    lines = {
        "same": ("run", "-c", same),
        "same socket": ("run", "-c", str(state)),
        "same state": ("run", "-c", str(socket)),
        "once": ("once", "-c", same),
        "once, same socket": ("once", "-c", str(state)),
        "online": ("check", "--online", "-c", same),
    }
    done = dict(zip(lines, together(*lines.values()), strict=True))

    assert dict.fromkeys(done, exit_codes.CANNOT_CREATE) == {
        name: each.status for name, each in done.items()
    }
    for each in done.values():
        assert re.search("the daemon is already running|another daemon is running on", each.err)
        assert "Traceback" not in each.err
    assert "homey-tokend refresh" in done["once"].err
    assert token == first.token()
    assert sign_ins(cloud) == 1


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_taken_path(clouds: Clouds, daemons: Daemons, kind: str) -> None:
    """A file at the socket's path that is not a socket is left alone: 73, and a plain message."""
    folder = daemons.folder()
    socket = folder / "d.sock"
    if kind == "file":
        socket.write_bytes(b"precious")
    elif kind == "folder":
        socket.mkdir()
    else:
        (folder / "target").write_bytes(b"precious")
        socket.symlink_to(folder / "target")
    before = socket.lstat()
    cloud = clouds.start()
    done = command("run", "-c", str(write(folder, configuration(cloud, folder))))
    after = socket.lstat()

    assert exit_codes.CANNOT_CREATE == done.status
    assert f"{socket} exists and is not a socket; it is left alone" in done.err
    assert (before.st_ino, before.st_size) == (after.st_ino, after.st_size)
    assert sign_ins(cloud) == 0


@pytest.mark.parametrize("blob", [b"", b"\xff\x00", b'{"version": 99}'])
def test_damaged_state(clouds: Clouds, daemons: Daemons, blob: bytes) -> None:
    """A state that cannot be used is set aside, and the daemon signs in again."""
    folder = daemons.folder()
    (folder / "state.json").write_bytes(blob)
    daemon = daemons.start(clouds.start(), folder=folder).up()
    token = daemon.token()

    assert token
    assert [blob] == [each.read_bytes() for each in folder.glob("state.json.damaged-*")]
    assert [] == [event for event in daemon.events() if event["event"] == "internal.error"]


def test_unwritable_state(clouds: Clouds, daemons: Daemons) -> None:
    """A directory for the state that cannot be made ends with 73 and what to do."""
    folder = daemons.folder()
    (folder / "file").write_bytes(b"")
    document = configuration(clouds.start(), folder, state={"path": f"{folder}/file/state.json"})
    done = command("run", "-c", str(write(folder, document)))

    assert exit_codes.CANNOT_CREATE == done.status
    assert "A part of the path is a file; correct the path." in done.err
    assert not Path(folder / "d.sock").exists()
