"""The share of each user: how many connections, and how much that was sent and never read."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from structlog.testing import capture_logs

from homey_tokend.server.connections import Connections, Share


class Wire(asyncio.Transport):
    """The transport of a real socket, without a loop."""

    def __init__(self, sock: socket.socket, written: int = 0) -> None:
        super().__init__({"socket": sock})
        self.written = written
        self.aborted = False

    def abort(self) -> None:
        self.aborted = True

    def get_write_buffer_size(self) -> int:
        return self.written


class Client:
    """A connection, and the client's end of it."""

    def __init__(self, share: Share, ours: socket.socket, theirs: socket.socket) -> None:
        self.share = share
        self.wire: Any = Wire(ours)
        self.theirs = theirs
        self.drained = 0


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as made:
        yield made


@pytest.fixture
def connections(stack: ExitStack) -> Connections:
    made = Connections(limit=5)
    stack.callback(made.close_unread)
    return made


def connect(
    stack: ExitStack, connections: Connections, user: str, limit: int = 3, tcp: bool = False
) -> Client:
    ours, theirs = tcp_pair() if tcp else socket.socketpair()
    stack.enter_context(ours)
    stack.enter_context(theirs)
    share = connections.share_of(user, limit)
    assert share is not None
    made = Client(share, ours, theirs)
    connections.add(made)
    return made


def tcp_pair() -> tuple[socket.socket, socket.socket]:
    theirs = socket.socket()
    theirs.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        theirs.connect(listening.getsockname())
        return listening.accept()[0], theirs


def read_all(sock: socket.socket) -> None:
    while sock.recv(1 << 16):
        pass


def close(connections: Connections, client: Client, response: bytes) -> None:
    """Send a response and close, as a server does."""
    sock = client.wire.get_extra_info("socket")
    sock.sendall(response)
    connections.remove(client)
    connections.keep_unread(client)
    sock.close()


async def test_a_user_takes_nothing_from_the_others(
    stack: ExitStack, connections: Connections
) -> None:
    """At the limit of its share, a user's own oldest connection makes room."""
    other = connect(stack, connections, "1000")
    with capture_logs() as lines:
        mine = [connect(stack, connections, "1001") for _ in range(5)]

    assert [True, True, False, False, False] == [one.wire.aborted for one in mine]
    assert not other.wire.aborted
    assert (4, 2) == (len(connections), connections.evicted)
    assert [("socket.full", "1001", 3)] == [
        (line["event"], line["user"], line["limit"]) for line in lines
    ]


async def test_the_user_with_the_most_makes_room(
    stack: ExitStack, connections: Connections
) -> None:
    """At the limit of all, one of the user with the most connections is closed."""
    first = connect(stack, connections, "1000")
    most = [connect(stack, connections, "1001") for _ in range(3)]
    third = [connect(stack, connections, "1002") for _ in range(2)]

    assert [True, False, False] == [one.wire.aborted for one in most]
    assert not any(one.wire.aborted for one in (first, *third))


async def test_an_idle_one_makes_room_before_a_busy_one(
    stack: ExitStack, connections: Connections
) -> None:
    """A request in progress is not given up while anybody has an idle connection."""
    busy = [connect(stack, connections, "1001") for _ in range(3)]
    for one in busy:
        connections.mark_busy(one)
    idle = connect(stack, connections, "1000")

    assert connections.make_room()
    assert idle.wire.aborted
    assert not any(one.wire.aborted for one in busy)


async def test_the_last_one_of_its_user_makes_room(stack: ExitStack) -> None:
    """The connection that replaces it is known, so that it can make room in its turn."""
    connections = Connections(limit=1)
    clients = [connect(stack, connections, "1000") for _ in range(3)]

    assert [True, True, False] == [one.wire.aborted for one in clients]


async def test_unread_responses_count(stack: ExitStack, connections: Connections) -> None:
    """A user that reads none of so many responses is sent no more, until it reads one."""
    clients = [connect(stack, connections, "1000", limit=2) for _ in range(2)]
    for client in clients:
        close(connections, client, b"a response")
    full = connections.share_of("1000", 2)
    other = connections.share_of("1001", 2)
    read = clients[0].theirs.recv(99), clients[0].theirs.recv(99)

    assert full is None
    assert other is not None
    assert (b"a response", b"") == read
    assert connections.share_of("1000", 2) is not None


async def test_a_client_that_leaves_is_forgotten(
    stack: ExitStack, connections: Connections
) -> None:
    """What a client left unread is free once it closes its end."""
    client = connect(stack, connections, "1000", limit=1)
    close(connections, client, b"a response")
    before = connections.share_of("1000", 1)
    client.theirs.close()

    assert before is None
    assert connections.share_of("1000", 1) is not None


async def test_a_response_that_was_read_is_not_kept(
    stack: ExitStack, connections: Connections
) -> None:
    """A client that reads before its connection is closed costs nothing further."""
    client = connect(stack, connections, "1000", limit=1)
    client.wire.get_extra_info("socket").sendall(b"a response")
    client.theirs.recv(99)
    close(connections, client, b"")

    assert connections.share_of("1000", 1) is not None


async def test_a_response_that_is_read_a_moment_later_is_forgotten(
    stack: ExitStack, connections: Connections
) -> None:
    """Its socket is closed without a sweep: a thousand short reads need no thousand files."""
    client = connect(stack, connections, "1000")
    client.wire.get_extra_info("socket").sendall(b"a response")
    close(connections, client, b"")
    kept = client.share.closed.copy()
    client.theirs.recv(99)
    async with asyncio.timeout(40):
        while client.share.closed:  # noqa: ASYNC110  nothing signals it
            await asyncio.sleep(0.01)

    assert 1 == len(kept)
    assert all(sock.fileno() < 0 for sock in kept)


async def test_tcp_is_reset(stack: ExitStack, connections: Connections) -> None:
    """What a TCP client does not take is thrown away at the second sweep, which frees it."""
    client = connect(stack, connections, "tcp", limit=1, tcp=True)
    ours = client.wire.get_extra_info("socket")
    ours.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            ours.send(bytes(1 << 16))
    close(connections, client, b"")
    connections.sweep()
    kept = connections.share_of("tcp", 1)
    connections.sweep()

    assert kept is None
    assert connections.share_of("tcp", 1) is not None
    with pytest.raises(ConnectionResetError):
        read_all(client.theirs)


async def test_many_users_leave_nothing_behind(stack: ExitStack, connections: Connections) -> None:
    """A share is gone with its last connection, so that no number of users adds up."""
    shares = []
    for number in range(5):
        client = connect(stack, connections, str(number))
        shares.append(client.share)
        connections.remove(client)

    assert 0 == len(connections)
    assert shares[0] is not connections.share_of("0", 3)


@pytest.mark.parametrize("reads", [False, True])
async def test_the_sweep(stack: ExitStack, connections: Connections, reads: bool) -> None:
    """A connection of which no byte is read between two sweeps is closed."""
    client = connect(stack, connections, "1000")
    client.wire.written = 100
    connections.sweep()
    client.drained += reads
    connections.sweep()

    assert reads is not client.wire.aborted
