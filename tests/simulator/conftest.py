"""A simulator whose clock the test moves, and a client that talks to it in raw HTTP."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from homey_tokend.simulator import Settings, Simulator, Switches

TOTP_SECRET = "GEZDGNBVGY3TQOJQ"


@dataclass
class Clock:
    """Seconds since the epoch, moved by hand; sleeping moves it and takes no time."""

    time: float = 1_800_000_000.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds


@dataclass
class Answer:
    """One response, read to its end."""

    status: int
    headers: dict[str, str]
    cookies: list[str]
    text: str
    json: Any

    @property
    def error(self) -> tuple[int, str, object]:
        """Status, error id and description; the body's code must be the status."""
        assert self.json["code"] == self.status
        return self.status, self.json["error"], self.json["error_description"]


class Client:
    """A client that does each step of the sign-in separately, and nothing by itself."""

    def __init__(self, session: aiohttp.ClientSession, simulator: Simulator) -> None:
        self.session = session
        self.simulator = simulator
        self.description = simulator.description()

    async def ask(self, method: str, path: str, **how: Any) -> Answer:
        """Send one request; redirects are not followed."""
        url = path if "://" in path else self.simulator.base_url + path
        async with self.session.request(method, url, allow_redirects=False, **how) as got:
            text = await got.text()
            is_json = got.content_type == "application/json"
            return Answer(
                got.status,
                dict(got.headers),
                got.headers.getall("Set-Cookie", []),
                text,
                await got.json() if is_json else None,
            )

    async def login(self, **fields: str) -> Answer:
        given = {
            "email": self.description["email"],
            "password": self.description["password"],
            "otptoken": "",
        }
        return await self.ask("POST", "/login", data=given | fields)

    def query(self, user_token: str) -> dict[str, str]:
        return {
            "client_id": self.description["clientId"],
            "redirect_uri": self.description["redirectUri"],
            "response_type": "code",
            "user_token": user_token,
        }

    async def page(self) -> tuple[Answer, dict[str, str]]:
        """Return the consent page, and the query it was requested with."""
        query = self.query((await self.login()).json["token"])
        return await self.ask("GET", "/authorise", params=query), query

    async def consent(self, cloudid: str | None = None, **fields: str) -> Answer:
        """Press Allow on the consent page."""
        page, query = await self.page()
        form = {
            "resource": f"resource.homey.{cloudid or self.description['cloudid']}",
            "_csrf": csrf_of(page),
            "allow": "Allow",
        }
        cookie = {"Cookie": page.cookies[0].partition(";")[0]}
        return await self.ask(
            "POST", "/authorise", params=query, data=form | fields, headers=cookie
        )

    async def code(self, cloudid: str | None = None) -> str:
        return (await self.consent(cloudid)).headers["Location"].partition("?code=")[2]

    async def token(self, **fields: str) -> Answer:
        """Send a grant with the client's credentials in the body."""
        given = {
            "client_id": self.description["clientId"],
            "client_secret": self.description["clientSecret"],
            "grant_type": "authorization_code",
        }
        return await self.ask("POST", "/oauth2/token", data=given | fields)

    async def access(self, cloudid: str | None = None) -> str:
        access: str = (await self.token(code=await self.code(cloudid))).json["access_token"]
        return access

    async def delegation(self, access: str, audience: str = "homey") -> Answer:
        return await self.ask(
            "POST", f"/delegation/token?audience={audience}", headers=bearer(access)
        )

    async def homey(self, method: str, path: str, token: str = "", **how: Any) -> Answer:
        """Send one request to a Homey, the first one unless ``at`` names another."""
        cloudid = how.pop("at", self.description["cloudid"])
        headers = bearer(token) if token else {}
        return await self.ask(method, f"/homey/{cloudid}/api/manager{path}", headers=headers, **how)

    async def bearer(self) -> str:
        """Sign in."""
        jwt = (await self.delegation(await self.access())).json
        token: str = (await self.homey("POST", "/users/login", json={"token": jwt})).json
        return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def csrf_of(page: Answer) -> str:
    return page.text.partition('name="_csrf" value="')[2].partition('"')[0]


@pytest.fixture
def clock() -> Clock:
    return Clock()


StartClient = Callable[..., Any]


@pytest.fixture
async def start_client(clock: Clock) -> AsyncIterator[StartClient]:
    """Start a simulator with settings and switches, and return its client."""
    async with AsyncExitStack() as stack:

        async def start(**settings: Any) -> Client:
            names = Switches.__dataclass_fields__
            switches = Switches(**{key: settings.pop(key) for key in names if key in settings})
            made = Settings(switches=switches, **settings)
            simulator = await stack.enter_async_context(
                Simulator(made, now=clock.now, sleep=clock.sleep)
            )
            session = await stack.enter_async_context(
                aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
            )
            # aiohttp repeats GET by itself when a connection breaks.
            session._retry_connection = False  # noqa: SLF001  it has no other switch
            return Client(session, simulator)

        yield start


@pytest.fixture
async def client(start_client: StartClient) -> Client:
    """The client of a simulator with the default settings."""
    made: Client = await start_client()
    return made
