"""Responses, read within bounds."""

import gzip
import ssl
import zlib
from datetime import timedelta

import pytest
import trustme

from homey_tokend.core.errors import Unreachable, UnreadableResponse
from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.http.body import MAX_BODY_BYTES
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import CANARY, RawServer, answer, server_tls
from tests.support.clock import NOON, FakeClock

TOO_MUCH = b"x" * (MAX_BODY_BYTES + 1)


async def get(transport: HttpTransport, *answers: bytes) -> Response:
    """Get the first of the responses."""
    async with RawServer(*answers) as server:
        return await transport.send(Request(Step.USER, "GET", server.url, query=(("t", CANARY),)))


async def test_a_response_is_returned_completely(transport: HttpTransport) -> None:
    """A response has status, headers in lower case with order and repetition, and body."""
    raw = answer(418, b'{"a": 1}', "X-One: 1", "Set-Cookie: a=1; Path=/", "SET-COOKIE: b=2")
    response = await get(transport, raw)

    assert response.status == 418
    assert response.body == b'{"a": 1}'
    assert response.header("x-one") == "1"
    assert response.all_headers("set-cookie") == ("a=1; Path=/", "b=2")


@pytest.mark.parametrize("status", [200, 201, 302, 400, 401, 403, 404, 408, 429, 500, 503])
async def test_no_status_is_an_error_or_repeated(transport: HttpTransport, status: int) -> None:
    """Any status is returned after one request."""
    async with RawServer(answer(status, b"body")) as server:
        response = await transport.send(Request(Step.LOGIN, "GET", server.url))

    assert status == response.status
    assert len(server.requests) == 1


async def test_a_response_has_the_times_of_sending_and_receiving(build: Build) -> None:
    """The times before sending and after reading are recorded."""

    class Ticking(FakeClock):
        def now(self) -> object:  # type: ignore[override]  # ticks once a reading
            self.at += timedelta(seconds=1)
            return self.at

    response = await get(build(clock=Ticking()), answer())

    assert NOON + timedelta(seconds=1) == response.sent_at
    assert NOON + timedelta(seconds=2) == response.received_at


async def test_plain_http_is_not_trusted(transport: HttpTransport) -> None:
    """The Date header of a response over plain HTTP is not trusted."""
    response = await get(transport, answer())

    assert not response.trusted


async def test_verified_tls_is_trusted(
    build: Build, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """The Date header of a response over verified TLS is trusted."""
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    async with RawServer(answer(), tls=tls) as server:
        response = await build(ssl_context=trusting).send(Request(Step.USER, "GET", server.url))

    assert response.trusted


async def test_the_largest_response_is_read_completely(transport: HttpTransport) -> None:
    """A response of exactly the limit is read."""
    response = await get(transport, answer(200, TOO_MUCH[:MAX_BODY_BYTES]))

    assert len(response.body) == MAX_BODY_BYTES


@pytest.mark.parametrize("coding", ["", "Content-Encoding: gzip"])
async def test_a_success_that_is_too_large_is_a_failure(
    transport: HttpTransport, coding: str
) -> None:
    """A 2xx that is too large, before or after decoding, is a failure."""
    body = gzip.compress(TOO_MUCH * 10, mtime=0) if coding else TOO_MUCH
    with pytest.raises(UnreadableResponse, match="larger than 1048576 bytes") as caught:
        await get(transport, answer(200, body, *filter(None, [coding])))

    assert caught.value.status == 200
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("coding", ["", "Content-Encoding: gzip"])
async def test_a_failure_that_is_too_large_keeps_its_status(
    transport: HttpTransport, coding: str
) -> None:
    """The status of a 502 is enough; the first bytes of its body are kept."""
    body = gzip.compress(TOO_MUCH, mtime=0) if coding else TOO_MUCH
    response = await get(transport, answer(502, body, *filter(None, [coding])))

    assert response.status == 502
    assert len(response.body) == MAX_BODY_BYTES


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", gzip.compress(b"text", mtime=0)),
        ("X-GZIP", gzip.compress(b"text", mtime=0)),
        ("deflate", zlib.compress(b"text")),
        ("deflate", zlib.compress(b"text", wbits=-15)),
        ("identity", b"text"),
        ("gzip", b""),
    ],
)
async def test_unrequested_codings_are_decoded(
    transport: HttpTransport, coding: str, body: bytes
) -> None:
    """gzip and both kinds of deflate are decoded although we ask for identity."""
    response = await get(transport, answer(200, body, f"Content-Encoding: {coding}"))

    assert response.body == (b"text" if body else b"")


@pytest.mark.parametrize(
    ("coding", "body"), [("br", b"\x0b\x02\x80text\x03"), ("gzip", b"\x1f\x8b nonsense")]
)
async def test_an_undecodable_success_is_a_failure(
    transport: HttpTransport, coding: str, body: bytes
) -> None:
    """A 2xx in an unknown coding is a failure, while any other status counts."""
    raw = answer(200, body, f"Content-Encoding: {coding}")
    with pytest.raises(UnreadableResponse, match="cannot be decoded"):
        await get(transport, raw)
    response = await get(transport, answer(401, body, f"Content-Encoding: {coding}"))

    assert (response.status, response.body) == (401, b"")


async def test_truncated_gzip_is_a_failure(transport: HttpTransport) -> None:
    """Half a gzip body is not complete."""
    body = gzip.compress(bytes(range(256)) * 40)[:-20]
    with pytest.raises(UnreadableResponse):
        await get(transport, answer(200, body, "Content-Encoding: gzip"))


async def test_a_truncated_body_is_a_failure(transport: HttpTransport) -> None:
    """A response with fewer bytes than announced does not count as complete."""
    with pytest.raises(Unreachable, match="cut off") as caught:
        await get(transport, answer(200, b"{}").replace(b"Length: 2", b"Length: 20"))

    assert caught.value.sent


async def test_a_long_location_is_read(transport: HttpTransport) -> None:
    """A redirect with a user token of eight kilobytes is read."""
    location = "/authorise?user_token=" + "t" * 9000
    response = await get(transport, answer(302, b"", f"Location: {location}"))

    assert location == response.header("location")
