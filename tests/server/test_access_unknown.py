"""socket.allow in a user namespace: all users whom it does not know appear as one."""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from homey_tokend.config import AllowConfig, SocketConfig
from homey_tokend.runtime.user_namespace import UnknownIds
from homey_tokend.server.access import AccessControl, AllowList, resolve_rules
from homey_tokend.server.peers import Peer

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
UNKNOWN = UnknownIds(65534, 65533)
#: Lists the user and the group that unknown ones appear as, and judges each client of a socket.
JUDGE = """
import os, socket, sys
from homey_tokend.config import AllowConfig, SocketConfig
from homey_tokend.runtime.user_namespace import UnknownIds
from homey_tokend.server.access import AccessControl, resolve_rules
from homey_tokend.server.peers import read_peer
allow = AllowConfig(users=("65534", "nobody"), groups=("65534", "nogroup"))
access = AccessControl(resolve_rules(SocketConfig(allow=allow)))
with socket.socket(socket.AF_UNIX) as listening:
    listening.bind(sys.argv[1])
    listening.listen()
    os.chmod(sys.argv[1], 0o666)
    while True:
        client, _ = listening.accept()
        peer = read_peer(client)
        client.sendall(b"%d %d" % (peer.uid, access.may_read(peer)))
        client.close()
"""
#: Connects as a user and reads the response.
STRANGER = """
import os, socket, sys
user = int(sys.argv[2])
if user:
    os.setgroups([]); os.setgid(user); os.setuid(user)
with socket.socket(socket.AF_UNIX) as client:
    client.connect(sys.argv[1])
    print(client.recv(99).decode())
"""


def config(users: Sequence[str] = (), groups: Sequence[str] = (), **more: Any) -> SocketConfig:
    allow = AllowConfig(users=tuple(users), groups=tuple(groups))
    return SocketConfig(allow=allow, **more)


def peer(uid: int) -> Peer:
    return Peer(4711, uid, frozenset())


def test_unknown_users_are_nobody_by_name() -> None:
    """Their number admits nobody, as user or group, and no name that stands for it."""
    with capture_logs() as lines:
        users = resolve_rules(config(["65534", "nobody", "1000"]), UNKNOWN)
        groups = resolve_rules(config(groups=["65533", "50"], allow_api=AllowConfig()), UNKNOWN)
    reported = [line["name"] for line in lines if line["event"] == "allow.unknown"]

    assert users.readers == AllowList(anybody=False, uids=frozenset({1000}))
    assert groups.readers == AllowList(anybody=False, gids=frozenset({50}))
    assert ["65534", "nobody", "65533"] == reported
    assert "In the daemon's user namespace, 65534 is everybody" in lines[0]["remedy"]


def test_unknown_users_are_not_the_daemons_own() -> None:
    """Even if the daemon runs as that user itself."""
    rules = resolve_rules(config(["1000"]), UNKNOWN)
    access = AccessControl(rules, always={0, 65534})

    assert [False, False] == [access.may_read(peer(65534)), access.may_call(peer(65534))]
    assert access.may_read(peer(0))


@ROOT_NEEDED
@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "expected"),
    [((), ["65534 0", "65534 0"]), (("-r",), ["0 1", "65534 0"])],
    ids=["knows nobody", "knows root"],
)
def test_in_a_real_namespace(folder: Path, options: Sequence[str], expected: list[str]) -> None:
    """Users from outside are not admitted, whichever user runs the daemon and whichever users are listed."""
    folder.chmod(0o755)
    path = folder / "s"
    words = ["unshare", "-U", *options, sys.executable, "-c", JUDGE, str(path)]
    reported = []
    with subprocess.Popen(words, stderr=subprocess.PIPE) as judge:  # noqa: S603  our own script
        try:
            until_listening(path, judge)
            for user in ("0", "12345"):
                begin = [sys.executable, "-I", "-S", "-c", STRANGER, str(path), user]
                done = subprocess.run(begin, capture_output=True, text=True, check=True)  # noqa: S603  our own
                reported.append(done.stdout.strip())
        finally:
            judge.kill()

    assert expected == reported


def until_listening(path: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(400):
        if process.poll() is not None:
            assert process.stderr is not None
            words = process.stderr.read().decode()
            assert words.startswith("unshare: "), words
            pytest.skip(f"no user namespaces here: {words}")
        if path.exists() and path.stat().st_mode & 0o002:
            return
        time.sleep(0.1)
    pytest.fail("it does not listen")
