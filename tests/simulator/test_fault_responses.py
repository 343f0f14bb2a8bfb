"""Each kind of fault as a client sees it."""

import asyncio
import errno
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from homey_tokend.simulator import Simulator
from tests.simulator.conftest import Client, Clock, StartClient

PING = "/system/ping"


@pytest.mark.parametrize(
    ("keys", "status", "body"),
    [
        (
            {"kind": "status"},
            503,
            '{"code":503,"error":"server_error","error_description":"server_error"}',
        ),
        (
            {"kind": "status", "status": 400, "error": "invalid_grant", "description": "Invalid"},
            400,
            '{"code":400,"error":"invalid_grant","error_description":"Invalid"}',
        ),
        ({"kind": "text", "body": "Bad Gateway", "status": 502}, 502, "Bad Gateway"),
        ({"kind": "html", "body": "<p>", "status": 200}, 200, "<p>"),
        ({"kind": "json", "body": [1, None]}, 200, "[1,null]"),
        ({"kind": "too_many_requests"}, 429, "Too many requests"),
        ({"kind": "redirect", "status": 307}, 307, "Found. Redirecting to https://portal.invalid/"),
    ],
)
async def test_answers(client: Client, keys: dict[str, Any], status: int, body: str) -> None:
    """A replacing fault has its own status and body."""
    client.simulator.add_fault(step="ping", **keys)
    answer = await client.homey("GET", PING)

    assert (status, body) == (answer.status, answer.text)


async def test_portal(client: Client) -> None:
    """HTML comes with 200 in place of JSON, as from a captive portal."""
    client.simulator.add_fault(step="ping", kind="html")
    answer = await client.homey("GET", PING)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_named_texts(client: Client) -> None:
    """Offline, scopes and csurf have the texts that clients look for."""
    texts = {
        "mesh_node_offline": (404, "mesh_node_offline"),
        "missing_scopes": (403, "Missing Scopes"),
        "csrf_mismatch": (403, "invalid csrf token"),
    }
    for kind in texts:
        client.simulator.add_fault(step="ping", kind=kind, times=1)
    answers = [await client.homey("GET", PING) for _ in texts]

    assert [status for status, _ in texts.values()] == [one.status for one in answers]
    assert all(text in one.text for (_, text), one in zip(texts.values(), answers, strict=True))


@pytest.mark.parametrize(
    ("asked", "header"),
    [
        (120, "120"),
        (1.5, "1.5"),
        ("soon", "soon"),
        ("date+60", "Fri, 15 Jan 2027 08:01:00 GMT"),
    ],
)
async def test_retry_after(client: Client, asked: float | str, header: str) -> None:
    """Retry-After is seconds, a text as it is, or an HTTP date some seconds ahead."""
    client.simulator.add_fault(step="ping", kind="status", status=429, retry_after=asked)
    answer = await client.homey("GET", PING)

    assert header == answer.headers["Retry-After"]
    assert asked != "date+60" or parsedate_to_datetime(header).second == 0


async def test_reset(client: Client) -> None:
    """A reset is a broken connection, and the request log has no status."""
    client.simulator.add_fault(step="ping", kind="reset")
    with pytest.raises(aiohttp.ClientOSError) as error:
        await client.homey("GET", PING)

    assert error.value.errno == errno.ECONNRESET
    assert client.simulator.requests[-1].status is None
    assert client.simulator.requests[-1].faults == ["reset"]


async def test_hang(client: Client, clock: Clock) -> None:
    """A hang ends after its seconds with a closed connection."""
    client.simulator.add_fault(step="ping", kind="hang", seconds=300)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.homey("GET", PING)

    assert clock.slept == [300]


async def test_endless_hang() -> None:
    """A hang without seconds lasts until the client leaves, and does not hold up the stop."""
    async with Simulator() as simulator, aiohttp.ClientSession() as session:
        simulator.add_fault(kind="hang")
        with pytest.raises(TimeoutError):
            await session.get(simulator.base_url, timeout=aiohttp.ClientTimeout(0.05))
        before = time.monotonic()

    assert time.monotonic() - before < 30


async def test_stop_ends_a_hang() -> None:
    """A request that still waits when the simulator stops gets a closed connection."""
    async with aiohttp.ClientSession() as session:
        async with Simulator() as simulator:
            simulator.add_fault(kind="hang")
            waiting = asyncio.ensure_future(session.get(simulator.base_url))
            while not simulator.requests:  # noqa: ASYNC110 -- the request log is a plain list
                await asyncio.sleep(0.001)
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting


async def test_started_again(client: Client) -> None:
    """After a stop it listens on the same port again, with the same state."""
    token, url = await client.bearer(), client.simulator.base_url
    await client.simulator.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.homey("GET", PING)

    await client.simulator.start()

    assert client.simulator.base_url == url
    assert (await client.homey("GET", "/sessions/session/me", token)).status == 200


async def test_delay(client: Client, clock: Clock) -> None:
    """A delayed request gets its true response."""
    client.simulator.add_fault(step="ping", kind="delay", seconds=20)
    answer = await client.homey("GET", PING)

    assert (answer.status, clock.slept) == (200, [20])


@pytest.mark.parametrize("size", [{}, {"bytes": 1}])
async def test_cut(client: Client, size: dict[str, int]) -> None:
    """A cut body ends before its announced length."""
    client.simulator.add_fault(step="session", kind="cut", **size)
    with pytest.raises(aiohttp.ClientPayloadError):
        await client.homey("GET", "/sessions/session/me", await client.bearer())


async def test_drip(client: Client, clock: Clock) -> None:
    """A dripping body comes octet by octet and is whole in the end."""
    client.simulator.add_fault(step="ping", kind="drip", seconds=10)
    answer = await client.homey("GET", PING)

    assert answer.text == "true"
    assert clock.slept[:3] == [10, 10, 10]


@pytest.mark.parametrize("kind", ["huge", "gzip_bomb"])
async def test_large(client: Client, kind: str) -> None:
    """Large bodies are valid JSON of the size asked for; the bomb is small on the wire."""
    client.simulator.add_fault(step="ping", kind=kind, bytes=1_000_000)
    answer = await client.homey("GET", PING)

    assert len(answer.text) == 1_000_000
    assert len(answer.json) == 999_998
    assert ("Content-Encoding" in answer.headers) == (kind == "gzip_bomb")


async def test_client_leaves_long_response(caplog: pytest.LogCaptureFixture) -> None:
    """A client that leaves in the middle of a response is in the request log, and no error is logged."""
    async with Simulator() as simulator:
        simulator.add_fault(step="user", kind="huge")
        where = urlsplit(simulator.base_url)
        reader, writer = await asyncio.open_connection(where.hostname, where.port)
        writer.write(b"GET /user/me HTTP/1.1\r\nHost: x\r\n\r\n")
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.abort()
        (entry,) = simulator.seen("user")

    assert (200, ["huge"]) == (entry.status, entry.faults)
    assert [] == caplog.records


async def test_long_header(client: Client) -> None:
    """A header is as long as asked for."""
    client.simulator.add_fault(step="ping", kind="long_header", bytes=5_000)

    assert len((await client.homey("GET", PING)).headers["X-Filler"]) == 5_000


async def test_long_header_by_default(client: Client) -> None:
    """Its default is longer than clients take."""
    client.simulator.add_fault(step="ping", kind="long_header")
    with pytest.raises(aiohttp.ClientResponseError):
        await client.homey("GET", PING)


async def test_carried_out(client: Client) -> None:
    """A request can be carried out and its response lost: the code is used up."""
    code = await client.code()
    client.simulator.add_fault(step="token", kind="reset", times=1, carried_out=True)
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.token(code=code)

    assert (await client.token(code=code)).error == (400, "invalid_grant", "Invalid code")


async def test_not_carried_out(client: Client) -> None:
    """By default it is not carried out: the code is still valid."""
    code = await client.code()
    client.simulator.add_fault(step="token", kind="status", times=1)

    assert [(await client.token(code=code)).status for _ in range(2)] == [503, 200]


async def test_revoke(start_client: StartClient) -> None:
    """Sessions of the addressed Homey end, and those of others do not."""
    client = await start_client(homeys=2)
    token = await client.bearer()
    other = client.description["homeys"][1]["cloudid"]
    client.simulator.add_fault(step="ping", kind="revoke")
    await client.homey("GET", PING, at=other)

    assert client.simulator.accepts(token)

    await client.homey("GET", PING)

    assert not client.simulator.accepts(token)


async def test_revoke_at_the_cloud(client: Client) -> None:
    """At a step of the cloud all sessions end."""
    token = await client.bearer()
    client.simulator.add_fault(step="login", kind="revoke")
    await client.login()

    assert not client.simulator.accepts(token)


async def test_revoke_access(client: Client) -> None:
    """Access tokens are revoked, and the same request already fails."""
    access = await client.access()
    client.simulator.add_fault(step="delegation", kind="revoke_access")

    assert (await client.delegation(access)).status == 401


async def test_otp_required(client: Client) -> None:
    """The login asks for a one-time code, and takes none."""
    client.simulator.add_fault(step="login", kind="otp_required", times=2)
    asked = await client.login()
    given = await client.login(otptoken="123456")

    assert (asked.json["code"], given.status) == (401, 401)
    assert (await client.login()).status == 200


@pytest.mark.parametrize("path", ["/authorise", "/oauth2/authorise"])
async def test_direct_code(client: Client, path: str) -> None:
    """Authorise gives the code at once, on the first hop or the second."""
    query = client.query((await client.login()).json["token"])
    client.simulator.add_fault(step="authorise", kind="direct_code")
    answer = await client.ask("GET", path, params=query)

    assert answer.headers["Location"].startswith("http://localhost?code=")


async def test_access_denied(client: Client) -> None:
    """The consent is denied although Allow was pressed."""
    client.simulator.add_fault(step="consent", kind="access_denied")
    query = parse_qs(urlsplit((await client.consent()).headers["Location"]).query)

    assert query["error"] == ["access_denied"]


async def test_error_redirect(client: Client) -> None:
    """An error redirect carries a status as its code."""
    client.simulator.add_fault(step="consent", kind="error_redirect", status=400)
    location = (await client.consent()).headers["Location"]

    assert location == (
        "http://localhost?error=invalid_request&error_description=invalid_request&code=400"
    )


async def test_unchanged(client: Client) -> None:
    """A variable's PUT answers 200 with the old value."""
    token = await client.bearer()
    client.simulator.add_fault(step="variable", kind="unchanged")
    path = f"/logic/variable/{client.description['homeys'][0]['variables'][0]['id']}"
    answer = await client.homey("PUT", path, token, json={"value": "lost"})

    assert (answer.status, answer.json["value"]) == (200, "")
