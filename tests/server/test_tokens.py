"""GET /token and GET /homeys/NAME/token."""

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest
from aiohttp import ClientSession

from homey_tokend.core.status import Health
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view

FRESH = "fresh-token"


async def problem(answer: aiohttp.ClientResponse, status: int) -> dict[str, object]:
    """Return the problem document of a response, with its RFC 9457 members checked."""
    document: dict[str, object] = json.loads(await answer.read())

    assert status == answer.status
    assert answer.content_type == "application/problem+json"
    assert status == document["status"]
    assert {"type", "title", "status", "detail", "kind"} <= document.keys()
    assert CANARY not in json.dumps(document)

    return document


@pytest.mark.parametrize("path", ["/token", "/token?homey=home", "/homeys/home/token"])
async def test_text(http: ClientSession, path: str) -> None:
    """The token and a newline are text that no cache keeps, with the remaining lifetime."""
    async with http.get(path) as answer:
        body = await answer.text()

    assert answer.status == 200
    assert body == CANARY + "\n"
    assert answer.content_type == "text/plain"
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Token-Expires-In"] == "86400"


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/token?format=json", "*/*"),
        ("/token", "application/json"),
        ("/token", "text/html, application/json"),
        ("/token?format=json", "text/plain"),
    ],
)
async def test_json(http: ClientSession, provider: FakeProvider, path: str, accept: str) -> None:
    """The JSON document has OAuth's names, UTC times and whole seconds rounded down."""
    provider.time = NOW + timedelta(seconds=0.3)
    async with http.get(path, headers={"Accept": accept}) as answer:
        document = json.loads(await answer.read())

    assert answer.content_type == "application/json"
    assert answer.headers["Cache-Control"] == "no-store"
    assert document == {
        "access_token": CANARY,
        "token_type": "Bearer",
        "expires_in": 86399,
        "expires_at": "2026-03-02T12:00:00Z",
        "issued_at": "2026-03-01T11:00:00Z",
        "generation": 7,
        "homey": "home",
        "url": "https://abc.connect.athom.com",
    }


@pytest.mark.parametrize(
    ("path", "accept"),
    [
        ("/token?format=text", "application/json"),
        ("/token", "text/plain, application/json;q=0.9"),
        ("/token", "text/html;level=1"),
    ],
)
async def test_text_is_preferred(http: ClientSession, path: str, accept: str) -> None:
    """Text is returned if both are accepted, or if requested by name."""
    async with http.get(path, headers={"Accept": accept}) as answer:
        body = await answer.text()

    assert body == CANARY + "\n"


async def test_head(http: ClientSession) -> None:
    """HEAD answers as GET does, without the body."""
    async with http.head("/token") as answer:
        body = await answer.read()

    assert (200, str(len(CANARY) + 1), b"") == (
        answer.status,
        answer.headers["Content-Length"],
        body,
    )


async def test_a_new_token_is_served_at_once(http: ClientSession, provider: FakeProvider) -> None:
    """The prepared text never outlives its token."""
    async with http.get("/token") as answer:
        before = await answer.text()
    provider.views["home"] = view("home", token(generation=8, value=FRESH))
    async with http.get("/token") as answer:
        after = await answer.text()

    assert (before, after) == (CANARY + "\n", FRESH + "\n")


async def test_several_homeys_and_none_named(http: ClientSession, provider: FakeProvider) -> None:
    """With several Homeys one has to be named; the error lists them."""
    provider.views["hut"] = view("hut", token(value=FRESH))
    async with http.get("/token") as answer:
        document = await problem(answer, 400)
    async with http.get("/token?homey=hut") as answer:
        named = await answer.text()

    assert document["homeys"] == ["home", "hut"]
    assert "home, hut" in str(document["detail"])
    assert named == FRESH + "\n"


@pytest.mark.parametrize(
    "path",
    ["/token?homey=nope", "/homeys/nope/token", "/homeys/nope", "/homeys/no%20pe/token"],
)
async def test_unknown_homey(http: ClientSession, path: str) -> None:
    """An unknown Homey is 404, and the known ones are listed."""
    async with http.get(path) as answer:
        document = await problem(answer, 404)

    assert document["homeys"] == ["home"]


async def test_never_past_its_expiry(http: ClientSession, provider: FakeProvider) -> None:
    """At its expiry a token is no longer served; a moment before, it is."""
    provider.time = NOW + timedelta(hours=24) - timedelta(microseconds=1)
    async with http.get("/token?format=json") as answer:
        last = json.loads(await answer.read())
    provider.time = NOW + timedelta(hours=24)
    async with http.get("/token") as answer:
        document = await problem(answer, 503)

    assert last["expires_in"] == 0
    assert document["kind"] == "no_token"


@pytest.mark.parametrize(
    ("reported", "detail", "retry_after"),
    [
        ({"refreshing": True}, "the sign-in is under way", "1"),
        ({}, "the sign-in is about to begin", "10"),
        ({"next_at": NOW, "next_reason": "no valid token"}, "the sign-in is about to begin", "1"),
        (
            {"next_at": NOW + timedelta(seconds=55), "next_reason": "the budget is used sparingly"},
            "the next sign-in is in 55 s (the budget is used sparingly)",
            "55",
        ),
    ],
)
async def test_before_any_failure(
    http: ClientSession,
    provider: FakeProvider,
    reported: dict[str, object],
    detail: str,
    retry_after: str,
) -> None:
    """Without a failure, the reason for waiting is reported."""
    provider.views["home"] = view("home", None, **reported)
    response = await http.get("/token?wait=0")

    assert (await response.json())["detail"] == f"there is no valid token for home: {detail}"
    assert response.headers["Retry-After"] == retry_after


async def test_no_token_has_reason_and_time(http: ClientSession, provider: FakeProvider) -> None:
    """503 has kind, step and remedy of the failure, and whole seconds until the next attempt."""
    provider.views["home"] = view(last_error=rejected(), next_at=NOW + timedelta(seconds=899.2))
    async with http.get("/token") as answer:
        document = await problem(answer, 503)

    assert answer.headers["Retry-After"] == "900"
    assert {
        "type": "urn:homey-tokend:problem:no-valid-token",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "there is no valid token for home: the account rejects the password",
        "kind": "account_rejected",
        "homey": "home",
        "health": str(Health.DOWN),
        "step": "login",
        "remedy": "Correct it.",
        "retry_after": 900,
        "action_needed": True,
    } == document


@pytest.mark.parametrize(
    ("fields", "seconds"),
    [
        ({"refreshing": True, "next_at": NOW + timedelta(hours=1)}, "1"),
        ({"next_at": NOW - timedelta(hours=1)}, "1"),
        ({"sign_in_blocked_until": NOW + timedelta(hours=1)}, "3600"),
        ({}, "10"),
    ],
)
async def test_retry_after(
    http: ClientSession, provider: FakeProvider, fields: dict[str, object], seconds: str
) -> None:
    """Retry-After is at least 1, whatever the next attempt."""
    provider.views["home"] = view(**fields)  # type: ignore[arg-type]  # any field of the view
    async with http.get("/token") as answer:
        await problem(answer, 503)

    assert seconds == answer.headers["Retry-After"]


@pytest.mark.parametrize(
    ("query", "asked"),
    [
        ("min_ttl=25h", (timedelta(hours=25), timedelta(seconds=30))),
        ("min_ttl=90000&wait=5", (timedelta(seconds=90000), timedelta(seconds=5))),
        ("min_ttl=2d&wait=0", (timedelta(days=2), timedelta(0))),
        ("min_ttl=2d&wait=1h", (timedelta(days=2), timedelta(seconds=300))),
    ],
)
async def test_min_ttl_waits_for_a_refresh(
    http: ClientSession, provider: FakeProvider, query: str, asked: tuple[timedelta, timedelta]
) -> None:
    """If less than the requested lifetime is left, one refresh is requested, and its token is served."""
    provider.renewed["home"] = view("home", token(timedelta(days=3), value=FRESH))
    async with http.get(f"/homeys/home/token?{query}") as answer:
        body = await answer.text()

    assert body == FRESH + "\n"
    assert [("home", *asked)] == provider.asked


@pytest.mark.parametrize("query", ["", "?min_ttl=24h", "?wait=30", "?min_ttl=24h&wait=0"])
async def test_enough_lifetime_is_served_at_once(
    http: ClientSession, provider: FakeProvider, query: str
) -> None:
    """A token with enough lifetime starts nothing."""
    async with http.get(f"/token{query}") as answer:
        body = await answer.text()

    assert body == CANARY + "\n"
    assert provider.asked == []


async def test_the_old_token_is_served_without_a_new_one(
    http: ClientSession, provider: FakeProvider
) -> None:
    """What is available within the wait is served, with its remaining lifetime."""
    async with http.get("/token?min_ttl=10d&format=json") as answer:
        document = json.loads(await answer.read())

    assert (document["access_token"], document["expires_in"]) == (CANARY, 86400)
    assert len(provider.asked) == 1


async def test_a_missing_token_is_awaited_only_on_request(
    http: ClientSession, provider: FakeProvider
) -> None:
    """A plain request is answered at once; one with a wait gets what comes within it."""
    provider.views["home"] = view()
    provider.renewed["home"] = view("home", token())
    async with http.get("/token") as answer:
        await problem(answer, 503)
    bare = list(provider.asked)
    async with http.get("/token?wait=5") as answer:
        body = await answer.text()

    assert bare == []
    assert body == CANARY + "\n"
    assert [("home", timedelta(0), timedelta(seconds=5))] == provider.asked


async def test_a_wait_that_ends_past_the_expiry_serves_nothing(
    http: ClientSession, provider: FakeProvider
) -> None:
    """The clock is read again after a wait."""
    provider.hang = asyncio.Event()
    request = asyncio.create_task(http.get("/token?min_ttl=2d"))
    await provider.asked_for(1)
    provider.time = NOW + timedelta(days=1)
    provider.hang.set()
    async with await request as answer:
        await problem(answer, 503)


@pytest.mark.parametrize("name", ["min_ttl", "wait"])
@pytest.mark.parametrize(
    "value",
    f" x -1 NaN inf 1e3 +5 %205 1. .5 1.2.3 5w s ms 99999d {'9' * 400} %D9%A3 1_000 0x10".split(
        " "
    ),
)
async def test_bad_durations(http: ClientSession, name: str, value: str) -> None:
    """An invalid duration, or beyond a year, is an error with the expected form."""
    async with http.get(f"/token?{name}={value}") as answer:
        document = await problem(answer, 400)

    assert str(document["detail"]).startswith(f"{name}: a duration ")


async def test_bad_format(http: ClientSession) -> None:
    """An unknown format is rejected, not guessed."""
    async with http.get("/token?format=yaml") as answer:
        document = await problem(answer, 400)

    assert document["detail"] == "format: text or json is expected"


async def test_others_are_served_while_one_waits(
    http: ClientSession, provider: FakeProvider
) -> None:
    """A client that waits for a hanging refresh delays nobody's cached token."""
    provider.hang = asyncio.Event()
    waiting = [asyncio.create_task(http.get("/token?min_ttl=2d")) for _ in range(20)]
    await provider.asked_for(20)
    async with http.get("/token") as answer:
        body = await answer.text()
    provider.hang.set()
    for one in waiting:
        async with await one as late:
            assert late.status == 200

    assert body == CANARY + "\n"
