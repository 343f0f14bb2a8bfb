"""socket.allow: who the client is according to the kernel, who has access, and the counts."""

import asyncio
import errno
import grp
import os
import pwd
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from structlog.testing import capture_logs

from homey_tokend.config import AllowConfig, SocketConfig
from homey_tokend.server.access import AccessControl, AccessRules, AllowList, resolve_rules
from homey_tokend.server.app import Api
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.peers import Peer, read_peer
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.provider import FakeProvider, token, view

ROOT_NEEDED = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY, STAFF = 65534, 50
#: Becomes a user with groups, requests paths, and prints the status of each response. It changes
#: after it has begun: another user may not be able to run this interpreter.
CLIENT = """
import http.client, os, socket, sys
groups = [int(word) for word in sys.argv[2].split(",") if word]
if groups:
    os.setgroups(groups[1:]); os.setgid(groups[0]); os.setuid(65534)
class Local(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(sys.argv[1])
for path in sys.argv[3:]:
    asking = Local("localhost", timeout=10)
    asking.request("GET", path)
    print(asking.getresponse().status)
"""


def peer(uid: int = 1000, *groups: int) -> Peer:
    return Peer(4711, uid, frozenset(groups or (uid,)))


def config(users: Sequence[str] = (), groups: Sequence[str] = (), **more: Any) -> SocketConfig:
    allow = AllowConfig(users=tuple(users), groups=tuple(groups))
    return SocketConfig(allow=allow, **more)


def keeper(*, users: Sequence[str] = (), groups: Sequence[str] = ()) -> AccessControl:
    return AccessControl(resolve_rules(config(users, groups)), always={0, 500})


def test_empty_lists_leave_it_to_the_file_mode() -> None:
    """With empty lists everybody who could connect has access."""
    access = keeper()

    assert access.may_read(peer())
    assert access.may_call(peer())


def test_users_and_groups_by_number() -> None:
    """A user has access by uid, or by any of its groups; all others do not."""
    access = keeper(users=["1000"], groups=["50"])

    assert access.may_read(peer(1000))
    assert access.may_read(peer(1001, 1001, 50))
    assert not access.may_read(peer(1001))


def test_root_and_the_daemons_own_user_always_have_access() -> None:
    """Root and the daemon's own user always have access."""
    access = keeper(users=["1000"])

    assert [True, True, False] == [access.may_read(peer(uid)) for uid in (0, 500, 501)]


def test_names_are_resolved() -> None:
    """Names of users and groups are those of the system."""
    user, group = pwd.getpwuid(NOBODY), grp.getgrgid(0)
    rules = resolve_rules(config([user.pw_name], [group.gr_name]))

    assert AllowList(anybody=False, uids=frozenset({NOBODY}), gids=frozenset({0})) == rules.readers


def test_an_unknown_name_admits_nobody() -> None:
    """An unknown name is reported with what to do, matches nobody, and the list is not empty."""
    with capture_logs() as lines:
        access = keeper(users=["no-such-user"], groups=["no-such-group"])

    assert [("socket.allow.users", "no-such-user"), ("socket.allow.groups", "no-such-group")] == [
        (line["key"], line["name"]) for line in lines if line["event"] == "allow.unknown"
    ]
    assert all(line["remedy"] for line in lines)
    assert not access.may_read(peer())


@pytest.mark.parametrize(
    ("allow_api", "expected"),
    [
        (None, [True, False]),
        (AllowConfig(users=("1001",)), [False, True]),
        (AllowConfig(), [True, True]),
    ],
)
def test_the_api_proxy_has_a_list_of_its_own(
    allow_api: AllowConfig | None, expected: list[bool]
) -> None:
    """By default it is the list of the socket; it may be another one, and wider."""
    access = AccessControl(resolve_rules(config(["1000"], allow_api=allow_api)), always={0, 500})

    assert expected == [access.may_call(peer(uid)) for uid in (1000, 1001)]
    assert not access.may_read(peer(1001))


async def test_the_peer_of_a_connection() -> None:
    """Process, user and all groups are the kernel's; a TCP connection has no peer."""
    pair = socket.socketpair()
    writer = (await asyncio.open_connection(sock=pair[0]))[1]
    found = read_peer(writer.transport.get_extra_info("socket"))
    pair[1].close()
    writer.close()

    assert Peer(os.getpid(), os.geteuid(), frozenset({os.getegid(), *os.getgroups()})) == found


class Kernel(socket.socket):
    """A unix socket of a kernel without some options."""

    unknown: frozenset[int] = frozenset()

    def getsockopt(self, level: int, option: int, *size: int) -> Any:
        if option in self.unknown:
            raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))
        return super().getsockopt(level, option, *size)


@pytest.mark.parametrize("unknown", [socket.SO_PEERCRED, 59], ids=["SO_PEERCRED", "SO_PEERGROUPS"])
async def test_a_kernel_without_some_options(unknown: int) -> None:
    """Without a process there is no peer; without the other groups only the primary one counts."""
    pair = socket.socketpair()
    kernel = Kernel(fileno=pair[0].detach())
    kernel.unknown = frozenset({unknown})
    found = read_peer(kernel)
    for each in (kernel, pair[1]):
        each.close()

    primary = Peer(os.getpid(), os.geteuid(), frozenset({os.getegid()}))
    assert (None if unknown == socket.SO_PEERCRED else primary) == found


async def test_no_peer_on_tcp() -> None:
    """A TCP connection has no access by user."""
    server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0)
    writer = (await asyncio.open_connection(*server.sockets[0].getsockname()))[1]
    found = read_peer(writer.transport.get_extra_info("socket"))
    writer.close()
    server.close()

    assert found is None


# --- over the socket ---


@pytest.fixture
def access() -> AccessControl:
    return AccessControl()


@pytest.fixture
async def path(access: AccessControl, folder: Path) -> AsyncIterator[Path]:
    async def forward(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="forwarded")

    folder.chmod(0o755)
    api = Api(
        FakeProvider(view("home", token())),
        version="1",
        proxy=forward,
        monitoring=Monitoring(access=access),
    )
    server = Server(api)
    await server.start(SocketOptions(folder / "d.sock", 0o666))
    yield folder / "d.sock"
    await server.stop()


async def request_statuses(path: Path, *paths: str, groups: Sequence[int] = ()) -> list[int]:
    """Return the statuses for another process; with groups, of user nobody."""

    def run() -> list[int]:
        begin = [sys.executable, "-I", "-S", "-c", CLIENT, str(path)]
        words = [*begin, ",".join(map(str, groups)), *paths]
        done = subprocess.run(words, capture_output=True, text=True, check=True)  # noqa: S603  our own
        return [int(word) for word in done.stdout.split()]

    return await asyncio.to_thread(run)


@ROOT_NEEDED
async def test_another_user_is_denied(path: Path, access: AccessControl) -> None:
    """A user without access gets 403 on every route, is logged once with uid and pid, and counted."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList(anybody=False))
    with capture_logs() as lines:
        statuses = await request_statuses(
            path, "/token", "/status", "/healthz", "/x", groups=[NOBODY]
        )
        own = await request_statuses(path, "/token")
    reported = [line for line in lines if line["event"] == "client.denied"]

    assert [403] * 4 == statuses
    assert [200] == own
    assert [(NOBODY, 0)] == [(line["uid"], line["suppressed"]) for line in reported]
    assert reported[0]["pid"] > 1
    assert {str(NOBODY): 4, str(os.geteuid()): 1} == dict(access.requests_by_user)
    assert {str(NOBODY): 4} == dict(access.denials_by_user)


@ROOT_NEEDED
async def test_a_supplementary_group_has_access(path: Path, access: AccessControl) -> None:
    """A user has access by a group that is not its primary one."""
    access.rules = AccessRules(AllowList(anybody=False, gids=frozenset({STAFF})))
    inside = await request_statuses(path, "/token", groups=[NOBODY, 4, STAFF])
    outside = await request_statuses(path, "/token", groups=[NOBODY, 4])

    assert ([200], [403]) == (inside, outside)


@ROOT_NEEDED
async def test_the_api_proxy_alone_may_be_allowed(path: Path, access: AccessControl) -> None:
    """The API proxy may be open to users without access to the token."""
    access.rules = AccessRules(AllowList(anybody=False), AllowList())
    statuses = await request_statuses(
        path, "/homeys/home/api/x", "/token", "/status", groups=[NOBODY]
    )

    assert [200, 403, 403] == statuses


async def test_a_change_applies_to_open_connections(path: Path) -> None:
    """An open connection is checked again with each request."""
    access = AccessControl(always=())
    provider, monitoring = FakeProvider(view("home", token())), Monitoring(access=access)
    server = Server(Api(provider, version="1", monitoring=monitoring))
    await server.start(SocketOptions(path.with_name("e.sock")))
    reader, writer = await asyncio.open_unix_connection(str(path.with_name("e.sock")))
    lines = []
    for rules in (AccessRules(), AccessRules(AllowList(anybody=False))):
        access.rules = rules
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        lines.append(head.partition(b"\r\n")[0])
        await reader.readuntil(b"\n")
    writer.close()
    await server.stop()

    assert [b"HTTP/1.1 200 OK", b"HTTP/1.1 403 Forbidden"] == lines


async def test_the_remedy_names_the_right_list(folder: Path) -> None:
    """The error for the API proxy does not suggest the list for the token."""

    async def forward(_request: web.Request) -> web.StreamResponse:
        raise AssertionError

    access = AccessControl(
        AccessRules(AllowList(anybody=False), AllowList(anybody=False)), always=()
    )
    monitoring = Monitoring(access=access)
    server = Server(Api(FakeProvider(), version="1", proxy=forward, monitoring=monitoring))
    await server.start(SocketOptions(folder / "e.sock"))
    remedies = []
    connector = aiohttp.UnixConnector(str(folder / "e.sock"))
    async with aiohttp.ClientSession("http://localhost", connector=connector) as session:
        for path in ("/token", "/homeys/home/api/x"):
            async with session.get(path) as answer:
                remedies.append((await answer.json(content_type=None))["remedy"])
    await server.stop()

    assert "to socket.allow, and reload." in remedies[0]
    assert "to socket.allow_api (where that is not set, to socket.allow), and" in remedies[1]


def test_denials_are_logged_once_a_minute() -> None:
    """A user who tries repeatedly is logged once a minute, with how often it was not logged."""
    seconds = [0.0]
    access = AccessControl(AccessRules(AllowList(anybody=False)), always=(), now=lambda: seconds[0])
    with capture_logs() as lines:
        for seconds[0] in (0, 1, 59, 61, 62):
            access.check_peer(peer(7), access.may_read, "socket.allow")
        access.check_peer(peer(8), access.may_read, "socket.allow")

    assert [(7, 0), (7, 2), (8, 0)] == [(line["uid"], line["suppressed"]) for line in lines]


def test_few_users_are_counted_separately() -> None:
    """Beyond 64 users all further ones count as one, and the known ones as before."""
    access = AccessControl()
    for uid in (*range(1000, 1100), 1000):
        access.check_peer(peer(uid), access.may_read, "socket.allow")

    assert 65 == len(access.requests_by_user)
    assert 2 == access.requests_by_user["1000"]
    assert 36 == access.requests_by_user["other"]
