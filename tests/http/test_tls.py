"""TLS is verified, and the error mentions a possibly wrong clock."""

import asyncio
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import structlog.testing
import trustme

from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Request, Step
from homey_tokend.http.session import TlsContext
from homey_tokend.http.transport import HttpTransport
from tests.http.conftest import Build
from tests.http.servers import CANARY, RawServer, Server, answer, server_tls
from tests.support.clock import FakeClock

NOW = datetime.now(UTC)
DAY = timedelta(days=1)


async def certificate_error(transport: HttpTransport, server: RawServer) -> Unreachable:
    request = Request(Step.LOGIN, "POST", server.url, form=(("password", CANARY),))
    with pytest.raises(Unreachable) as caught:
        await transport.send(request)

    assert CANARY not in str(caught.value)
    assert not caught.value.sent
    assert not server.requests
    return caught.value


@pytest.mark.parametrize(
    ("name", "not_before", "not_after", "expected"),
    [
        ("127.0.0.1", NOW - 2 * DAY, NOW - DAY, "has expired, or the clock of this machine"),
        ("127.0.0.1", NOW + DAY, NOW + 2 * DAY, "not yet valid; the clock of this machine"),
        ("127.0.0.2", None, None, "for another address"),
        ("localhost", None, None, "for another"),
    ],
)
async def test_an_invalid_certificate_is_rejected(
    build: Build,
    authority: trustme.CA,
    trusting: ssl.SSLContext,
    name: str,
    not_before: datetime | None,
    not_after: datetime | None,
    expected: str,
) -> None:
    """Nothing is sent, and the error has the reason."""
    certificate = authority.issue_cert(name, not_before=not_before, not_after=not_after)
    async with RawServer(answer(), tls=server_tls(certificate)) as server:
        error = await certificate_error(build(ssl_context=trusting), server)

    assert expected in str(error)
    assert server.address in str(error)


async def test_an_unknown_authority_is_rejected(build: Build) -> None:
    """A certificate of an unknown authority is rejected."""
    transport = build(own_context=True)
    tls = server_tls(trustme.CA().issue_cert("127.0.0.1"))
    async with RawServer(answer(), tls=tls) as server:
        error = await certificate_error(transport, server)

    assert "authority" in str(error) or "self-signed" in str(error)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("SSL_CERT_FILE", None, "SSL_CERT_FILE names @, which cannot be read: no such file"),
        ("SSL_CERT_FILE", "", "SSL_CERT_FILE names @, which has no certificate in PEM format"),
        ("SSL_CERT_FILE", "text", "SSL_CERT_FILE names @, which has no certificate in PEM format"),
        ("SSL_CERT_FILE", "other", "Add the authority that signs for your network to the file of"),
        ("SSL_CERT_DIR", "text", "SSL_CERT_DIR names @, which is not a folder"),
        ("REQUESTS_CA_BUNDLE", "other", "name the same file in SSL_CERT_FILE"),
        ("CURL_CA_BUNDLE", "other", "name the same file in SSL_CERT_FILE"),
        ("OTHER", None, "If a firewall inspects TLS in your network"),
    ],
)
async def test_the_remedy_for_an_unknown_authority(
    build: Build,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: str | None,
    words: str,
) -> None:
    """The remedy names the variable to set, or what is wrong with it."""
    bundle = tmp_path / "bundle.pem"
    if content == "other":
        trustme.CA().cert_pem.write_to_path(bundle)
    elif content is not None:
        bundle.write_text(content)
    for each in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(each, raising=False)
    monkeypatch.setenv(name, str(bundle))
    transport = build({name: str(bundle)}, own_context=True)
    tls = server_tls(trustme.CA().issue_cert("127.0.0.1"))
    with structlog.testing.capture_logs() as logged:
        async with RawServer(answer(), tls=tls) as server:
            error = await certificate_error(transport, server)

    assert "authority" in str(error) or "self-signed" in str(error)
    assert words.replace("@", str(bundle)) in error.remedy
    unusable = "names" in words
    assert unusable == ("tls.authorities_unusable" in {entry["event"] for entry in logged})


async def test_a_certificate_for_another_name_has_no_such_remedy(
    build: Build, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """Only an unknown authority has this remedy."""
    tls = server_tls(authority.issue_cert("127.0.0.2"))
    async with RawServer(answer(), tls=tls) as server:
        error = await certificate_error(build(ssl_context=trusting), server)

    assert "" == error.remedy


async def test_old_tls_is_rejected(
    build: Build, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """TLS below 1.2 is rejected."""
    transport = build(ssl_context=trusting)
    tls = server_tls(authority.issue_cert("127.0.0.1"))
    tls.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.minimum_version = ssl.TLSVersion.TLSv1
    with pytest.warns(DeprecationWarning, match="TLSv1"):
        tls.maximum_version = ssl.TLSVersion.TLSv1_1
    async with RawServer(answer(), tls=tls) as server:
        error = await certificate_error(transport, server)

    assert ssl.TLSVersion.TLSv1_2 == trusting.minimum_version
    assert "aborted" in str(error) or "TLS with" in str(error)


async def test_plain_http_on_a_tls_port_is_reported(transport: HttpTransport) -> None:
    """A server that does not speak TLS is reported as such."""

    class Blurt(Server):
        async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with Blurt() as server:
        with pytest.raises(Unreachable, match="TLS with") as caught:
            await transport.send(Request(Step.LOGIN, "GET", f"https://127.0.0.1:{server.port}"))

    assert not caught.value.sent


def test_a_context_that_does_not_verify_is_rejected() -> None:
    """The verification cannot be switched off."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    with pytest.raises(ValueError, match="must verify"):
        HttpTransport(
            FakeClock(),
            timeout=timedelta(seconds=1),
            environ={},
            user_agent="x",
            ssl_context=context,
        )


async def test_ssl_cert_file_is_honoured(
    build: Build,
    authority: trustme.CA,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An authority in ``SSL_CERT_FILE`` is trusted."""
    with authority.cert_pem.tempfile() as path:
        monkeypatch.setenv("SSL_CERT_FILE", path)
        transport = build(own_context=True)
        tls = server_tls(authority.issue_cert("127.0.0.1"))
        async with RawServer(answer(), tls=tls) as server:
            response = await transport.send(Request(Step.LOGIN, "GET", server.url))

    assert response.status == 200


async def test_the_authorities_are_loaded_once() -> None:
    """All Homeys begin at the same time: what is wrong with the authorities is logged once."""
    tls = TlsContext({"SSL_CERT_FILE": "/missing"})
    with structlog.testing.capture_logs() as lines:
        contexts = await asyncio.gather(tls.load(), tls.load(), tls.load())

    assert ["tls.authorities_unusable"] == [line["event"] for line in lines]
    assert 1 == len({id(context) for context in contexts})
