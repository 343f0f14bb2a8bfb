"""Answers of the cloud and of a Homey, as bytes on loopback, through transport and sign-in."""

import asyncio
import logging
import ssl
import traceback
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import structlog

from bench.fuzz.cloud import CLOUDID, REDIRECT, Cloud
from bench.fuzz.mutate import CANARY, require
from bench.fuzz.responses import draw_answer
from homey_tokend import athom
from homey_tokend.athom.flow import run_flow
from homey_tokend.athom.urls import HomeyTarget
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Endpoints, Flow, Request, Response
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Bearer, Grant, Token, UserToken
from homey_tokend.http.body import MAX_BODY_BYTES
from homey_tokend.http.transport import HttpTransport
from homey_tokend.hub.variables import VariablesApi
from homey_tokend.runtime.clock import SystemClock

_NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
_TIMEOUT_S = 0.4
#: No change of an answer makes it, since no answer has it.
_PROXY_PASSWORD = CANARY[::-1]
#: The most requests of one flow, with the two repetitions of each.
_MOST_REQUESTS = 60


def _secret(name: str) -> Secret:
    return Secret(f"{CANARY}{name}")


_CREDENTIALS = Credentials(
    email=_secret("e"),
    password=_secret("p"),
    client_id="client-id",
    client_secret=_secret("c"),
    redirect_url=REDIRECT,
    cloudid=CLOUDID,
    totp_secret=None,
)
_USER = UserToken(_secret("u"), issued_at=_NOW)
_GRANT = Grant(_secret("a"), expires_at=_NOW + timedelta(hours=1))


@dataclass(frozen=True)
class Given:
    """A flow, which of its requests gets the answer, and whether the connection stays open."""

    flow: str
    index: int
    answer: bytes
    stays: bool
    tunnel: bool


class _Clock(SystemClock):
    """Waits for nothing."""

    async def sleep(self, seconds: float) -> None:  # noqa: ARG002  the name is the port's
        await asyncio.sleep(0)


class Target:
    """A value or an error of the tree, in time and within bounds; no secret in text or log."""

    def __init__(self, _: Path) -> None:
        self._tls = ssl.create_default_context()

    def draw(self, rng: Random) -> Given:
        flow = rng.choice(list(_FLOWS))
        steps = _STEPS.get(flow, ("",))
        index = rng.randrange(len(steps))
        answer = draw_answer(rng, steps[index], _SENT[flow])
        return Given(flow, index, answer, rng.random() < 0.01, rng.random() < 0.05)

    async def check(self, given: Given) -> None:
        lines: list[str] = []
        asyncio.get_running_loop().set_exception_handler(
            lambda _, what: lines.append(f"loop: {what}")
        )
        handler = _Lines(lines)
        logging.getLogger().addHandler(handler)
        try:
            with structlog.testing.capture_logs() as logged:
                await _play(given, self._tls)
        finally:
            logging.getLogger().removeHandler(handler)
        require(not lines, f"something else went wrong: {lines}")
        _check_hidden(repr(logged), given.flow)


class _Lines(logging.Handler):
    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))


async def _play(given: Given, tls: ssl.SSLContext) -> None:
    async with Cloud(given.answer, given.index, stays=given.stays) as cloud:
        base, environ = cloud.url, {}
        if given.tunnel:
            proxy = cloud.url.replace("://", f"://user:{_PROXY_PASSWORD}@")
            base, environ = "https://accounts.example.com", {"HTTPS_PROXY": proxy}
        transport = HttpTransport(
            _Clock(),
            timeout=timedelta(seconds=_TIMEOUT_S),
            environ=environ,
            user_agent="fuzz",
            ssl_context=tls,
        )
        try:
            _check_value(await _FLOWS[given.flow](transport, base))
        except TokendError as error:
            _check_error(error, given.flow)
        finally:
            await transport.close()
    _check_requests(cloud.requests)


def _endpoints(base: str) -> Endpoints:
    return Endpoints(accounts=base, api=base, homey=base)


def _target(base: str) -> HomeyTarget:
    return HomeyTarget(_endpoints(base), CLOUDID, None, None, timedelta(hours=24))


def _run(flow: Callable[[str], Flow[Any]]) -> Callable[[HttpTransport, str], Awaitable[Any]]:
    return lambda transport, base: run_flow(flow(base), transport, _check_response)


def _variables(transport: HttpTransport, base: str) -> VariablesApi:
    at = _NOW + timedelta(hours=1)
    return VariablesApi(transport, Token(_secret("b"), 1, base, issued_at=_NOW, expires_at=at))


_FLOWS: dict[str, Callable[[HttpTransport, str], Awaitable[Any]]] = {
    "log_in": _run(
        lambda base: athom.log_in(_CREDENTIALS, _endpoints(base), one_time_code="123456")
    ),
    "consent": _run(lambda base: athom.consent(_CREDENTIALS, _endpoints(base), _USER)),
    "offered": _run(lambda base: athom.offered_homeys(_CREDENTIALS, _endpoints(base), _USER)),
    "renew": _run(lambda base: athom.renew_grant(_CREDENTIALS, _endpoints(base), _secret("r"))),
    "exchange": _run(lambda base: athom.exchange(_GRANT, _target(base), _CREDENTIALS.secrets)),
    "homeys": _run(lambda base: athom.homeys(_GRANT, _endpoints(base))),
    "verify": _run(lambda base: athom.verify_bearer(base, _secret("b"), issued_at=_NOW)),
    "variables": lambda transport, base: _variables(transport, base).variables(),
    "variable": lambda transport, base: _variables(transport, base).put("id", "x", slash=False),
    "create": lambda transport, base: _variables(transport, base).create("name", "x"),
}
#: The requests of a flow by the end of the path.
_STEPS = {
    "log_in": ("/login",),
    "consent": ("/oauth2/authorise", "/authorise", "/oauth2/token"),
    "offered": ("/oauth2/authorise",),
    "renew": ("/oauth2/token",),
    "exchange": ("/user/me", "/delegation/token", "/users/login", "/session/me"),
    "homeys": ("/user/me",),
    "verify": ("/session/me",),
}
#: The secrets that the server knows, by the last letter.
_SENT = {
    "log_in": "pec", "consent": "pecu", "offered": "pecu", "renew": "pecr", "exchange": "peca",
    "homeys": "a", "verify": "b", "variables": "b", "variable": "b", "create": "b",
}  # fmt: skip
#: What uses up a password or a code goes out once.
_ONCE = ("POST /api/manager/logic/variable", "POST /login", "POST /authorise", "POST /oauth2/token")


def _check_requests(requests: Sequence[str]) -> None:
    require(len(requests) <= _MOST_REQUESTS, f"{len(requests)} requests")
    for each in _ONCE:
        times = sum(request.startswith(each) for request in requests)
        require(times <= 1, f"{each} went out {times} times")


def _check_response(_: Request, response: Response) -> None:
    require(100 <= response.status <= 999, f"a status of {response.status}")
    require(len(response.body) <= MAX_BODY_BYTES, f"a body of {len(response.body)} bytes")
    response.date()
    wait = response.retry_after()
    require(wait is None or wait >= timedelta(0), f"a wait of {wait}")


def _check_error(error: TokendError, flow: str) -> None:
    shown = f"{error.message}{error.remedy}{error.step}"
    require(shown.isprintable(), f"not printable: {shown!r}")
    require(len(shown) < 3000, f"an error of {len(shown)} characters")
    _check_hidden("".join(traceback.format_exception(error)), flow)


def _check_hidden(text: str, flow: str) -> None:
    shown = [letter for letter in _SENT[flow] if f"{CANARY}{letter}" in text]
    require(not shown and _PROXY_PASSWORD not in text, f"shows a secret ({shown}): {text[:2000]!r}")


def _check_value(value: object) -> None:
    tokens = {
        UserToken: ("value",), Grant: ("access_token", "refresh_token"), Bearer: ("value",),
    }.get(type(value), ())  # fmt: skip
    for name in tokens:
        token = getattr(value, name)
        if token is not None:
            text = token.reveal()
            require(text.isascii() and text.isprintable() and " " not in text, f"a token: {text!r}")
            require(1 <= len(text) <= 16_384, f"a token of {len(text)} characters")
