"""The message names the part of a response that is not HTTP, and shows nothing of the response."""

import pytest

from homey_tokend.core.errors import Unreachable, UnreadableResponse
from homey_tokend.core.http_types import Repeat, Request, Step
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import CANARY, RawServer, answer

PASSWORD = "Word-Of-Pass"


async def fail(transport: HttpTransport, raw: bytes) -> UnreadableResponse:
    """Send a password, and return the failure."""
    async with RawServer(raw) as server:
        request = Request(
            Step.LOGIN, "POST", server.url, form=(("password", PASSWORD),), repeat=Repeat.UNSENT
        )
        with pytest.raises(UnreadableResponse) as caught:
            await transport.send(request)
        assert len(server.requests) == 1
    assert caught.value.__context__ is None
    return caught.value


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            answer(200, b"{}", f"X-XSS-Protection=1; {CANARY}"),
            "one of its header lines is malformed (X-XSS-Protection)",
        ),
        (
            answer(200, b"{}", f"{PASSWORD} is not right"),
            "one of its header lines is malformed (…)",
        ),
        (answer(200, b"{}", f"{CANARY}1 x"), "one of its header lines is malformed"),
        (answer(200, b"{}", f"X-A: \0{CANARY}"), "one of its header lines is malformed"),
        (answer(200, b"{}", *["X-A: b"] * 200), "it has too many headers"),
        (answer(200, b"{}", "X-A: " + CANARY * 2000), "a line of its head is too long"),
        (answer(200, CANARY.encode()) + b"more", "or bytes follow its end"),
        (answer(200, CANARY.encode(), "Connection: close") + b"more", "bytes follow its end"),
        (
            f"SSH-2.0-{CANARY}\r\n".encode(),
            "it does not begin with a status line of HTTP, or bytes follow its end",
        ),
        (
            answer(99, CANARY.encode()),
            "it does not begin with a status line of HTTP, or bytes follow its end",
        ),
        (answer(200, b"{}", "Content-Length: 7"), "its length is contradictory"),
        (answer(200, b"{}", "Transfer-Encoding: chunked"), "its length is contradictory"),
        (
            f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{CANARY}\r\n".encode(),
            "its body is not divided into chunks correctly",
        ),
        (answer(200, CANARY.encode() * 100_000), "is larger than 1048576 bytes"),
        (answer(200, CANARY.encode(), "Content-Encoding: br"), "cannot be decoded"),
    ],
)
async def test_the_malformed_part_is_named(
    transport: HttpTransport, raw: bytes, expected: str
) -> None:
    """Header, length, chunks, first line, size or coding; a header by its name."""
    error = await fail(transport, raw)

    assert error.message.endswith(expected)
    assert "127.0.0.1:" in error.message
    assert error.step == "login"
    assert CANARY not in error.message
    assert PASSWORD not in error.message


async def test_a_proxy_that_is_not_http_gets_no_password(build: Build) -> None:
    """There was no connection to the host, so the next attempt is soon."""
    async with RawServer(b"SSH-2.0-OpenSSH_9.2\r\n") as proxy:
        made = build({"https_proxy": proxy.url})
        request = Request(Step.LOGIN, "POST", "https://accounts.example.com", form=(("p", "x"),))
        with pytest.raises(Unreachable) as caught:
            await made.send(request)

    assert not caught.value.sent
    assert proxy.requests
