"""A transport per test, closed after it."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import structlog
import trustme

from homey_tokend.core.ports import Clock
from homey_tokend.http.transport import HttpTransport
from tests.support.clock import FakeClock

Build = Callable[..., HttpTransport]


@pytest.fixture
def clock() -> FakeClock:
    """A clock whose sleeps return at once."""
    return FakeClock(instant=True)


@pytest.fixture
async def build(clock: FakeClock) -> AsyncIterator[Build]:
    """Build transports, and close them when the test is over."""
    built: list[HttpTransport] = []

    def build(
        environ: dict[str, str] | None = None,
        timeout: float = 5,
        ssl_context: ssl.SSLContext | None = None,
        own_context: bool = False,
        look_up: Callable[..., list[Any]] = socket.getaddrinfo,
        clock: Clock = clock,
    ) -> HttpTransport:
        # A context without authorities, because reading the system's takes 20 ms each time.
        bare = None if own_context else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        transport = HttpTransport(
            clock,
            timeout=timedelta(seconds=timeout),
            environ=environ or {},
            user_agent="homey-tokend/test",
            ssl_context=ssl_context or bare,
            look_up=look_up,
        )
        built.append(transport)
        return transport

    yield build
    for transport in built:
        await transport.close()


@pytest.fixture
def transport(build: Build) -> HttpTransport:
    return build()


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    """Return a context that trusts the tests' authority only."""
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


@pytest.fixture
def log_lines() -> Iterator[list[structlog.typing.EventDict]]:
    """The log output during a test."""
    with structlog.testing.capture_logs() as lines:
        yield lines
