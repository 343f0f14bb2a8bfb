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
from tests.support.desk import CANARY, FakeDesk, token, view
from tests.support.doors import serving


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
def desk(homey: tuple[str, object], monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeDesk]:
    folder = Path(tempfile.mkdtemp(prefix="ht"))
    monkeypatch.setenv("HOMEY_TOKEND_SOCKET", str(folder / "d.sock"))
    made = FakeDesk(view("home", replace(token(), url=homey[0])))
    with serving(made, folder / "d.sock"):
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


def renewed(desk: FakeDesk, url: str, value: str = "newer") -> None:
    """Return this token after the next refresh."""
    desk.renewed["home"] = view("home", replace(token(generation=8, value=value), url=url))


@BOTH
def test_a_refused_token(
    desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """After a 401 the token is refreshed, and the request sent once more, with its body."""
    url, asked = homey
    renewed(desk, url)

    assert 200 == send("PUT", f"{url}/x")
    assert [("/x", f"Bearer {CANARY}", b"body"), ("/x", "Bearer newer", b"body")] == asked
    assert 200 == send("PUT", f"{url}/y")
    assert 3 == len(asked)


@BOTH
def test_a_token_that_stays_refused(
    desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """If there is no newer token, or it is rejected too, the 401 is returned."""
    url, asked = homey
    renewed(desk, url, "also bad")
    first = send("PUT", f"{url}/x")
    renewed(desk, url, "also bad")
    second = send("PUT", f"{url}/x", homey="home", min_ttl=1)

    assert (401, 401) == (first, second)
    assert 3 == len(asked)


@BOTH
def test_a_refresh_that_is_not_to_be_had(
    desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """If the daemon answers that it is too soon, the Homey's 401 is returned; nothing is raised."""
    url, asked = homey
    soon = desk.time + timedelta(seconds=60)
    desk.refreshed = RefreshResult(desk.views["home"], done=False, too_soon=soon)

    assert 401 == send("PUT", f"{url}/x")
    assert [("/x", f"Bearer {CANARY}", b"body")] == asked


@BOTH
def test_another_host(
    desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """A token is only sent to its Homey, unless another name of it is given; no error shows it."""
    url, asked = homey
    other = url.replace("127.0.0.1", "localhost")
    renewed(desk, url)
    with pytest.raises(ClientError, match="not for localhost:") as caught:
        send("GET", other)
    kept = list(asked)

    assert exit_codes.USAGE == caught.value.exit_status
    assert CANARY not in str(caught.value) + caught.value.hint
    assert [] == kept
    assert 200 == send("GET", other, hosts=(other.removeprefix("http://"),))


@BOTH
def test_without_tls(
    desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]], send: Send
) -> None:
    """A Homey with an https address gets no token over plain http; no error shows it."""
    url, asked = homey
    own = replace(token(), url=url.replace("http:", "https:"))
    desk.views["home"] = view("home", own)
    with pytest.raises(ClientError, match="without TLS") as caught:
        send("GET", url)
    kept = list(asked)

    assert exit_codes.USAGE == caught.value.exit_status
    assert CANARY not in str(caught.value) + caught.value.hint
    assert [] == kept
    assert 401 == send("GET", url, hosts=(url.removeprefix("http://"),))


@BOTH
def test_no_token(desk: FakeDesk, homey: tuple[str, object], send: Send) -> None:
    """Without a token nothing is sent."""
    desk.views["home"] = view()
    with pytest.raises(ClientError) as caught:
        send("GET", homey[0])

    assert exit_codes.TRY_LATER == caught.value.exit_status


async def test_async(desk: FakeDesk, homey: tuple[str, list[tuple[str, str, bytes]]]) -> None:
    """The same in an event loop, which is not blocked."""
    url, asked = homey
    renewed(desk, url)
    async with httpx.AsyncClient(auth=client_httpx.HomeyAuth(), trust_env=False) as web:
        answer = await web.put(url, content=b"body")

    assert 200 == answer.status_code
    assert 2 == len(asked)
