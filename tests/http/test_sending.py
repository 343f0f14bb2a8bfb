"""Requests as they are sent."""

import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import pytest

from homey_tokend.core.http_types import Request, Step
from homey_tokend.core.secret import Secret
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import RawServer, answer
from tests.support.clock import NOON, FakeClock

AWKWARD = (
    ("plus", "a+b c"),
    ("ampersand", "a&b=c;d"),
    ("percent", "100%41"),
    ("unicode", "häßlich ☃ 🔑"),
    ("quotes", "'\"\\`"),
    ("url", "http://localhost/?a=b#c"),
    ("control", "a\r\nb\tc\0"),
    ("", "no name"),
    ("empty", ""),
    ("tilde", "~-._"),
    ("tilde", "twice"),
)


async def test_query_values_are_encoded_once(transport: HttpTransport) -> None:
    """A server reads exactly the given query pairs, whatever they contain."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.AUTHORISE, "GET", server.url + "/a", query=AWKWARD))
    target = server.head().split(" ")[1]

    assert target.startswith("/a?")
    assert " " not in target
    assert "+" not in target
    assert list(AWKWARD) == parse_qsl(target.partition("?")[2], keep_blank_values=True)


async def test_a_query_is_added_to_the_one_of_the_url(transport: HttpTransport) -> None:
    """An endpoint that has a query keeps it."""
    async with RawServer(answer()) as server:
        url = server.url + "/a?kept=1#fragment"
        await transport.send(Request(Step.AUTHORISE, "GET", url, query=(("new", "1"),)))

    assert server.head().startswith("GET /a?kept=1&new=1 HTTP/1.1\r\n")


async def test_form_values_are_encoded_once(transport: HttpTransport) -> None:
    """A form is sent as application/x-www-form-urlencoded, with any character."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.LOGIN, "POST", server.url, form=AWKWARD))

    assert "content-type: application/x-www-form-urlencoded\r\n" in server.head().lower()
    assert list(AWKWARD) == parse_qsl(server.body().decode(), keep_blank_values=True)


async def test_an_empty_form_is_still_a_form(transport: HttpTransport) -> None:
    """POST without values has a content type and a length of zero."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.DELEGATION, "POST", server.url, form=()))

    assert "content-type: application/x-www-form-urlencoded" in server.head().lower()
    assert "content-length: 0" in server.head().lower()


@pytest.mark.parametrize("value", [{"token": "ä"}, "text", [], False, 0, {}])
async def test_json_goes_out_as_json(transport: HttpTransport, value: object) -> None:
    """Any JSON value is sent, including falsy ones, with its content type."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.HOMEY_LOGIN, "POST", server.url, json=value))

    assert "content-type: application/json" in server.head().lower()
    assert value == json.loads(server.body())


async def test_headers_of_every_request(transport: HttpTransport) -> None:
    """Accept, Accept-Encoding: identity and User-Agent are sent, once each."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.LOGIN, "GET", server.url, headers={"X-Homey-ID": "7"}))
    lines = server.head().lower().split("\r\n")

    for line in (
        "accept: application/json, text/html;q=0.9, */*;q=0.1",
        "accept-encoding: identity",
        "user-agent: homey-tokend/test",
        "x-homey-id: 7",
    ):
        assert lines.count(line) == 1
    assert not [line for line in lines if line.startswith(("cookie:", "authorization:"))]


async def test_the_bearer_becomes_the_authorization_header(transport: HttpTransport) -> None:
    """The bearer is only revealed in the request."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.SESSION, "GET", server.url, bearer=Secret("abc")))

    assert "authorization: bearer abc" in server.head().lower()


async def test_cookies_are_not_kept_between_requests(transport: HttpTransport) -> None:
    """A request only has the cookies that the sign-in sets, whatever servers set."""
    async with RawServer(answer(200, b"", "Set-Cookie: a=1; Path=/")) as server:
        await transport.send(Request(Step.AUTHORISE, "GET", server.url))
        await transport.send(Request(Step.CONSENT, "POST", server.url, headers={"Cookie": "b=2"}))

    assert "cookie" not in server.head(0).lower()
    assert "cookie: b=2" in server.head(1).lower()


async def test_netrc_is_never_read(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Credentials of ~/.netrc are not sent, and do not affect a bearer."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    async with RawServer(answer()) as server:
        await build().send(Request(Step.LOGIN, "POST", server.url, form=(("a", "b"),)))
        await build().send(Request(Step.SESSION, "GET", server.url, bearer=Secret("abc")))

    assert "authorization" not in server.head(0).lower()
    assert "authorization: bearer abc" in server.head(1).lower()


async def test_no_connection_is_kept(transport: HttpTransport) -> None:
    """Each request has its own connection, so that none can be stale after suspend."""
    async with RawServer(answer()) as server:
        for _ in range(3):
            await transport.send(Request(Step.SESSION, "GET", server.url))

    assert server.connections == 3
    assert "connection: close" in server.head().lower()


async def test_after_is_waited_before_sending(transport: HttpTransport, clock: FakeClock) -> None:
    """A request with ``after`` is sent that much later, once."""
    async with RawServer(answer()) as server:
        request = Request(Step.SESSION, "GET", server.url, after=timedelta(seconds=3))
        response = await transport.send(request)

    assert clock.slept == [3.0]
    assert NOON + timedelta(seconds=3) == response.sent_at
