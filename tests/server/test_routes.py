"""Status, refresh, health, and rejected requests."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from aiohttp import ClientSession
from structlog.testing import capture_logs

from homey_tokend.core.policy import REJECTIONS
from homey_tokend.core.status import Health, RefreshResult, SinkView
from homey_tokend.server import problems
from tests.server.test_tokens import problem
from tests.support.provider import CANARY, NOW, FakeProvider, rejected, token, view


async def get(http: ClientSession, path: str) -> dict[str, object]:
    """Return the JSON document at a path; it never contains a token."""
    async with http.get(path) as answer:
        body = await answer.text()

    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert CANARY not in body

    document: dict[str, object] = json.loads(body)
    return document


async def test_status(http: ClientSession, provider: FakeProvider) -> None:
    """The status has every Homey and the worst health of them."""
    provider.views["hut"] = view("hut", last_error=rejected())
    document = await get(http, "/status")
    homeys = document["homeys"]

    assert isinstance(homeys, dict)
    assert list(homeys) == ["home", "hut"]
    assert (
        document["version"],
        document["now"],
        document["health"],
    ) == ("1.2.3", "2026-03-01T12:00:00Z", "down")


async def test_a_healthy_homey(http: ClientSession, provider: FakeProvider) -> None:
    """A Homey's document has the token's fingerprint, and what comes next."""
    held = token()
    sink = SinkView("file /run/t", 7, NOW, None, None)
    provider.views["home"] = view(
        "home", held, renew_at=NOW + timedelta(hours=11), next_reason="renewal", sinks=(sink,)
    )
    document = await get(http, "/homeys/home")

    assert {
        "name": "home",
        "now": "2026-03-01T12:00:00Z",
        "health": "ok",
        "url": "https://abc.connect.athom.com",
        "token": {
            "fingerprint": held.value.fingerprint(),
            "generation": 7,
            "valid": True,
            "expires_in": 86400,
            "expires_at": "2026-03-02T12:00:00Z",
            "expiry_reported": True,
            "issued_at": "2026-03-01T11:00:00Z",
            "verified_at": None,
        },
        "refreshing": False,
        "refreshes": 1,
        "renew_at": "2026-03-01T23:00:00Z",
        "next_at": None,
        "next_reason": "renewal",
        "outage_at": None,
        "sign_in_blocked_until": None,
        "last_error": None,
        "sinks": [
            {
                "target": "file /run/t",
                "generation": 7,
                "delivered_at": "2026-03-01T12:00:00Z",
                "last_error": None,
                "retry_at": None,
                "drifts": 0,
            }
        ],
    } == document


async def test_a_failing_homey(http: ClientSession, provider: FakeProvider) -> None:
    """The last failure has step, remedy, status and count."""
    provider.views["home"] = view("home", token(timedelta(hours=-1)), last_error=rejected())
    document = await get(http, "/homeys/home")

    assert document["last_error"] == {
        "at": "2026-03-01T12:00:00Z",
        "kind": "account_rejected",
        "action_needed": True,
        "step": "login",
        "message": "the account rejects the password",
        "remedy": "Correct it.",
        "status": 401,
        "count": 3,
    }
    assert isinstance(document["token"], dict)
    assert (document["token"]["valid"], document["token"]["expires_in"]) == (False, 0)


async def test_refresh_done(http: ClientSession, provider: FakeProvider) -> None:
    """A successful refresh answers 200 with the Homey's document, without the token."""
    provider.renewed["home"] = view("home", token(generation=8))
    async with http.post("/homeys/home/refresh?wait=5") as answer:
        body = await answer.text()
    document = json.loads(body)

    assert (
        answer.status,
        document["refreshed"],
        document["token"]["generation"],
    ) == (200, True, 8)
    assert [("home", timedelta(0), timedelta(seconds=5))] == provider.asked
    assert CANARY not in body


async def test_refresh_in_progress(http: ClientSession, provider: FakeProvider) -> None:
    """A refresh that does not end within the wait answers 202."""
    provider.views["home"] = view("home", token(), refreshing=True)
    async with http.post("/homeys/home/refresh?wait=0") as answer:
        document = json.loads(await answer.read())

    assert (answer.status, document["refreshed"]) == (202, False)


async def test_refresh_too_soon(http: ClientSession, provider: FakeProvider) -> None:
    """A refresh right after another is 429, with the seconds until the next one."""
    provider.refreshed = RefreshResult(
        view("home", token()), done=False, too_soon=NOW + timedelta(0, 59.5)
    )
    async with http.post("/homeys/home/refresh") as answer:
        document = await problem(answer, 429)

    assert (answer.headers["Retry-After"], document["retry_after"]) == ("60", 60)


async def test_both_manual_tries_are_used(http: ClientSession, provider: FakeProvider) -> None:
    """The problem says when the daemon tries by itself, which is earlier than another manual try."""
    provider.refreshed = RefreshResult(
        view(next_at=NOW + timedelta(0, 780), next_reason=REJECTIONS[0]),
        done=False,
        too_soon=NOW + timedelta(0, 80000),
        why="both manual tries of today are used",
    )
    async with http.post("/homeys/home/refresh") as answer:
        document = await problem(answer, 429)

    assert document["detail"] == (
        "both manual tries of today are used; the daemon tries by itself in 13 min, "
        "and at once when the value is corrected"
    )


async def test_refresh_failed(http: ClientSession, provider: FakeProvider) -> None:
    """A failed refresh is 503 with the failure, even if the old token is still valid."""
    provider.views["home"] = view("home", token(), last_error=rejected())
    async with http.post("/homeys/home/refresh") as answer:
        document = await problem(answer, 503)

    assert (
        document["kind"],
        str(document["type"]).rpartition(":")[2],
    ) == ("account_rejected", "not-refreshed")


@pytest.mark.parametrize(
    ("path", "status"),
    [("/homeys/nope/refresh", 404), ("/homeys/home/refresh?wait=-1", 400)],
)
async def test_refresh_rejected(
    http: ClientSession, provider: FakeProvider, path: str, status: int
) -> None:
    """An unknown Homey or an invalid wait starts nothing."""
    async with http.post(path) as answer:
        await problem(answer, status)

    assert provider.asked == []


async def test_health(http: ClientSession, provider: FakeProvider) -> None:
    """Alive and ready are 200 with a word."""
    async with http.get("/healthz") as healthz, http.get("/readyz") as readyz:
        words = (await healthz.text(), await readyz.text())

    assert words == ("ok\n", "ready\n")
    provider.living = False
    async with http.get("/healthz") as healthz:
        await problem(healthz, 503)


async def test_not_ready(http: ClientSession, provider: FakeProvider) -> None:
    """Not ready names the Homeys without a valid token."""
    provider.views["hut"] = view("hut", token(timedelta(0)), next_at=NOW + timedelta(seconds=60))
    provider.views["attic"] = view("attic", next_at=NOW + timedelta(seconds=20))
    async with http.get("/readyz") as answer:
        document = await problem(answer, 503)

    assert document["homeys"] == ["hut", "attic"]
    assert document["errors"] == {}
    assert answer.headers["Retry-After"] == "20"


async def test_not_ready_says_why(http: ClientSession, provider: FakeProvider) -> None:
    """With message and remedy, which are for users of the socket alone."""
    provider.views["hut"] = view("hut", last_error=rejected())
    async with http.get("/readyz") as answer:
        document = await problem(answer, 503)
    public = problems.not_ready([provider.views["hut"]], NOW, in_full=False)

    error = rejected()
    kind = {"kind": error.kind, "step": error.step}
    assert document["errors"] == {"hut": kind | {"message": error.message, "remedy": error.remedy}}
    assert public.more["errors"] == {"hut": kind}


PATHS = ["/token", "/status", "/homeys/home", "/homeys/home/token", "/healthz", "/readyz", "/no"]


@pytest.mark.parametrize("header", ["Origin", "Referer"])
@pytest.mark.parametrize("path", PATHS)
async def test_no_web_page_uses_the_daemon(http: ClientSession, header: str, path: str) -> None:
    """Any request from a browser is rejected, on every path."""
    async with http.get(path, headers={header: "http://localhost"}) as answer:
        await problem(answer, 403)


async def test_a_web_page_starts_no_refresh(http: ClientSession, provider: FakeProvider) -> None:
    """A rejected request has no effect."""
    async with http.post("/homeys/home/refresh", headers={"Origin": "null"}) as answer:
        await problem(answer, 403)

    assert provider.asked == []


async def test_any_host_is_accepted(http: ClientSession) -> None:
    """Host is ignored: only users with access to the socket come this far."""
    async with http.get("/token", headers={"Host": "whatever.example"}) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("path", ["/", "/tokens", "/homeys", "/homeys/a/b", "/token/", "//token"])
async def test_unknown_path(http: ClientSession, path: str) -> None:
    """An unknown path is a 404 problem."""
    async with http.get(path) as answer:
        document = await problem(answer, 404)

    assert document["kind"] == "unknown_path"


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/token", "GET, HEAD"),
        ("DELETE", "/homeys/home", "GET, HEAD"),
        ("GET", "/homeys/home/refresh", "POST"),
        ("PATCH", "/status", "GET, HEAD"),
        ("OPTIONS", "/healthz", "GET, HEAD"),
    ],
)
async def test_wrong_method(http: ClientSession, method: str, path: str, allow: str) -> None:
    """A wrong method is 405, and Allow lists the right ones."""
    async with http.request(method, path) as answer:
        await problem(answer, 405)

    assert allow == answer.headers["Allow"]


async def test_no_homey_at_all(http: ClientSession, provider: FakeProvider) -> None:
    """Without any Homey the status is ok, and there is no token."""
    provider.views.clear()
    document = await get(http, "/status")
    async with http.get("/token") as answer:
        await problem(answer, 400)

    assert document["health"] == "ok"


async def test_a_bug_is_logged_and_answered(http: ClientSession, provider: FakeProvider) -> None:
    """An unexpected error is 500 without its text, logged by its name, and ends nothing."""
    provider.fault = RuntimeError("inside " + CANARY)
    with capture_logs() as lines:
        async with http.get("/homeys/home") as answer:
            body = await answer.text()
    provider.fault = None
    async with http.get("/homeys/home") as again:
        assert again.status == 200

    assert answer.status == 500
    assert CANARY not in body
    assert [(one["event"], one["error"]) for one in lines] == [("request.failed", "RuntimeError")]


@pytest.mark.parametrize("health", list(Health))
async def test_health_names(http: ClientSession, provider: FakeProvider, health: Health) -> None:
    """Every health is reported by its name."""
    provider.views["home"] = replace(provider.views["home"], health=health)
    document = await get(http, "/status")

    assert health.value == document["health"]


async def test_an_unsupported_expectation(http: ClientSession) -> None:
    """An Expect other than 100-continue is 417, and nothing is served."""
    async with http.get("/token", headers={"Expect": "wonders"}) as answer:
        body = await answer.text()

    assert 417 == answer.status
    assert CANARY not in body
