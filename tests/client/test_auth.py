"""Auth objects of httpx and requests: a valid token each time, a newer one after a 401, one host."""

import http.server
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
import requests

from homey_tokend import client_httpx, client_requests, exit_codes
from homey_tokend.client import ClientError
from homey_tokend.core.status import RefreshResult
from tests.support.api_server import serve_provider
from tests.support.provider import CANARY, FakeProvider, token, view


class Homey(http.server.BaseHTTPRequestHandler):
    """Accept one bearer, and record the requests."""

    good = "Bearer newer"
    asked: list[tuple[str, str, bytes]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        bearer = self.headers.get("Authorization", "")
        self.asked.append((self.path, bearer, body))
        self.send_response(200 if bearer == self.good else 401)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    do_GET = do_PUT  # noqa: N815  its name there

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Log nothing."""


@pytest.fixture
def homey() -> Iterator[tuple[str, list[tuple[str, str, bytes]]]]:
    asked: list[tuple[str, str, bytes]] = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("One", (Homey,), {"asked": asked})
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def provider(homey: tuple[str, object], monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeProvider]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    made = FakeProvider(view("home", replace(token(), url=homey[0])))
    with serve_provider(made, folder / "d.sock"):
        yield made
    shutil.rmtree(folder)


def by_httpx(method: str, url: str, **wishes: object) -> int:
    with httpx.Client(auth=client_httpx.HomeyAuth(**wishes), trust_env=False) as web:  # type: ignore[arg-type]  # as a test gives them
        return web.request(method, url, content=b"body").status_code


def by_requests(method: str, url: str, **wishes: object) -> int:
    with requests.Session() as web:
        web.trust_env = False
        web.auth = client_requests.HomeyAuth(**wishes)  # type: ignore[arg-type]  # as a test gives them
        return web.request(method, url, data=b"body", timeout=5).status_code


Send = Callable[..., int]
BOTH = pytest.mark.parametrize("send", [by_httpx, by_requests], ids=["httpx", "requests"])


def renewed(provider: FakeProvider, url: str, value: str = "newer") -> None:
    """Return this token after the next refresh."""
    provider.renewed["home"] = view("home", replace(token(generation=8, value=value), url=url))


@BOTH
def test_a_rejected_token(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """After a 401 the token is refreshed, and the request sent once more, with its body."""
    url, asked = homey
    renewed(provider, url)

    assert 200 == send("PUT", f"{url}/x")
    assert [("/x", f"Bearer {CANARY}", b"body"), ("/x", "Bearer newer", b"body")] == asked
    assert 200 == send("PUT", f"{url}/y")
    assert 3 == len(asked)


@BOTH
def test_a_token_that_stays_rejected(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """If there is no newer token, or it is rejected too, the 401 is returned."""
    url, asked = homey
    renewed(provider, url, "also bad")
    first = send("PUT", f"{url}/x")
    renewed(provider, url, "also bad")
    second = send("PUT", f"{url}/x", homey="home", min_ttl=1)

    assert (401, 401) == (first, second)
    assert 3 == len(asked)


@BOTH
def test_a_refresh_that_is_too_soon(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """If the daemon answers that it is too soon, the Homey's 401 is returned; nothing is raised."""
    url, asked = homey
    soon = provider.time + timedelta(seconds=60)
    provider.refreshed = RefreshResult(provider.views["home"], done=False, too_soon=soon)

    assert 401 == send("PUT", f"{url}/x")
    assert [("/x", f"Bearer {CANARY}", b"body")] == asked


@BOTH
def test_another_host(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """A token is only sent to its Homey, unless another name of it is given; no error shows it."""
    url, asked = homey
    other = url.replace("127.0.0.1", "localhost")
    renewed(provider, url)
    with pytest.raises(ClientError, match="not for localhost:") as caught:
        send("GET", other)
    kept = list(asked)

    assert exit_codes.USAGE == caught.value.exit_status
    assert CANARY not in str(caught.value) + caught.value.hint
    assert [] == kept
    assert 200 == send("GET", other, hosts=(other.removeprefix("http://"),))


@BOTH
def test_without_tls(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """A Homey with an https address gets no token over plain http; no error shows it."""
    url, asked = homey
    own = replace(token(), url=url.replace("http:", "https:"))
    provider.views["home"] = view("home", own)
    with pytest.raises(ClientError, match="without TLS") as caught:
        send("GET", url)
    kept = list(asked)

    assert exit_codes.USAGE == caught.value.exit_status
    assert CANARY not in str(caught.value) + caught.value.hint
    assert [] == kept
    assert 401 == send("GET", url, hosts=(url.removeprefix("http://"),))


@BOTH
def test_no_token(provider: FakeProvider, homey: tuple[str, object], send: Send) -> None:
    """Without a token nothing is sent."""
    provider.views["home"] = view()
    with pytest.raises(ClientError) as caught:
        send("GET", homey[0])

    assert exit_codes.TRY_LATER == caught.value.exit_status


async def test_async(
    provider: FakeProvider, homey: tuple[str, list[tuple[str, str, bytes]]]
) -> None:
    """The same in an event loop, which is not blocked."""
    url, asked = homey
    renewed(provider, url)
    async with httpx.AsyncClient(auth=client_httpx.HomeyAuth(), trust_env=False) as web:
        answer = await web.put(url, content=b"body")

    assert 200 == answer.status_code
    assert 2 == len(asked)
