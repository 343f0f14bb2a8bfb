"""The status page and the other routes of http.listen: read-only, nothing secret."""

import re
from base64 import b64encode
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from html.parser import HTMLParser

import pytest
from aiohttp import ClientSession

from homey_tokend.core.status import Health, SinkView
from homey_tokend.server.app import Api
from homey_tokend.server.server import Server
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view

EVIL = "<script>alert('x')</script>&\"'"


@pytest.fixture
async def tcp(provider: FakeProvider) -> AsyncIterator[ClientSession]:
    server = Server(Api(provider, version="1.2.3"))
    await server.start(http=("127.0.0.1", 0))
    async with ClientSession(f"http://127.0.0.1:{server.http_port}") as session:
        yield session
    await server.stop()


class Text(HTMLParser):
    """Return the visible text, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [
            name for name, _ in attrs if name in {"src", "href", "style"} or name[:2] == "on"
        ]

    def handle_data(self, data: str) -> None:
        self.words.append(data.strip())

    @property
    def visible(self) -> str:
        return " ".join(filter(None, self.words))


async def page(tcp: ClientSession) -> str:
    async with tcp.get("/") as answer:
        assert answer.status == 200
        return await answer.text()


async def test_the_visible_text(tcp: ClientSession, provider: FakeProvider) -> None:
    """Each Homey's health, expiry, next refresh, failure with remedy, and sinks are shown."""
    sinks = (
        SinkView("file:/run/x", 7, NOW - timedelta(minutes=5), None, None),
        SinkView("exec:y", None, None, rejected(), None),
    )
    provider.views["home"] = view("home", token(), renew_at=NOW + timedelta(hours=12), sinks=sinks)
    lost = view("cabin", last_error=rejected(), next_at=NOW + timedelta(minutes=15))
    provider.views["cabin"] = lost
    provider.views["barn"] = replace(
        lost, name="barn", last_error=None, next_at=None, refreshing=True
    )
    visible = Text(await page(tcp)).visible

    for words in (
        "home: ok",
        "valid until 2026-03-02 12:00:00 UTC (in 1 d)",
        "next refresh 2026-03-02 00:00:00 UTC (in 12 h)",
        "sink file:/run/x written 2026-03-01 11:55:00 UTC (5 min ago)",
        "sink exec:y not written yet its last error account rejected at login",
        "cabin: down token none next refresh 2026-03-01 12:15:00 UTC (in 15 min)",
        "(2026-03-01 12:00:00 UTC (now), 3 times) what to do see: homey-tokend status",
        "barn: down token none next refresh in progress",
    ):
        assert words in visible


async def test_no_address_of_a_homey(tcp: ClientSession, provider: FakeProvider) -> None:
    """A failure's message contains host names; the page has its kind and step instead."""
    address = "abc.connect.athom.com"
    failure = replace(
        rejected(), kind="unreachable", message=f"{address}: no answer", remedy=f"Ask {address}."
    )
    sinks = (SinkView("exec:y", None, None, replace(failure, kind="sink_failed"), None),)
    provider.views["home"] = view("home", token(), last_error=failure, sinks=sinks)
    shown = await page(tcp)

    assert address not in shown
    assert "unreachable at login" in shown
    assert "sink failed at login" in shown


async def test_everything_is_escaped(tcp: ClientSession, provider: FakeProvider) -> None:
    """No text from outside becomes a tag, anywhere."""
    failure = replace(rejected(), message=EVIL, remedy=EVIL, step=EVIL)
    sinks = (SinkView(EVIL, None, None, failure, None),)
    provider.views["home"] = view(
        EVIL, token(), last_error=failure, sinks=sinks, health=Health.FAILING
    )
    shown = Text(await page(tcp))

    assert "script" not in shown.tags
    assert 4 <= shown.visible.count(EVIL)


async def test_the_browser_may_load_nothing(tcp: ClientSession) -> None:
    """The policy allows only the page's own style, by its hash; nothing is cached."""
    async with tcp.get("/") as answer:
        text, headers = await answer.text(), answer.headers
    styles = re.findall("<style>(.*?)</style>", text, re.DOTALL)
    digest = b64encode(sha256(styles[0].encode()).digest()).decode()

    assert 1 == len(styles)
    assert headers["Content-Security-Policy"].startswith(
        f"default-src 'none'; style-src 'sha256-{digest}'; "
    )
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "no-store" == headers["Cache-Control"]
    assert "nosniff" == headers["X-Content-Type-Options"]
    assert "text/html" == answer.content_type


async def test_no_token_on_tcp(tcp: ClientSession) -> None:
    """No route of the TCP port returns a token or an address of a Homey, or changes anything."""
    texts = []
    for path in ("/", "/metrics", "/healthz", "/readyz"):
        async with tcp.get(path) as answer:
            texts.append(await answer.text())
            assert 200 == answer.status
        async with tcp.post(path) as answer:
            assert 405 == answer.status
    for path in ("/token", "/status", "/events", "/homeys/home", "/homeys/home/token"):
        async with tcp.get(path) as answer:
            assert 404 == answer.status

    assert CANARY not in "".join(texts)
    assert "abc.connect.athom.com" not in "".join(texts)
