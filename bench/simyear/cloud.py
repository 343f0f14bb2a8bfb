"""Athom's hosts and one Homey in memory, as ``docs/wire.md`` describes them, and their troubles."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from urllib.parse import urlsplit

from bench.simyear.loop import BEGIN, YearClock
from homey_tokend.errors import Unreachable
from homey_tokend.model import Request, Response, Step

ACCOUNTS, API, HUB = "accounts.test", "api.test", "hub.test"
HOSTS = (ACCOUNTS, API, HUB)
LIFE = timedelta(hours=24)
#: What a host may ask for: who waits for years because a header says so has misunderstood it.
WAIT_MOST = timedelta(hours=1)
CODE_LIFE, ACCESS_LIFE = timedelta(seconds=30), timedelta(seconds=3660)
CLOUDID, VARIABLE = "c0ffee", "v-1"


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a host does to a request while it lasts: ``kind`` is one of the methods below."""

    host: str
    kind: str
    until: datetime
    retry_after: str = ""


@dataclass(frozen=True, slots=True)
class Login:
    """A password that came in and was judged."""

    at: datetime
    right: bool


@dataclass(slots=True)
class Session:
    expires_at: datetime
    number: int
    revoked_at: datetime | None = None


@dataclass(slots=True)
class Cloud:
    """``ports.Transport`` over a world of its own; all instants are the world's truth."""

    clock: YearClock
    chance: Random
    password: str = "right"
    troubles: list[Trouble] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    variable: str | None = ""
    logins: list[Login] = field(default_factory=list)
    #: Until when was any host unwell, or had asked to be left alone?
    unwell_until: datetime = BEGIN
    backwards: list[str] = field(default_factory=list)
    #: Called once, when a request of this step comes in.
    at_step: dict[Step, list[Callable[[], None]]] = field(default_factory=dict)
    #: Called before a host falls ill, so that what was before can be judged.
    before: Callable[[], None] = lambda: None
    #: Whether the variable may go back: what a full disk never got, a killed process cannot know.
    forgiven: Callable[[str], bool] = lambda _what: False
    _given: dict[str, datetime] = field(default_factory=dict)
    _count: int = 0

    # --- ports.Transport ---

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(request.after.total_seconds() + self.chance.uniform(0.02, 0.4))
        host = urlsplit(request.url).hostname or ""
        for call in self.at_step.pop(request.step, ()):
            call()
        sent_at = self.clock.now()
        trouble = self.trouble_of(host)
        if trouble is not None:
            answer = await self._troubled(trouble, request)
            if answer is not None:
                return self._response(sent_at, *answer)
        status, body, headers = getattr(self, f"_{request.step}")(request)
        if self.chance.random() < 0.0005:  # the answer is lost on its way
            if request.step is Step.LOGIN:
                self.logins.pop()  # nobody knows of it
            raise Unreachable("lost", step=request.step, sent=True)
        return self._response(sent_at, status, body, headers)

    def fall_ill(self, trouble: Trouble) -> None:
        """From now on this host does so."""
        self.before()
        self.troubles.append(trouble)
        self.unwell_until = max(self.unwell_until, trouble.until)

    def trouble_of(self, host: str) -> Trouble | None:
        if not self.troubles:
            return None
        now = self.clock.truth()
        self.troubles = [one for one in self.troubles if one.until > now]
        return next((one for one in self.troubles if one.host == host), None)

    async def _troubled(
        self, trouble: Trouble, request: Request
    ) -> tuple[int, bytes, list[tuple[str, str]]] | None:
        match trouble.kind:
            case "down":
                raise Unreachable("refused", step=request.step, sent=False)
            case "hang":
                await asyncio.sleep(30)
                raise Unreachable("no answer in time", step=request.step, sent=True)
            case "reset":
                raise Unreachable("reset", step=request.step, sent=True)
            case "portal":
                return 200, b"<html>Please sign in to the hotel's network</html>", []
            case "busy":
                self._remember_wait(trouble.retry_after)
                header = [("retry-after", trouble.retry_after)] if trouble.retry_after else []
                return 429, b'{"error":"too_many_requests"}', header
            case "offline":
                return 404, b'{"error":"mesh_node_offline"}', []
            case _:
                return 503, b"<html>unwell</html>", []

    def _remember_wait(self, retry_after: str) -> None:
        if retry_after.isdigit():
            wait = min(timedelta(seconds=int(retry_after)), WAIT_MOST)
            self.unwell_until = max(self.unwell_until, self.clock.truth() + wait)

    def _response(
        self, sent_at: datetime, status: int, body: bytes, headers: list[tuple[str, str]]
    ) -> Response:
        date = ("date", format_datetime(self.clock.truth().replace(microsecond=0), usegmt=True))
        return Response(status, (date, *headers), body, sent_at, self.clock.now(), trusted=True)

    # --- the steps ---

    def _new(self, kind: str, life: timedelta) -> str:
        self._count += 1
        value = f"{kind}-{self._count:08d}"
        self._given[value] = self.clock.truth() + life
        return value

    def _good(self, value: str) -> bool:
        return self.clock.truth() < self._given.get(value, self.clock.truth())

    def _login(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        right = dict(request.form or ())["password"] == self.password
        self.logins.append(Login(self.clock.truth(), right))
        if not right:
            return 401, b'{"error":"The provided password is not correct"}', []
        return 200, _json({"token": self._new("user", timedelta(minutes=10))}), []

    def _authorise(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._good(dict(request.query)["user_token"]):
            return 401, b"{}", []
        return 200, b'<form><input name="_csrf" value="a-b_c"></form>', [("set-cookie", "_csrf=s")]

    def _consent(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if request.headers.get("Cookie") != "_csrf=s":
            return 403, b"invalid csrf token", []
        return 302, b"", [("location", f"http://localhost?code={self._new('code', CODE_LIFE)}")]

    def _token(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        code = dict(request.form or ()).get("code", "")
        if not self._good(code):
            return 400, b'{"error":"invalid_grant"}', []
        del self._given[code]
        access = self._new("access", ACCESS_LIFE)
        return 200, _json({"access_token": access, "expires_in": 3660}), []

    def _user(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._bearer_good(request):
            return 401, b"{}", []
        return 200, _json({"homeys": [{"_id": CLOUDID, "remoteUrl": f"https://{HUB}"}]}), []

    def _delegation(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._bearer_good(request):
            return 401, b"{}", []
        return 200, _json(self._new("jwt", timedelta(minutes=5))), []

    def _homey_login(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not isinstance(request.json, dict) or not self._good(request.json["token"]):
            return 401, b"{}", []
        value = self._new("session", LIFE)
        self.sessions[value] = Session(self._given[value], self._count)
        return 200, _json(value), []

    def _session(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        session = self._session_of(request)
        if session is None:
            return 401, b"{}", []
        told = {
            "createdAt": (session.expires_at - LIFE).isoformat(),
            "expiresAt": session.expires_at.isoformat(),
        }
        return 200, _json(told), []

    def _variable(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if self._session_of(request) is None:
            return 401, b"{}", []
        if request.method == "POST" and isinstance(request.json, dict):
            self.variable = ""
            return 200, self._put(request.json["value"]), []
        if self.variable is None:
            return (200, b"{}", []) if request.url.endswith("variable") else (404, b"{}", [])
        if request.method == "PUT" and isinstance(request.json, dict):
            return 200, self._put(request.json["value"]), []
        one = self._shown()
        return 200, _json({VARIABLE: one} if request.url.endswith("variable") else one), []

    def _put(self, value: str) -> bytes:
        before = self.sessions.get(self.variable or "")
        older = before is not None and self.sessions[value].number < before.number
        if older and not self.forgiven("variable"):
            self.backwards.append(f"variable: {value} after {self.variable}")
        self.variable = value
        return _json(self._shown())

    def _shown(self) -> dict[str, object]:
        return {"id": VARIABLE, "name": "accesstoken", "type": "string", "value": self.variable}

    def _bearer_good(self, request: Request) -> bool:
        return request.bearer is not None and self._good(request.bearer.reveal())

    def _session_of(self, request: Request) -> Session | None:
        session = self.sessions.get(request.bearer.reveal()) if request.bearer else None
        if session is None or session.revoked_at or session.expires_at <= self.clock.truth():
            return None
        return session


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
