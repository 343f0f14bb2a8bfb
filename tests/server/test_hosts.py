"""``Host`` on the TCP port: addresses and the machine's own names, and no web page's."""

from collections.abc import AsyncIterator

import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import make_mocked_request

from homey_tokend.server.app import Api
from homey_tokend.server.hosts import HostCheck
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from tests.support.provider import FakeProvider


def is_served(host: str | None, *names: str, own: str = "pi.lan") -> bool:
    headers = {} if host is None else {"Host": host}
    request = make_mocked_request("GET", "/metrics", headers=headers)
    return HostCheck(names, own=lambda: own).check(request) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "127.0.0.1",
        "127.0.0.1:9464",
        "192.0.2.7:9464",
        "[::1]",
        "[::1]:9464",
        "[fe80::1%eth0]:9464",
        "localhost",
        "LocalHost:9464",
        "localhost.:9464",
        "pi.lan:9464",
        "pi:9464",
        "PI.LAN.",
        "metrics.example",
        "Metrics.Example:443",
    ],
)
def test_served(host: str | None) -> None:
    """Addresses, localhost, the own name and those of http.hosts are served, with any port."""
    assert is_served(host, "metrics.EXAMPLE.")


@pytest.mark.parametrize(
    "host",
    [
        "",
        ":9464",
        "evil.example",
        "evil.example:9464",
        "127.0.0.1.evil.example",
        "localhost.evil.example",
        "evil-localhost",
        "pi.evil.example",
        "pi.lan.evil.example",
        "evil.metrics.example",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "[127.0.0.1]",
        "[evil.example]",
        "::1",
        "localhost:9464:1",
        "localhost:x",
        "localhost, evil.example",
        "user@localhost",
        "localhost/x",
    ],
)
def test_not_served(host: str) -> None:
    """Any other name is not served, and nothing that only contains a known one."""
    assert not is_served(host, "metrics.example")


def test_a_machine_without_a_name() -> None:
    """A machine without a name of its own admits no empty host."""
    assert not is_served("", own="")
    assert is_served("localhost", own="")


@pytest.fixture
def hosts() -> Monitoring:
    return Monitoring()


@pytest.fixture
async def tcp(provider: FakeProvider, hosts: Monitoring) -> AsyncIterator[ClientSession]:
    server = Server(Api(provider, version="1", monitoring=hosts))
    await server.start(http=("127.0.0.1", 0))
    async with ClientSession(f"http://127.0.0.1:{server.http_port}") as session:
        yield session
    await server.stop()


@pytest.mark.parametrize("path", ["/", "/metrics", "/healthz", "/readyz", "/x"])
async def test_every_route(tcp: ClientSession, path: str) -> None:
    """No route answers a web page that has its name resolve to this machine."""
    async with tcp.get(path, headers={"Host": "evil.example:9464"}) as answer:
        document = await answer.json(content_type="application/problem+json")

    assert 421 == answer.status == document["status"]
    assert document["type"].endswith(":unknown-host")
    assert "'evil.example:9464'" in document["detail"]
    assert "http.hosts" in document["remedy"]
    assert "close" == answer.headers["Connection"]


async def test_an_unknown_path(tcp: ClientSession) -> None:
    """The answer says what the port serves, and where tokens are."""
    async with tcp.get("/token") as answer:
        document = await answer.json(content_type="application/problem+json")

    assert 404 == answer.status
    assert "this port serves /, /healthz, /readyz and /metrics" in document["detail"]
    assert "tokens are on the unix socket only" in document["detail"]


async def test_names_of_a_reload(tcp: ClientSession, hosts: Monitoring) -> None:
    """The names of a new configuration replace those before."""
    statuses = []
    for names in (["a.example"], ["b.example"]):
        hosts.hosts.replace_names(names)
        for name in ("a.example", "b.example"):
            async with tcp.get("/healthz", headers={"Host": name}) as answer:
                statuses.append(answer.status)

    assert [200, 421, 421, 200] == statuses


async def test_a_long_name_is_cut(tcp: ClientSession) -> None:
    """A response repeats no more than a part of a long name."""
    async with tcp.get("/", headers={"Host": "x" * 5000}) as answer:
        text = await answer.text()

    assert 421 == answer.status
    assert 1000 > len(text)
