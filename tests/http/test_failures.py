"""Each failure of aiohttp and the system becomes an ``Unreachable`` with a message of our own."""

import asyncio
import errno
import socket
import ssl
import traceback
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from aiohttp import http_exceptions
from aiohttp.client_reqrep import ConnectionKey
from yarl import URL

from homey_tokend.core.errors import Transient, Unreachable
from homey_tokend.core.http_types import Request, Step
from homey_tokend.core.secret import Secret
from homey_tokend.http import errors
from homey_tokend.http.errors import NoAnswer, describe_error, host_and_port
from homey_tokend.http.proxy_env import ProxyUnusable
from homey_tokend.http.session import FOREIGN as CAUGHT
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import CANARY, Answer, Does, RawServer, Server, answer, free_port

ADDRESS = "accounts.example.com:443"


def descendants(base: type[BaseException]) -> Iterator[type[BaseException]]:
    """Return a class and all its subclasses in aiohttp or the standard library."""
    yield base
    for child in base.__subclasses__():
        if child.__module__.partition(".")[0] in {"aiohttp", "builtins", "socket", "ssl"}:
            yield from descendants(child)


FOREIGN = sorted(
    {
        *descendants(aiohttp.ClientError),
        *descendants(http_exceptions.HttpProcessingError),
        *descendants(OSError),
        *descendants(UnicodeError),
        ValueError,
        ProxyUnusable,
        asyncio.TimeoutError,
    }
    - {aiohttp.ClientError},
    key=lambda kind: kind.__qualname__,
)


def blank(kind: type[BaseException]) -> BaseException:
    """Return an error of a class without calling its constructor, which differs between versions."""
    if kind is ProxyUnusable:
        return ProxyUnusable("https_proxy", "is odd")
    error = kind.__new__(kind)
    error.args = (f"https://accounts.example.com/?user_token={CANARY}",)
    return error


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__qualname__)
def test_each_foreign_class_has_a_message(kind: type[BaseException]) -> None:
    """Each class that may be raised is caught, and has a specific message."""
    words = describe_error(blank(kind), ADDRESS)

    assert issubclass(kind, CAUGHT)
    assert f"the request to {ADDRESS} failed" != words
    assert CANARY not in words


def test_an_unknown_class_has_a_message() -> None:
    """An error that a later aiohttp may add is reported as a failed request."""
    assert (
        describe_error(aiohttp.ClientError(CANARY), ADDRESS) == f"the request to {ADDRESS} failed"
    )


def test_no_message_is_unused() -> None:
    """Each entry of the table is an existing class."""
    known = {ancestor.__name__ for kind in FOREIGN for ancestor in kind.__mro__}

    assert set(errors.WORDS) <= known


KEY = ConnectionKey("accounts.example.com", 443, True, True, None, None, None)


def certificate(code: int) -> aiohttp.ClientConnectorCertificateError:
    inner = ssl.SSLCertVerificationError(1, CANARY)
    inner.verify_code = code
    return aiohttp.ClientConnectorCertificateError(KEY, inner)


def connector(number: int) -> aiohttp.ClientConnectorError:
    return aiohttp.ClientConnectorError(KEY, OSError(number, CANARY))


def tls(reason: str) -> aiohttp.ClientConnectorSSLError:
    inner = ssl.SSLError(1, CANARY)
    inner.reason = reason
    return aiohttp.ClientConnectorSSLError(KEY, inner)


def proxy_answer(status: int) -> aiohttp.ClientHttpProxyError:
    info: Any = SimpleNamespace(real_url=URL("http://h"))
    return aiohttp.ClientHttpProxyError(info, (), status=status, message=CANARY)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (certificate(9), "not yet valid; the clock of this machine may be wrong"),
        (certificate(10), "expired, or the clock of this machine is wrong"),
        (certificate(18), "self-signed"),
        (certificate(19), "authority that this machine does not know"),
        (certificate(20), "authority that this machine does not know"),
        (certificate(62), "for another name"),
        (certificate(77), "OpenSSL code 77"),
        (tls("WRONG_VERSION_NUMBER"), f"TLS with {ADDRESS} failed: wrong version number"),
        (tls(CANARY), f"TLS with {ADDRESS} failed"),
        (connector(errno.ECONNREFUSED), "nothing listens there (connection refused)"),
        (connector(errno.ENETUNREACH), "that network is unreachable"),
        (connector(errno.EHOSTUNREACH), "that host is unreachable"),
        (connector(errno.ENOBUFS), "No buffer space available"),
        (connector(0), "the connection was aborted"),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_AGAIN, CANARY)),
            "cannot be looked up at the moment (DNS, temporary failure)",
        ),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(socket.EAI_NONAME, CANARY)),
            f"no connection to {ADDRESS}: its name was not found (DNS)",
        ),
        (
            aiohttp.ClientConnectorError(KEY, socket.gaierror(socket.EAI_NONAME, CANARY)),
            "was not found (DNS)",
        ),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLCertVerificationError(1, CANARY)),
            "could not be verified",
        ),
        (
            aiohttp.ClientProxyConnectionError(KEY, OSError(errno.ECONNREFUSED, CANARY)),
            "no connection to the proxy on the way to accounts.example.com:443: nothing listens",
        ),
        (
            aiohttp.ClientProxyConnectionError(KEY, socket.gaierror(socket.EAI_NONAME, CANARY)),
            "its name was not found",
        ),
        (proxy_answer(407), "other credentials"),
        (proxy_answer(403), f"the proxy rejects the connection to {ADDRESS} (status 403)"),
    ],
)
def test_the_message_has_the_cause(error: BaseException, expected: str) -> None:
    """The message has the cause, and a remedy if there is one."""
    words = describe_error(error, ADDRESS)

    assert expected in words
    assert CANARY not in words


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://user:pass@accounts.example.com/p?q#f", "accounts.example.com:443"),
        ("http://[::1]:8080/p", "[::1]:8080"),
        ("/no/host", "the address"),
        ("http://[broken", "the address"),
    ],
)
def test_an_address_is_host_and_port(url: str, expected: str) -> None:
    """No user, path, query or fragment is shown."""
    assert host_and_port(url) == expected


async def fail(transport: HttpTransport, url: str, **more: Any) -> NoAnswer:
    """Send a request with secrets, and return its failure, which must not contain them."""
    request = Request(
        Step.LOGIN,
        "POST",
        url,
        query=(("user_token", CANARY),),
        form=(("password", CANARY),),
        bearer=Secret(CANARY),
        **more,
    )
    with pytest.raises(Unreachable) as caught:
        await transport.send(request)
    error = caught.value
    shown = "".join(traceback.format_exception(error)) + repr(error) + repr(error.__dict__)

    assert isinstance(error, NoAnswer)
    assert isinstance(error, Transient)
    assert error.step == "login"
    assert CANARY not in shown
    assert error.__cause__ is None
    assert error.__context__ is None
    return error


async def test_nobody_listens(transport: HttpTransport) -> None:
    """A refused connection counts as not sent."""
    port = free_port()
    error = await fail(transport, f"http://127.0.0.1:{port}")

    assert str(error) == (
        f"no connection to 127.0.0.1:{port}: nothing listens there (connection refused)"
    )
    assert not error.sent
    assert error.cause == "ClientConnectorError"


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        (Does.RESET, "reset"),
        (Does.CLOSE, "closed the connection without a response"),
        (answer(200, b"{}").replace(b": 2", b": 9"), "cut off"),
    ],
)
async def test_after_a_broken_response_the_request_counts_as_sent(
    transport: HttpTransport, does: Answer, expected: str
) -> None:
    """Once the request is out, a failure counts as sent."""
    async with RawServer(does) as server:
        error = await fail(transport, server.url)

    assert expected in str(error)
    assert error.sent
    assert len(server.requests) == 3


async def test_silence_ends_with_the_time_out(build: Build) -> None:
    """A server that does not respond counts as possibly reached."""
    async with RawServer(Does.HANG) as server:
        error = await fail(build(timeout=0.3), server.url)

    assert str(error) == f"{server.address} did not answer in time"
    assert error.sent


async def test_a_body_that_trickles_ends_with_the_time_out(build: Build) -> None:
    """The time-out also bounds reading."""

    class Trickle(Server):
        async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.01)

    async with Trickle() as server:
        error = await fail(build(timeout=0.4), f"http://127.0.0.1:{server.port}")

    assert error.sent
    assert "in time" in str(error)


async def test_after_a_hanging_handshake_the_request_counts_as_not_sent(build: Build) -> None:
    """A server that accepts and is silent in TLS counts as not sent."""
    async with RawServer(Does.HANG) as server:
        error = await fail(build(timeout=0.3), server.url.replace("http", "https"))

    assert not error.sent
    assert "in time" in str(error)


@pytest.mark.parametrize(
    ("number", "expected"),
    [(socket.EAI_NONAME, "was not found (DNS)"), (socket.EAI_AGAIN, "temporary failure")],
)
async def test_names_that_cannot_be_looked_up(build: Build, number: int, expected: str) -> None:
    """An unknown name and a failed look-up are reported differently, and count as not sent."""

    def look_up(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(number, CANARY)

    error = await fail(build(look_up=look_up), "http://accounts.example.com")

    assert expected in str(error)
    assert "accounts.example.com:80" in str(error)
    assert not error.sent


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
async def test_a_local_name_that_the_router_hides(build: Build, number: int) -> None:
    """For Athom's names of local addresses, and only for them, the message names DNS rebinding protection."""

    def look_up(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(number, CANARY)

    made = build(look_up=look_up)
    error = await fail(made, "https://192-168-1-5.homey.homeylocal.com:4860/api")
    other = await fail(made, "https://homeylocal.com.example.com/api")

    assert error.message.endswith("; the router's DNS rebinding protection may hide it")
    assert error.remedy.startswith("Exempt homeylocal.com from the DNS rebinding protection")
    assert "rebinding" not in other.message + other.remedy


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "nonsense",
        "http://[broken",
        "ftp://127.0.0.1/",
        "http://127.0.0.1:99999/",
        "http://" + "ä" * 70 + ".example",
        "http://user:password@127.0.0.1/",
    ],
)
async def test_malformed_urls(transport: HttpTransport, url: str) -> None:
    """An invalid URL fails like everything else, and counts as not sent."""
    error = await fail(transport, url)

    assert not error.sent
    assert "password" not in str(error)


@pytest.mark.parametrize("headers", [{"X-Evil": "a\r\nX-More: b"}, {"X-Evil\r\n": "a"}])
async def test_malformed_headers(transport: HttpTransport, headers: dict[str, str]) -> None:
    """A line break cannot inject a header."""
    async with RawServer(answer()) as server:
        error = await fail(transport, server.url, headers=headers)

    assert not [head for head in server.requests if b"X-More" in head]
    assert "cannot" in str(error)


async def test_text_that_cannot_be_encoded(transport: HttpTransport) -> None:
    """A lone surrogate in a password is reported without the password."""
    request = Request(Step.LOGIN, "POST", "http://127.0.0.1:1", form=(("p", CANARY + "\udc80"),))
    with pytest.raises(Unreachable, match="contains text that cannot be sent") as caught:
        await transport.send(request)

    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_closed_transport_sends_nothing(transport: HttpTransport) -> None:
    """After ``close`` there is no response, before or after the first request."""
    async with RawServer(answer()) as server:
        await transport.send(Request(Step.LOGIN, "GET", server.url))
        await transport.close()
        error = await fail(transport, server.url)

    assert len(server.requests) == 1
    assert not error.sent


async def test_close_aborts_running_requests(transport: HttpTransport) -> None:
    """``close`` ends a running request."""
    async with RawServer(Does.HANG) as server:
        task = asyncio.create_task(fail(transport, server.url))
        async with asyncio.timeout(40):
            while not server.requests:  # noqa: ASYNC110  the server is no code of ours to wake us
                await asyncio.sleep(0.001)
        await transport.close()
        error = await task

    assert "connection" in str(error)


async def test_a_cancelled_request_is_cancelled(transport: HttpTransport) -> None:
    """Cancellation is not a failure that is retried."""
    async with RawServer(Does.HANG) as server:
        task = asyncio.create_task(transport.send(Request(Step.USER, "GET", server.url)))
        async with asyncio.timeout(40):
            while not server.requests:  # noqa: ASYNC110  as above
                await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert len(server.requests) == 1


async def test_a_proxy_with_an_unknown_name(build: Build) -> None:
    """The error names the proxy, not the host behind it."""

    def look_up(*_: object, **__: object) -> list[Any]:
        raise socket.gaierror(socket.EAI_NONAME, CANARY)

    made = build({"https_proxy": "http://proxi.example:3128"}, look_up=look_up)
    error = await fail(made, "https://accounts.example.com")

    assert str(error) == (
        "no connection to the proxy on the way to accounts.example.com:443: its name was not found (DNS)"
    )
    assert not error.sent


async def test_a_bug_is_not_hidden(build: Build) -> None:
    """An unrelated error is raised unchanged."""

    class BugError(Exception):
        pass

    def bug(*_: object, **__: object) -> list[Any]:
        raise BugError

    with pytest.raises(BugError):
        await build(look_up=bug).send(Request(Step.LOGIN, "GET", "http://accounts.example.com"))
