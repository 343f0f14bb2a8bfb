"""The API proxy, from a caller's bytes to a Homey's and back."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from homey_tokend.proxy.body import MAX_BUFFERED
from homey_tokend.server.access import AccessControl, AccessRules, AllowList
from homey_tokend.server.app import Api
from homey_tokend.server.monitoring import Monitoring
from homey_tokend.server.server import Server
from homey_tokend.server.unix_socket import SocketOptions
from tests.support.api_proxy import (
    OK,
    Hub,
    ProxySetup,
    ReceivedRequest,
    as_chunks,
    parse_reply,
    running_proxy,
    with_length,
)
from tests.support.provider import CANARY, view


@pytest.fixture
async def proxy(socket_path: Path) -> AsyncIterator[ProxySetup]:
    async with running_proxy(socket_path) as made:
        yield made


async def test_a_call(proxy: ProxySetup) -> None:
    """The request is sent to the Homey's url with the bearer, and the response is returned."""
    answer = await proxy.ask(
        "/homeys/home/api/manager/zones/zone?a=%2F&b=~", fields="Accept: x\r\n"
    )
    (received,) = proxy.hub.received

    assert (200, b"ok") == (answer.status, answer.body)
    assert "GET /homey/c0ffee/api/manager/zones/zone?a=%2F&b=~ HTTP/1.1" == received.line
    assert [f"Bearer {CANARY}"] == received.all("Authorization")
    assert [proxy.hub.url.split("/")[2]] == received.all("Host")
    assert {"Host", "Accept", "Authorization", "Via"} == {name for name, _ in received.fields}


async def test_escapes_are_unchanged(proxy: ProxySetup) -> None:
    """No escape is changed on the way."""
    await proxy.ask("/homeys/home/api/a%7eb/%3A:/%C3%a9?q=a+b%20c&q=%7E")

    assert "/homey/c0ffee/api/a%7eb/%3A:/%C3%a9?q=a+b%20c&q=%7E" == proxy.hub.received[0].target


async def test_callers_cannot_send_their_own_bearer(proxy: ProxySetup) -> None:
    """Authorization, cookies and what Connection names are not forwarded."""
    await proxy.ask(
        fields="authorization: Bearer mine\r\nCookie: a=b\r\nX-Gone: 1\r\nConnection: x-gone\r\n"
    )
    (received,) = proxy.hub.received

    assert [f"Bearer {CANARY}"] == received.all("Authorization")
    assert [] == received.all("Cookie") + received.all("X-Gone") + received.all("Connection")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_methods(proxy: ProxySetup, method: str) -> None:
    """Every method but those that reveal or tunnel is forwarded, with its body."""
    body = b"" if method in {"GET", "HEAD"} else b'{"value": true}'
    proxy.hub.answers = [with_length(b"" if method == "HEAD" else b"ok")]
    answer = await proxy.ask(method=method, body=body, fields="Content-Type: application/json\r\n")
    (received,) = proxy.hub.received

    assert (200, method, body) == (answer.status, received.line.split(" ")[0], received.body)
    assert ["application/json"] == received.all("Content-Type")


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW"])
async def test_other_methods(proxy: ProxySetup, method: str) -> None:
    """TRACE would reveal the bearer, CONNECT would tunnel: they never reach the Homey."""
    answer = await proxy.ask(method=method)

    assert answer.status in {400, 404, 405}
    assert [] == proxy.hub.received


async def test_head_keeps_the_length(proxy: ProxySetup) -> None:
    """The length of HEAD is the Homey's; no body follows."""
    proxy.hub.answers = [b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"]
    answer = await proxy.ask(method="HEAD")

    assert (200, "5", b"") == (answer.status, answer.fields["content-length"], answer.body)


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (with_length(b'{"error":"x"}', status="400 Bad"), 400, b'{"error":"x"}'),
        (with_length(b"no", status="403 No"), 403, b"no"),
        (with_length(b"no", status="500 No"), 500, b"no"),
        (with_length(b"", "Location: http://evil.test/", status="302 Found"), 302, b""),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, b""),
        (b"HTTP/1.1 304 Not Modified\r\n\r\n", 304, b""),
        (with_length(b"odd", status="299 Odd"), 299, b"odd"),
        (b"HTTP/1.1 103 Early\r\nX: 1\r\n\r\n" + OK, 200, b"ok"),
    ],
)
async def test_answers_pass(proxy: ProxySetup, answer: bytes, status: int, body: bytes) -> None:
    """Any response is returned, including redirects, which are not followed."""
    proxy.hub.answers = [answer]
    got = await proxy.ask()

    assert (status, body, 1) == (got.status, got.body, len(proxy.hub.received))


async def test_compressed_responses_are_unchanged(proxy: ProxySetup) -> None:
    """Compressed bytes are returned unchanged."""
    packed = gzip.compress(b"hello" * 100)
    proxy.hub.answers = [with_length(packed, "Content-Encoding: gzip", "Content-Type: text/x")]
    got = await proxy.ask(fields="Accept-Encoding: gzip\r\n")

    assert (packed, "gzip", "text/x") == (
        got.body,
        got.fields["content-encoding"],
        got.fields["content-type"],
    )
    assert ["gzip"] == proxy.hub.received[0].all("Accept-Encoding")


@pytest.mark.parametrize("coding", ["gzip", "br", "zstd", "odd"])
async def test_compressed_requests_are_unchanged(proxy: ProxySetup, coding: str) -> None:
    """A compressed request body is forwarded unchanged, whatever the compression."""
    packed = gzip.compress(b'{"value": true}' * 100)
    got = await proxy.ask(method="PUT", body=packed, fields=f"Content-Encoding: {coding}\r\n")
    received = proxy.hub.received[0] if proxy.hub.received else ReceivedRequest("", [])

    assert (200, packed) == (got.status, received.body)
    assert ([coding], [str(len(packed))]) == (
        received.all("Content-Encoding"),
        received.all("Content-Length"),
    )


async def test_chunks_pass(proxy: ProxySetup) -> None:
    """A response without a length is sent in chunks, and ends properly."""
    proxy.hub.answers = [
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + as_chunks(b"one", b"two", b"")
    ]
    got = await proxy.ask()

    assert b"onetwo" == unchunked(got.body)


async def test_cookies_and_echoes_are_dropped(proxy: ProxySetup) -> None:
    """No cookie of the shared session and no header with the token reaches the caller."""
    proxy.hub.answers = [
        with_length(b"ok", "Set-Cookie: a=b", f"X-Echo: Bearer {CANARY}", "Keep-Alive: x", "X: 1")
    ]
    got = await proxy.ask()

    assert {"content-length", "x", "date", "server", "content-type", "connection"} >= set(
        got.fields
    )
    assert "1" == got.fields["x"]


async def test_a_reason_with_the_token(proxy: ProxySetup) -> None:
    """The reason phrase is ours."""
    proxy.hub.answers = [with_length(b"no", status=f"400 {CANARY}")]

    assert b"HTTP/1.1 400 Bad Request" == (await proxy.ask()).raw.splitlines()[0]


@pytest.mark.parametrize("size", [0, 1, MAX_BUFFERED, MAX_BUFFERED + 1, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies(proxy: ProxySetup, size: int, *, chunked: bool) -> None:
    """Bodies of any size arrive complete, kept or streamed, with a length if one was announced."""
    body = bytes(range(256)) * (size // 256 + 1)
    body = body[:size]
    if chunked:
        parts = [body[at : at + 50_000] for at in range(0, size, 50_000)]
        head = b"POST /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n"
        got = await proxy.say(head + b"Transfer-Encoding: chunked\r\n\r\n" + as_chunks(*parts, b""))
    else:
        got = await proxy.ask(method="POST", body=body)
    (received,) = proxy.hub.received

    assert (200, body) == (got.status, received.body)
    assert bool(received.all("Transfer-Encoding")) is (chunked and size > MAX_BUFFERED)


async def test_expect_continue(proxy: ProxySetup) -> None:
    """curl waits for 100 Continue before a long body: the daemon sends it."""
    head = "Content-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    reader, writer = await proxy.send(
        f"POST /homeys/home/api/x HTTP/1.1\r\nHost: h\r\n{head}".encode()
    )
    first = await reader.readuntil(b"\r\n\r\n")
    writer.write(b"abc")
    got = parse_reply(await reader.read())
    writer.close()

    assert b"HTTP/1.1 100 Continue\r\n\r\n" == first
    assert (200, b"abc", []) == (
        got.status,
        proxy.hub.received[0].body,
        proxy.hub.received[0].all("Expect"),
    )


async def test_pieces_are_forwarded_at_once(proxy: ProxySetup) -> None:
    """A piece of a response is passed on at once, not when all has arrived."""
    going_on = asyncio.Event()

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none")
        await going_on.wait()
        writer.write(b"two")

    proxy.hub.turn = turn
    reader, writer = await proxy.send(
        b"GET /homeys/home/api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
    )
    first = await reader.readuntil(b"one")
    going_on.set()
    rest = await reader.read()
    writer.close()

    assert first.endswith(b"\r\n\r\none")
    assert b"two" == rest


@pytest.mark.parametrize(
    "target",
    [
        "/homeys/home/api/../../token",
        "/homeys/home/api/%2e%2e/%2e%2e/token",
        "/homeys/home/api//x",
        "/homeys/home/api/a%2fb",
        "/homeys/home/api/a%5cb",
        "/homeys/home/api/a%00",
        "/homeys/home/%61pi/x",
        "http://localhost/homeys/home/api/x",
        "http://evil.test/homeys/home/api/x",
    ],
)
async def test_paths_that_lead_elsewhere(proxy: ProxySetup, target: str) -> None:
    """No path leads out of /api/, and the Homey gets no request."""
    got = await proxy.ask(target)

    assert got.status in {400, 404}
    assert [] == proxy.hub.received
    assert CANARY.encode() not in got.raw


@pytest.mark.parametrize(
    ("fields", "status", "name"),
    [
        ("Origin: http://evil.test\r\n", 403, "web-page"),
        ("Referer: http://evil.test/\r\n", 403, "web-page"),
        ("Connection: Upgrade\r\nUpgrade: websocket\r\n", 501, "no-upgrade"),
        ("Connection: Upgrade\r\nUpgrade: h2c, websocket\r\n", 501, "no-upgrade"),
        ("X: a\xff\r\n", 400, "bad-header"),
    ],
)
async def test_rejections(proxy: ProxySetup, fields: str, status: int, name: str) -> None:
    """Web pages, upgrades and malformed headers are rejected in plain words."""
    got = await proxy.ask(fields=fields)

    assert (status, f"urn:homey-tokend:problem:{name}") == (
        got.status,
        json.loads(got.body)["type"],
    )
    assert [] == proxy.hub.received


async def test_a_websocket(proxy: ProxySetup) -> None:
    """A websocket handshake is rejected with what to do instead, and the connection stays HTTP."""
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    got = await proxy.ask(fields=f"Connection: Upgrade\r\nUpgrade: websocket\r\n{key}")

    assert (501, []) == (got.status, proxy.hub.received)
    assert "take the token and connect to the Homey's own url" in got.body.decode()
    assert "upgrade" not in got.fields


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_offer_of_http_2(proxy: ProxySetup, method: str) -> None:
    """An offer of h2c (curl --http2) is ignored: the call succeeds, and the Homey gets no offer."""
    offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"
    got = await proxy.ask(method=method, fields=offer, body=b"{}" if method == "POST" else b"")
    (received,) = proxy.hub.received

    assert (200, b"ok") == (got.status, got.body)
    assert [] == received.all("Upgrade") + received.all("HTTP2-Settings") + received.all(
        "Connection"
    )


async def test_separate_access(proxy: ProxySetup, folder: Path) -> None:
    """The proxy can be open to more users than the token is, and to fewer."""

    async def well(_request: web.Request) -> web.StreamResponse:
        return web.Response(text="well")

    found = []
    nobody, anybody = AllowList(anybody=False), AllowList()
    for rules in (AccessRules(nobody, anybody), AccessRules(anybody, nobody)):
        monitoring = Monitoring(access=AccessControl(rules, always=()))
        api = Api(proxy.provider, version="1", proxy=well, monitoring=monitoring)
        server = Server(api)
        await server.start(SocketOptions(folder / "e.sock"))
        other = replace(proxy, path=folder / "e.sock")
        found.append([(await other.ask(path)).status for path in ("/status", "/homeys/home/api/x")])
        await server.stop()

    assert [[403, 200], [200, 403]] == found


async def test_unknown_homey(proxy: ProxySetup) -> None:
    """An unknown Homey is 404, and the known ones are listed."""
    got = await proxy.ask("/homeys/nope/api/x")

    assert (404, ["home"]) == (got.status, json.loads(got.body)["homeys"])


async def test_no_token(proxy: ProxySetup) -> None:
    """Without a valid token the call waits for one; without success it is 503 with the reason."""
    proxy.provider.views["home"] = view("home")
    got = await proxy.ask()

    assert (503, "no_token") == (got.status, json.loads(got.body)["kind"])
    assert "Retry-After".lower() in got.fields
    assert 1 == len(proxy.provider.asked)


async def test_a_token_that_arrives(proxy: ProxySetup) -> None:
    """A running refresh is waited for, and its token is used."""
    proxy.provider.renewed = {"home": proxy.hold()}
    proxy.provider.views["home"] = view("home", refreshing=True)

    assert 200 == (await proxy.ask()).status
    assert [f"Bearer {CANARY}"] == proxy.hub.received[0].all("Authorization")


async def test_connections_are_kept(proxy: ProxySetup) -> None:
    """Two successive calls share one connection to the Homey."""
    seen: list[object] = []

    async def turn(
        _hub: Hub,
        _received: ReceivedRequest,
        _reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        seen.append(writer.get_extra_info("peername"))
        writer.write(OK)

    proxy.hub.turn = turn
    await proxy.ask()
    await proxy.ask()

    assert 2 == len(seen)
    assert seen[0] == seen[1]


def unchunked(body: bytes) -> bytes:
    parts = []
    while body:
        line, _, body = body.partition(b"\r\n")
        size = int(line, 16)
        parts.append(body[:size])
        body = body[size + 2 :]
    return b"".join(parts)
