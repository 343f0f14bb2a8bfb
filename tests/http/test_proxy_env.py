"""The proxy of a request, and what it gets to see."""

import base64
import ssl
from typing import Any
from urllib import request as urllib_request

import pytest
import trustme
from yarl import URL

from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Repeat, Request, Step
from homey_tokend.core.secret import Secret
from homey_tokend.http.proxy_env import ProxySettings, ProxyUnusable
from tests.http.conftest import Build
from tests.http.servers import CANARY, ConnectProxy, RawServer, answer, free_port, server_tls

CLOUD = URL("https://accounts.example.com/login")

ENVIRONMENTS = [
    {},
    {"HTTPS_PROXY": "http://upper:1"},
    {"https_proxy": "http://lower:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": "http://lower:1"},
    {"HTTPS_PROXY": "http://upper:1", "https_proxy": ""},
    {"Https_Proxy": "http://mixed:1"},
    {"HTTPS_PROXY": "proxy:3128"},
    {"HTTP_PROXY": "http://upper:1"},
    {"HTTP_PROXY": "http://upper:1", "REQUEST_METHOD": "GET"},
    {"http_proxy": "http://lower:1", "REQUEST_METHOD": "GET"},
    *(
        {"https_proxy": "http://p:1", "http_proxy": "http://p:1", "no_proxy": value}
        for value in (
            "*",
            "example.com",
            ".example.com",
            "accounts.example.com",
            "accounts.example.com:443",
            "accounts.example.com:80",
            "ACCOUNTS.example.COM, other",
            "ample.com",
            "other,,",
        )
    ),
]


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=str)
def test_the_rules_are_those_of_urllib(
    monkeypatch: pytest.MonkeyPatch, environ: dict[str, str]
) -> None:
    """For any environment, the choice is that of the standard library."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    target = URL("https://accounts.example.com/")
    proxies = urllib_request.getproxies()
    text = proxies.get(target.scheme)
    bypass: Any = vars(urllib_request)["proxy_bypass_environment"]  # typeshed does not know it
    if bypass(f"{target.host}:{target.port}", proxies):
        text = None
    found = ProxySettings(environ).of(target)

    assert (text and text.removeprefix("http://")) == (found and found.url.authority)


@pytest.mark.parametrize("environ", ENVIRONMENTS, ids=str)
def test_plain_http_uses_no_proxy(environ: dict[str, str]) -> None:
    """Plain http uses no proxy, whatever the address."""
    assert ProxySettings(environ | {"all_proxy": "http://p:1"}).of(URL("http://a.example/")) is None


@pytest.mark.parametrize(
    "url",
    [
        "https://localhost:8080/",
        "https://127.0.0.1:8080/",
        "https://[::1]:8080/",
        "https://192.168.1.5/",
        "https://10.0.0.5/",
        "https://169.254.3.4/",
        "https://[fe80::1]/",
        "https://homey/",
        "https://homey-5a8d4ca6eb9f7a2c9d6ccf6d.local",
        "https://192-168-1-5.homey.homeylocal.com/",
    ],
)
def test_the_local_network_is_reached_without_a_proxy(url: str) -> None:
    """A Homey or a simulator in the local network is reached without a proxy."""
    environ = {"http_proxy": "http://p:1", "https_proxy": "http://p:1", "all_proxy": "http://p:1"}

    assert ProxySettings(environ).of(URL(url)) is None


def test_all_proxy_is_the_fallback() -> None:
    """ALL_PROXY is used if the scheme has no proxy of its own."""
    fallback = ProxySettings({"ALL_PROXY": "http://all:1"}).of(CLOUD)
    own = ProxySettings({"ALL_PROXY": "http://all:1", "HTTPS_PROXY": "http://own:1"}).of(CLOUD)

    assert fallback is not None
    assert own is not None
    assert (fallback.url.host, own.url.host) == ("all", "own")


def test_credentials_are_moved_from_the_url_to_a_header() -> None:
    """User and password become a header and are in no text of the proxy."""
    proxy = ProxySettings({"https_proxy": f"https://us%40er:p%3A%20{CANARY}@proxy:8443"}).of(CLOUD)

    assert proxy is not None
    assert str(proxy.url) == "https://proxy:8443"
    assert CANARY not in repr(proxy)
    _, _, basic = proxy.headers["Proxy-Authorization"].partition(" ")
    assert base64.b64decode(basic).decode() == f"us@er:p: {CANARY}"


def test_a_user_without_a_password() -> None:
    """A user alone has an empty password."""
    proxy = ProxySettings({"https_proxy": "http://user@proxy:1"}).of(CLOUD)

    assert proxy is not None
    assert proxy.headers == {"Proxy-Authorization": "Basic dXNlcjo="}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("socks5://p:1", "neither an http:// nor an https://"),
        (f"http://user:{CANARY}@p:port", "is not a URL"),
        (f"http://user:{CANARY}@", "names no host"),
        ("http://[broken", "is not a URL"),
    ],
)
async def test_an_unusable_proxy_causes_no_direct_connection(
    build: Build, value: str, expected: str
) -> None:
    """An invalid proxy does not lead to a direct connection; the error names the variable."""
    with pytest.raises(ProxyUnusable, match=expected):
        ProxySettings({"HTTPS_PROXY": value}).of(CLOUD)
    with pytest.raises(Unreachable, match=f"https_proxy .*{expected}") as caught:
        await build({"HTTPS_PROXY": value}).send(Request(Step.LOGIN, "GET", str(CLOUD)))

    assert not caught.value.sent
    assert CANARY not in str(caught.value)


REQUEST: dict[str, Any] = {
    "query": (("user_token", CANARY),),
    "bearer": Secret(CANARY),
    "repeat": Repeat.UNSENT,
}


async def test_https_goes_through_a_tunnel(
    build: Build, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """The proxy sees host and port and its own credentials, but nothing of the request."""
    tls = server_tls(authority.issue_cert("accounts.example.com"))
    async with ConnectProxy(authorization="Basic dXNlcjpwYXNz") as proxy:
        environ = {"HTTPS_PROXY": f"http://user:pass@127.0.0.1:{proxy.port}"}
        async with RawServer(answer(200, b"far"), tls=tls) as server:
            url = f"https://accounts.example.com:{server.port}/login"
            transport = build(environ, ssl_context=trusting)
            response = await transport.send(Request(Step.LOGIN, "GET", url, **REQUEST))

    assert (response.body, response.trusted) == (b"far", True)
    assert proxy.heads[0].startswith(f"CONNECT accounts.example.com:{server.port} HTTP/1.1\r\n")
    assert CANARY not in "".join(proxy.heads)
    assert "proxy-authorization" not in server.head().lower()


@pytest.mark.parametrize(
    ("refuses", "expected"), [(407, "other credentials"), (503, r"rejects .* \(status 503\)")]
)
async def test_a_proxy_that_rejects_the_connection_is_reported(
    build: Build, refuses: int, expected: str
) -> None:
    """Nothing is sent, and the error names the proxy as the cause, without its password."""
    async with ConnectProxy(refuses=refuses) as proxy:
        environ = {"HTTPS_PROXY": f"http://user:{CANARY}@127.0.0.1:{proxy.port}"}
        with pytest.raises(Unreachable, match=expected) as caught:
            await build(environ).send(Request(Step.LOGIN, "GET", str(CLOUD), **REQUEST))

    assert len(proxy.heads) == 3
    assert not caught.value.sent
    assert CANARY not in str(caught.value)


async def test_tls_is_verified_through_a_proxy(build: Build, trusting: ssl.SSLContext) -> None:
    """TLS is verified through the tunnel too: an intercepting proxy is detected."""
    tls = server_tls(trustme.CA().issue_cert("accounts.example.com"))
    async with ConnectProxy() as proxy:
        environ = {"HTTPS_PROXY": f"http://127.0.0.1:{proxy.port}"}
        async with RawServer(answer(), tls=tls) as server:
            url = f"https://accounts.example.com:{server.port}/login"
            with pytest.raises(Unreachable, match="could not be verified") as caught:
                await build(environ, ssl_context=trusting).send(
                    Request(Step.LOGIN, "GET", url, **REQUEST)
                )

    assert not caught.value.sent


async def test_a_proxy_that_does_not_listen_is_reported(build: Build) -> None:
    """A proxy that does not listen is reported."""
    environ = {"HTTPS_PROXY": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(Unreachable, match="no connection to the proxy on the way to") as caught:
        await build(environ).send(Request(Step.LOGIN, "GET", str(CLOUD), **REQUEST))

    assert not caught.value.sent


@pytest.mark.parametrize(
    "value",
    [
        "*.example.com",
        "other .example.com",
        "other\texample.com",
        "*, other",
        "example.com:443",
        ".example.com:443",
        "accounts.example.com.",
        "example.com\r",
    ],
)
def test_no_proxy_has_the_syntax_of_curl_and_go(value: str) -> None:
    """Wildcards, blanks between entries, ports and a carriage return at the end are accepted."""
    settings = ProxySettings({"HTTPS_PROXY": "http://p:1", "NO_PROXY": value})

    assert settings.of(CLOUD) is None
    assert [] == list(settings.warnings())


@pytest.mark.parametrize("value", ["*.ample.com", "example.com:80", "a.accounts.example.com", "x"])
def test_no_proxy_exempts_nothing_else(value: str) -> None:
    """Another port, a longer name and the end of a name are not exempt."""
    settings = ProxySettings({"HTTPS_PROXY": "http://p:1", "NO_PROXY": value})

    assert settings.of(CLOUD) is not None
    assert [] == list(settings.warnings())


@pytest.mark.parametrize(
    ("value", "url"),
    [
        ("203.0.114.0/24", "https://203.0.114.7/"),
        ("203.0.114.7/24", "https://203.0.114.8/"),
        ("203.0.114.7", "https://203.0.114.7:8443/"),
        ("203.0.114.7:8443", "https://203.0.114.7:8443/"),
        ("2a00:1::/32", "https://[2a00:1::7]/"),
        ("[2a00:1::7]", "https://[2a00:1::7]/"),
        ("[2a00:1::7]:443", "https://[2a00:1::7]/"),
        ("2A00:1:0::7", "https://[2a00:1::7]/"),
    ],
)
def test_no_proxy_by_address(value: str, url: str) -> None:
    """Addresses and networks exempt the hosts in them, in any notation."""
    settings = ProxySettings({"HTTPS_PROXY": "http://p:1", "NO_PROXY": value})

    assert settings.of(URL(url)) is None
    assert settings.of(URL("https://203.0.115.7:444/")) is not None
    assert settings.of(CLOUD) is not None


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("*athom.com", '"*athom.com"'),
        ("accounts.*.com", '"accounts.*.com"'),
        ("https://accounts.example.com/", '"https://accounts.example.com/"'),
        ("<local>", '"<local>"'),
        ("10.0.0.0/99", '"10.0.0.0/99"'),
        (f"user:{CANARY}@proxy", "an entry"),
    ],
)
def test_a_malformed_entry_of_no_proxy_is_reported(value: str, shown: str) -> None:
    """A malformed entry has no effect, and is reported."""
    settings = ProxySettings({"HTTPS_PROXY": "http://p:1", "NO_PROXY": f"{value}, other"})
    [warning] = settings.warnings()

    assert settings.of(CLOUD) is not None
    assert str(warning).startswith(f"environment: no_proxy: {shown} is malformed and has no effect")
    assert CANARY not in str(warning)


@pytest.mark.parametrize("password", ["p#1", "p@1", "p/1?x", "a@b#c", "50%off", "p://x", "p%401"])
@pytest.mark.parametrize("scheme", ["http://", ""])
def test_a_password_need_not_be_encoded(scheme: str, password: str) -> None:
    """Reserved characters in a proxy's password are accepted unencoded."""
    proxy = ProxySettings({"https_proxy": f"{scheme}user:{password}@proxy:8080"}).of(CLOUD)

    assert proxy is not None
    assert "http://proxy:8080" == str(proxy.url)
    _, _, basic = proxy.headers["Proxy-Authorization"].partition(" ")
    assert f"user:{password.replace('%40', '@')}" == base64.b64decode(basic).decode()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (f'"http://user:{CANARY}@p:1"', "is in quotes"),
        (f"http://user:{CANARY}\u00a0@p:1", "has U+00A0 (no-break space)"),
        ("socks5://p:1", "is neither an http:// nor an https:// URL"),
        ("htt`://p:1", "is not a URL"),
        (f"http://user:{CANARY}@p q:1", "is not a URL"),
        (f"http://user:{CANARY}@xn--:1", "is not a URL"),
        (f"http://user:{CANARY}@:1", "is not a URL"),
        (f"http://user:{CANARY}@", "names no host"),
    ],
)
def test_an_unusable_proxy_is_a_warning(value: str, reason: str) -> None:
    """The warning does not contain the proxy's URL."""
    [warning] = ProxySettings({"HTTPS_PROXY": value}).warnings()

    assert str(warning).startswith(f"environment: https_proxy: {reason}")
    assert CANARY not in str(warning)


def test_an_env_file_with_crlf() -> None:
    """A carriage return at the end of a variable is ignored."""
    proxy = ProxySettings({"HTTPS_PROXY": "http://p:1\r"}).of(CLOUD)

    assert proxy is not None
    assert "http://p:1" == str(proxy.url)
