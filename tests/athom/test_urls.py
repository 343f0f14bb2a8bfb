"""The URLs that a token may be sent to."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.athom.urls import fallback_url, is_loopback, usable_url
from homey_tokend.core.http_types import Endpoints
from tests.athom.scenes import AT, CLOUDID, HUB, SITE

SIMULATED = Endpoints(api="http://127.0.0.1:8080")
PLAIN = Endpoints(api="http://api.example")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://hub.example", "https://hub.example"),
        ("https://hub.example/", "https://hub.example"),
        ("https://hub.example/path//", "https://hub.example/path"),
        ("https://Hub.Example:8443", "https://Hub.Example:8443"),
        ("https://[fe80::1]:443", "https://[fe80::1]:443"),
        ("https://a-b_c.d", "https://a-b_c.d"),
        ("HTTPS://hub.example", "HTTPS://hub.example"),
    ],
)
def test_any_https_url_is_accepted(url: str, expected: str) -> None:
    """Any https host in the account is accepted; the last slash is dropped."""
    assert expected == usable_url(url, AT)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hub.example",
        "//hub.example",
        "https://",
        "https:///path",
        "http://hub.example",
        "http://localhost",
        "ftp://hub.example",
        "javascript:alert(1)",
        "https://user@hub.example",
        "https://user:pw@hub.example",
        "https://@hub.example",
        "https://:@hub.example",
        "https://hub.example?x=y",
        "https://hub.example?",
        "https://hub.example#x",
        "https://hub.example/#",
        "https://hub.example/a b",
        "https://hub.example\n",
        "https://hub\t.example",
        "https://hüb.example",
        "https://hub.example/\x00",
        "https://hub.example:99999",
        "https://hub.example:x",
        "https://[fe80::1",
        "https://hub.example\\@evil.example",
        "https://evil.example\\.hub.example",
        "https://hub%2eexample",
        "https://hub<>.example",
        f"https://{'h' * 254}",
        f"https://hub.example/{'x' * 2048}",
    ],
)
def test_other_urls_are_rejected(url: str) -> None:
    """Plain http and ambiguous URLs are rejected."""
    assert usable_url(url, AT) is None


def test_plain_http_is_only_accepted_with_a_simulator() -> None:
    """Plain http is accepted if the cloud itself is plain http on loopback."""
    assert "http://127.0.0.1:9" == usable_url("http://127.0.0.1:9", SIMULATED)
    assert usable_url("http://127.0.0.1:9", PLAIN) is None
    assert usable_url("http://127.0.0.1:9", AT) is None
    assert usable_url("http://127.0.0.1:9", Endpoints(api="http:")) is None


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("localhost", True),
        ("api.localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost.example", False),
        ("notlocalhost", False),
        ("127.0.0.1.example", False),
        ("192.168.1.2", False),
        ("", False),
    ],
)
def test_loopback_is_recognised(host: str, expected: bool) -> None:
    """Loopback is recognised by name (RFC 6761, 6.3) and by address."""
    assert expected is is_loopback(host)


def test_a_configured_address_takes_precedence() -> None:
    """Without an explicit address, the remembered one is used if it is valid, else the endpoint."""
    explicit = replace(SITE, remembered_url="https://old.example")
    remembered = replace(explicit, explicit_url=None)
    spoilt = replace(remembered, remembered_url="http://old.example")

    assert HUB == fallback_url(explicit)
    assert "https://old.example" == fallback_url(remembered)
    assert f"https://{CLOUDID}.connect.example" == fallback_url(spoilt)


def test_a_cloudid_is_encoded_in_the_endpoint() -> None:
    """A cloudid cannot change the host."""
    site = replace(SITE, explicit_url=None, cloudid="evil.example/?x")

    assert "https://evil.example%2F%3Fx.connect.example" == fallback_url(site)


@settings(deadline=None)
@given(st.text() | st.text(alphabet="htps:/@?#[]\\.%x1 ").map("https://{}".format))
def test_an_accepted_url_is_unambiguous(url: str) -> None:
    """An accepted URL has no second interpretation."""
    found = usable_url(url, SIMULATED)

    assert found is None or not set(found) & set("?#\\ \n\t@") or "/" in found.partition("//")[2]
