"""Athom's hosts and one Homey in memory, as ``docs/wire.md`` describes them, and their faults."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from random import Random
from urllib.parse import urlsplit

import structlog

from bench.simyear.loop import BEGIN, YearClock
from bench.simyear.values import (
    CERTIFICATE_TOLERANCE,
    CLOUDID,
    HUB,
    LIFE,
    SECOND,
    TOTP_SECRET,
    VARIABLE,
    Fault,
    Login,
    Pause,
    Session,
)
from homey_tokend.core import totp
from homey_tokend.core.errors import Unreachable
from homey_tokend.core.http_types import Request, Response, Step

log = structlog.get_logger()
#: The longest wait that a host can request while no token is left: obeying a header for a day
#: would be a fault.
MAX_WAIT = timedelta(minutes=10)
CODE_LIFE, ACCESS_LIFE = timedelta(seconds=30), timedelta(seconds=3660)
#: Status, body and headers; None: the host answers as usual.
Answer = tuple[int, bytes, list[tuple[str, str]]] | None
#: Answers a request in the place of a host with a fault; None: the host answers as usual.
FaultAnswer = Callable[["Cloud", Fault, Request], Awaitable[Answer]]


@dataclass(slots=True)
class Cloud:
    """``ports.Transport`` to a simulated cloud; all instants are in true time."""

    clock: YearClock
    random: Random
    #: The answers of a host with a fault, by its kind.
    fault_answers: Mapping[str, FaultAnswer]
    password: str = "right"
    faults: list[Fault] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)
    variable: str | None = ""
    logins: list[Login] = field(default_factory=list)
    #: The passwords received so far.
    seen: set[str] = field(default_factory=set)
    #: When passwords were received and answered, but not judged.
    passwords: list[datetime] = field(default_factory=list)
    #: When a person requested a refresh that has not begun yet.
    person_at: datetime | None = None
    #: When requests were sent to a host with a fault.
    failed_requests: list[datetime] = field(default_factory=list)
    pauses: list[Pause] = field(default_factory=list)
    newest: Session | None = None
    #: Until when any host had a fault or had requested a wait.
    faulty_until: datetime = BEGIN
    #: The time of the process, which may not have noticed yet that the clock was set.
    local_now: Callable[[], datetime] = lambda: BEGIN
    #: Called after a password was judged, or a request failed.
    on_request: Callable[[], None] = lambda: None
    #: Called with a session before the next one is issued.
    on_superseded: Callable[[Session], None] = lambda _session: None
    #: Called with what should not have happened.
    report: Callable[[str], None] = lambda _what: None
    #: Called once, when a request of this step is received.
    at_step: dict[Step, list[Callable[[], None]]] = field(default_factory=dict)
    #: Called before a fault begins, so that the time before it is observed.
    before_change: Callable[[], None] = lambda: None
    #: Whether a process has ended or the clock was set since: earlier facts may be unknown to it.
    excused: Callable[[datetime], bool] = lambda _since: False
    #: Whether the clock was set since.
    clock_set_since: Callable[[datetime], bool] = lambda _since: False
    _issued: dict[str, datetime] = field(default_factory=dict)
    #: When the code of each time step was last used.
    _steps: dict[int, datetime] = field(default_factory=dict)
    _count: int = 0

    # --- ports.Transport ---

    async def send(self, request: Request) -> Response:
        await asyncio.sleep(request.after.total_seconds() + self.random.uniform(0.01, 0.2))
        host = urlsplit(request.url).hostname or ""
        for call in self.at_step.pop(request.step, ()):
            call()
            await asyncio.sleep(0)  # an incident that waits for this step begins before the answer
        sent_at = self.local_now()
        if abs(self.clock.error) > CERTIFICATE_TOLERANCE:
            raise Unreachable("its certificate is not valid yet", step=request.step, sent=False)
        self._check_retry_after(host, request)
        fault = self.fault_of(host)
        if fault is not None:
            self.failed_requests.append(self.clock.truth())
            self.on_request()
            answer = await self.fault_answers[fault.kind](self, fault, request)
            if answer is not None:
                return self._response(sent_at, *answer)
        status, body, headers = getattr(self, f"on_{request.step}")(request)
        if self.random.random() < 0.0005:
            self._lost(request)
            raise Unreachable("lost", step=request.step, sent=True)
        # On its way back: a process that is killed meanwhile never knows of the answer.
        await asyncio.sleep(self.random.uniform(0.01, 0.2))
        return self._response(sent_at, status, body, headers)

    def _lost(self, request: Request) -> None:
        """Lose the answer on its way back: the daemon never gets it."""
        if request.step is Step.LOGIN:
            self.logins.pop()
        if request.step is Step.HOMEY_LOGIN and self.newest is not None:
            self.newest.delivered = False

    def begin_fault(self, fault: Fault) -> None:
        """Let this host have the fault from now on."""
        log.info("host.fault_began", host=fault.host, kind=fault.kind, until=f"{fault.until}")
        self.before_change()
        self.faults.append(fault)
        self.faulty_until = max(self.faulty_until, fault.until)

    def fault_of(self, host: str) -> Fault | None:
        if not self.faults:
            return None
        now = self.clock.truth()
        self.faults = [one for one in self.faults if one.until > now]
        return next((one for one in self.faults if one.host == host), None)

    def record_pause(self, fault: Fault) -> None:
        """Record that a host requested a wait."""
        wait, now = parse_wait(fault.retry_after, self.clock.truth()), self.clock.truth()
        if wait is not None:
            until = now + min(wait, MAX_WAIT)
            self.faulty_until = max(self.faulty_until, until)
            self.pauses = [one for one in self.pauses if one.until > now]
            self.pauses.append(Pause(fault.host, now, until))

    def _check_retry_after(self, host: str, request: Request) -> None:
        """Report a request before the end of a requested wait, unless a person forced it."""
        now = self.clock.truth()
        for one in self.pauses:
            # The Homey did not ask other requests to wait, and the attempt continues without the
            # address that the account would report.
            too_early = one.host == host != HUB and one.at + 2 * SECOND < now < one.until - SECOND
            if too_early and not (self.person_at or self.excused(one.at)):
                self.report(f"{now:%m-%d %H:%M:%S} {request.step} in spite of Retry-After")
            if too_early:  # What a person forces goes on, also with the steps after the sign-in.
                self.pauses = [each for each in self.pauses if each is not one]

    def _response(
        self, sent_at: datetime, status: int, body: bytes, headers: list[tuple[str, str]]
    ) -> Response:
        date = ("date", format_datetime(self.clock.truth().replace(microsecond=0), usegmt=True))
        return Response(status, (*headers, date), body, sent_at, self.local_now(), trusted=True)

    # --- the steps ---

    def _issue(self, kind: str, life: timedelta) -> str:
        self._count += 1
        value = f"{kind}-{self._count:08d}"
        self._issued[value] = self.clock.truth() + life
        return value

    def _is_valid(self, value: str) -> bool:
        return self.clock.truth() < self._issued.get(value, self.clock.truth())

    def on_login(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        form = dict(request.form or ())
        right = form["password"] == self.password
        self.use_code(request)
        forced, fresh = self.person_at is not None, form["password"] not in self.seen
        self.seen.add(form["password"])
        self.logins.append(Login(self.clock.truth(), right, form["password"], fresh, forced))
        self.person_at = None
        self.on_request()
        if not right:
            return 401, b'{"error":"The provided password is not correct"}', []
        return 200, _json({"token": self._issue("user", timedelta(minutes=10))}), []

    def use_code(self, request: Request) -> None:
        """Use up a one-time code, which is valid for one sign-in; the clock gives its time step."""
        code = dict(request.form or ())["otptoken"]
        newest = totp.time_step(self.clock.now())
        step = next(
            (one for one in (newest, newest - 1) if totp.code(TOTP_SECRET, one) == code), None
        )
        used_at = None if step is None else self._steps.get(step)
        # A clock that is set back repeats old time steps, more than the daemon remembers.
        if used_at is not None and not self.clock_set_since(used_at):
            self.report(f"{self.clock.truth():%m-%d %H:%M:%S} a one-time code used twice")
        if step is not None:
            self._steps[step] = self.clock.truth()

    def on_authorise(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._is_valid(dict(request.query)["user_token"]):
            return 401, b"{}", []
        return 200, b'<form><input name="_csrf" value="a-b_c"></form>', [("set-cookie", "_csrf=s")]

    def on_consent(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if request.headers.get("Cookie") != "_csrf=s":
            return 403, b"invalid csrf token", []
        return 302, b"", [("location", f"http://localhost?code={self._issue('code', CODE_LIFE)}")]

    def on_token(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        code = dict(request.form or ()).get("code", "")
        if not self._is_valid(code):
            return 400, b'{"error":"invalid_grant"}', []
        del self._issued[code]
        access = self._issue("access", ACCESS_LIFE)
        return 200, _json({"access_token": access, "expires_in": 3660}), []

    def on_user(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._has_valid_bearer(request):
            return 401, b"{}", []
        return 200, _json({"homeys": [{"_id": CLOUDID, "remoteUrl": f"https://{HUB}"}]}), []

    def on_delegation(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not self._has_valid_bearer(request):
            return 401, b"{}", []
        return 200, _json(self._issue("jwt", timedelta(minutes=5))), []

    def on_homey_login(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if not isinstance(request.json, dict) or not self._is_valid(request.json["token"]):
            return 401, b"{}", []
        value = self._issue("session", LIFE)
        if self.newest is not None:
            self.on_superseded(self.newest)
        self.newest = self.sessions[value] = Session(self.clock.truth(), self._count)
        return 200, _json(value), []

    def on_session(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        session = self._find_session(request)
        if session is None:
            return 401, b"{}", []
        session_info = {"expiresAt": session.expires_at.isoformat()}
        if session.number % 2:  # for the others only the clocks show how long they live
            session_info["createdAt"] = session.created_at.isoformat()
        return 200, _json(session_info), []

    def on_variable(self, request: Request) -> tuple[int, bytes, list[tuple[str, str]]]:
        if self._find_session(request) is None:
            self.before_change()  # a daemon that writes an invalid token also serves it
            return 401, b"{}", []
        if request.method == "POST" and isinstance(request.json, dict):
            self.variable = ""
            return 200, self._write_variable(request.json["value"]), []
        if self.variable is None:
            return (200, b"{}", []) if request.url.endswith("variable") else (404, b"{}", [])
        if request.method == "PUT" and isinstance(request.json, dict):
            return 200, self._write_variable(request.json["value"]), []
        one = self._variable_document()
        return 200, _json({VARIABLE: one} if request.url.endswith("variable") else one), []

    def _write_variable(self, value: str) -> bytes:
        before = self.sessions.get(self.variable or "")
        older = before is not None and self.sessions[value].number < before.number
        if older:
            self.report(f"the variable goes back: {value} after {self.variable}")
        self.variable = value
        return _json(self._variable_document())

    def _variable_document(self) -> dict[str, object]:
        return {"id": VARIABLE, "name": "accesstoken", "type": "string", "value": self.variable}

    def _has_valid_bearer(self, request: Request) -> bool:
        return request.bearer is not None and self._is_valid(request.bearer.reveal())

    def _find_session(self, request: Request) -> Session | None:
        session = self.sessions.get(request.bearer.reveal()) if request.bearer else None
        return session if session is not None and self.accepts(session) else None

    def accepts(self, session: Session) -> bool:
        """Return whether the Homey accepts a session now."""
        now = self.clock.truth()
        begun = session.accepted_from <= now and not session.dead_session
        return begun and session.revoked_at is None and now < session.expires_at


def parse_wait(retry_after: str, now: datetime) -> timedelta | None:
    """Return the wait that a ``Retry-After`` requests; None if it is invalid."""
    if retry_after.isdigit() and len(retry_after) < 10:
        return timedelta(seconds=int(retry_after))
    if retry_after.endswith("GMT"):
        return max(parsedate_to_datetime(retry_after) - now, timedelta(0))
    return None


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
