"""Scripted trouble: each kind as a client meets it, and which requests meet it."""

import asyncio
import errno
import time
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest

from homey_tokend.simulator import Simulator
from tests.simulator.conftest import Clock, Meet, Person

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
async def test_answers(person: Person, keys: dict[str, Any], status: int, body: str) -> None:
    """A replacing fault has its status and body."""
    person.simulator.add_fault(step="ping", **keys)
    answer = await person.homey("GET", PING)

    assert (status, body) == (answer.status, answer.text)


async def test_portal(person: Person) -> None:
    """HTML comes with 200 where JSON belongs, as a captive portal gives it."""
    person.simulator.add_fault(step="ping", kind="html")
    answer = await person.homey("GET", PING)

    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/html")


async def test_named_texts(person: Person) -> None:
    """Offline, scopes and csurf have the texts that clients look for."""
    texts = {
        "mesh_node_offline": (404, "mesh_node_offline"),
        "missing_scopes": (403, "Missing Scopes"),
        "csrf_mismatch": (403, "invalid csrf token"),
    }
    for kind in texts:
        person.simulator.add_fault(step="ping", kind=kind, times=1)
    answers = [await person.homey("GET", PING) for _ in texts]

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
async def test_retry_after(person: Person, asked: float | str, header: str) -> None:
    """Retry-After is seconds, a text as it is, or an HTTP date some seconds ahead."""
    person.simulator.add_fault(step="ping", kind="status", status=429, retry_after=asked)
    answer = await person.homey("GET", PING)

    assert header == answer.headers["Retry-After"]
    assert asked != "date+60" or parsedate_to_datetime(header).second == 0


async def test_reset(person: Person) -> None:
    """A reset is a broken connection, and the journal has no status."""
    person.simulator.add_fault(step="ping", kind="reset")
    with pytest.raises(aiohttp.ClientOSError) as trouble:
        await person.homey("GET", PING)

    assert trouble.value.errno == errno.ECONNRESET
    assert person.simulator.journal[-1].status is None
    assert person.simulator.journal[-1].faults == ["reset"]


async def test_hang(person: Person, clock: Clock) -> None:
    """A hang ends after its seconds with a closed connection."""
    person.simulator.add_fault(step="ping", kind="hang", seconds=300)
    with pytest.raises(aiohttp.ClientConnectionError):
        await person.homey("GET", PING)

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
    """Who still waits when the simulator stops gets a closed connection."""
    async with aiohttp.ClientSession() as session:
        async with Simulator() as simulator:
            simulator.add_fault(kind="hang")
            waiting = asyncio.ensure_future(session.get(simulator.base_url))
            while not simulator.journal:  # noqa: ASYNC110 -- the journal is a plain list
                await asyncio.sleep(0.001)
        with pytest.raises(aiohttp.ClientConnectionError):
            await waiting


async def test_started_again(person: Person) -> None:
    """After a stop it listens on the same port again, with the same world."""
    token, url = await person.bearer(), person.simulator.base_url
    await person.simulator.stop()
    with pytest.raises(aiohttp.ClientConnectionError):
        await person.homey("GET", PING)

    await person.simulator.start()

    assert person.simulator.base_url == url
    assert (await person.homey("GET", "/sessions/session/me", token)).status == 200


async def test_delay(person: Person, clock: Clock) -> None:
    """A delayed request is answered as it should be."""
    person.simulator.add_fault(step="ping", kind="delay", seconds=20)
    answer = await person.homey("GET", PING)

    assert (answer.status, clock.slept) == (200, [20])


@pytest.mark.parametrize("size", [{}, {"bytes": 1}])
async def test_cut(person: Person, size: dict[str, int]) -> None:
    """A cut body ends before the length that was told."""
    person.simulator.add_fault(step="session", kind="cut", **size)
    with pytest.raises(aiohttp.ClientPayloadError):
        await person.homey("GET", "/sessions/session/me", await person.bearer())


async def test_drip(person: Person, clock: Clock) -> None:
    """A dripping body comes octet by octet and is whole in the end."""
    person.simulator.add_fault(step="ping", kind="drip", seconds=10)
    answer = await person.homey("GET", PING)

    assert answer.text == "true"
    assert clock.slept[:3] == [10, 10, 10]


@pytest.mark.parametrize("kind", ["huge", "gzip_bomb"])
async def test_large(person: Person, kind: str) -> None:
    """Large bodies are valid JSON of the size asked for; the bomb is small on the wire."""
    person.simulator.add_fault(step="ping", kind=kind, bytes=1_000_000)
    answer = await person.homey("GET", PING)

    assert len(answer.text) == 1_000_000
    assert len(answer.json) == 999_998
    assert ("Content-Encoding" in answer.headers) == (kind == "gzip_bomb")


async def test_who_has_enough_of_a_long_answer(caplog: pytest.LogCaptureFixture) -> None:
    """A client that goes away amid it is in the journal, and nothing is made of it."""
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


async def test_long_header(person: Person) -> None:
    """A header is as long as asked for."""
    person.simulator.add_fault(step="ping", kind="long_header", bytes=5_000)

    assert len((await person.homey("GET", PING)).headers["X-Filler"]) == 5_000


async def test_long_header_by_default(person: Person) -> None:
    """Its default is longer than clients take."""
    person.simulator.add_fault(step="ping", kind="long_header")
    with pytest.raises(aiohttp.ClientResponseError):
        await person.homey("GET", PING)


async def test_carried_out(person: Person) -> None:
    """A request can be carried out and its answer lost: the code is spent."""
    code = await person.code()
    person.simulator.add_fault(step="token", kind="reset", times=1, carried_out=True)
    with pytest.raises(aiohttp.ClientConnectionError):
        await person.token(code=code)

    assert (await person.token(code=code)).error == (400, "invalid_grant", "Invalid code")


async def test_not_carried_out(person: Person) -> None:
    """Else it is not: the code is still good."""
    code = await person.code()
    person.simulator.add_fault(step="token", kind="status", times=1)

    assert [(await person.token(code=code)).status for _ in range(2)] == [503, 200]


async def test_revoke(meet: Meet) -> None:
    """Sessions of the Homey that is asked end, and those of others do not."""
    person = await meet(homeys=2)
    token = await person.bearer()
    other = person.told["homeys"][1]["cloudid"]
    person.simulator.add_fault(step="ping", kind="revoke")
    await person.homey("GET", PING, at=other)

    assert person.simulator.accepts(token)

    await person.homey("GET", PING)

    assert not person.simulator.accepts(token)


async def test_revoke_at_the_cloud(person: Person) -> None:
    """At a step of the cloud all sessions end."""
    token = await person.bearer()
    person.simulator.add_fault(step="login", kind="revoke")
    await person.login()

    assert not person.simulator.accepts(token)


async def test_revoke_access(person: Person) -> None:
    """Access tokens end, and the request is already refused."""
    access = await person.access()
    person.simulator.add_fault(step="delegation", kind="revoke_access")

    assert (await person.delegation(access)).status == 401


async def test_otp_required(person: Person) -> None:
    """The login asks for a one-time code, and takes none."""
    person.simulator.add_fault(step="login", kind="otp_required", times=2)
    asked = await person.login()
    given = await person.login(otptoken="123456")

    assert (asked.json["code"], given.status) == (401, 401)
    assert (await person.login()).status == 200


@pytest.mark.parametrize("path", ["/authorise", "/oauth2/authorise"])
async def test_direct_code(person: Person, path: str) -> None:
    """Authorise gives the code at once, on the first hop or the second."""
    query = person.query((await person.login()).json["token"])
    person.simulator.add_fault(step="authorise", kind="direct_code")
    answer = await person.ask("GET", path, params=query)

    assert answer.headers["Location"].startswith("http://localhost?code=")


async def test_access_denied(person: Person) -> None:
    """The consent is denied though Allow was pressed."""
    person.simulator.add_fault(step="consent", kind="access_denied")
    query = parse_qs(urlsplit((await person.consent()).headers["Location"]).query)

    assert query["error"] == ["access_denied"]


async def test_error_redirect(person: Person) -> None:
    """An error redirect carries a status as its code."""
    person.simulator.add_fault(step="consent", kind="error_redirect", status=400)
    location = (await person.consent()).headers["Location"]

    assert location == (
        "http://localhost?error=invalid_request&error_description=invalid_request&code=400"
    )


async def test_unchanged(person: Person) -> None:
    """A variable's PUT answers 200 with the old value."""
    token = await person.bearer()
    person.simulator.add_fault(step="variable", kind="unchanged")
    path = f"/logic/variable/{person.told['homeys'][0]['variables'][0]['id']}"
    answer = await person.homey("PUT", path, token, json={"value": "lost"})

    assert (answer.status, answer.json["value"]) == (200, "")
