"""Credentials, Homeys and responses for the tests in this directory, and a driver of flows."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Generic, TypeVar

import pytest

from homey_tokend.athom.sign_in import consent, log_in
from homey_tokend.athom.urls import HomeyTarget
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Endpoints, Flow, Request, Response
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.core.tokens import Grant, UserToken

T = TypeVar("T")

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
#: The duration of each response, unless a test sets another.
TOOK = timedelta(milliseconds=200)

CLOUDID = "5a0000000000000000000001"
REDIRECT = "http://localhost/callback"
AT = Endpoints(
    accounts="https://accounts.example",
    api="https://api.example",
    homey="https://{cloudid}.connect.example",
)
CREDENTIALS = Credentials(
    email=Secret("ann.o+nymous@example.org"),
    password=Secret("pa&ss=wö rd%21"),
    client_id="client-id",
    client_secret=Secret("client secret+/"),
    redirect_url=REDIRECT,
    cloudid=CLOUDID,
    totp_secret=Secret("GEZDGNBVGY3TQOJQ"),
)
USER = UserToken(Secret("header.user.token"), issued_at=NOON)
ACCESS = "ac" * 20
REFRESH = "be" * 20
CODE = "c0" * 20
BEARER = f"{'1' * 8}-aaaa:{'2' * 8}-bbbb:{'d' * 40}"
GRANT = Grant(Secret(ACCESS), expires_at=NOON + timedelta(hours=1))
HUB = "https://hub.example/homey"
SITE = HomeyTarget(
    endpoints=AT,
    cloudid=CLOUDID,
    explicit_url=HUB,
    remembered_url=None,
    lifetime=timedelta(hours=24),
)


def answer(
    status: int = 200,
    body: bytes | str = b"",
    *headers: tuple[str, str],
    sent_at: datetime = NOON,
    took: timedelta = TOOK,
    trusted: bool = False,
) -> Response:
    """Return a response as from the transport."""
    raw = body.encode() if isinstance(body, str) else body
    return Response(status, headers, raw, sent_at, sent_at + took, trusted)


def as_json(status: int, value: object, *headers: tuple[str, str]) -> Response:
    return answer(status, json.dumps(value), *headers)


def redirect(location: str) -> Response:
    return answer(302, f"Found. Redirecting to {location}", ("location", location))


def dated(response: Response, date: datetime, *, trusted: bool = True) -> Response:
    """Return the same response with a Date header, over verified TLS by default."""
    stamp = format_datetime(date.astimezone(UTC).replace(microsecond=0), usegmt=True)
    return Response(
        response.status,
        (*response.headers, ("date", stamp)),
        response.body,
        response.sent_at,
        response.received_at,
        trusted,
    )


def form(value: str = "tok-en_1") -> str:
    return f'<form method="post"><input type="hidden" name="_csrf" value="{value}"></form>'


LOGGED_IN = as_json(200, {"token": "header.user.token"})
PAGE = answer(200, form(), ("set-cookie", "_csrf=s3cr3t; Path=/"))
CODE_REDIRECT = redirect(f"{REDIRECT}?code={CODE}")
GRANTED = as_json(
    200,
    {
        "token_type": "bearer",
        "access_token": ACCESS,
        "expires_in": 3660,
        "refresh_token": REFRESH,
    },
)
DELEGATED = as_json(200, "header.delegation.token")
HOMEY_ACCEPTS = as_json(200, BEARER)
SESSION = as_json(200, {"id": "x", "type": "OAUTH", "scopes": []})


@dataclass
class Played(Generic[T]):
    """The result of a flow: its requests, and its value or failure."""

    requests: list[Request] = field(default_factory=list)
    values: list[T] = field(default_factory=list)
    error: TokendError | None = None

    @property
    def value(self) -> T:
        if self.error is not None:
            raise self.error
        return self.values[0]

    @property
    def steps(self) -> list[str]:
        return [str(request.step) for request in self.requests]


def sign_in(who: Credentials, at: Endpoints) -> Flow[Grant]:
    """The whole sign-in, from the password to a grant."""
    user = yield from log_in(who, at)
    return (yield from consent(who, at, user))


def play(flow: Flow[T], *responses: Response | TokendError) -> Played[T]:
    """Drive a flow to its end: send it responses, or throw failures into it.

    All responses must be used, and no more requested.
    """
    left, played = list(responses), Played[T]()
    try:
        request = next(flow)
        while True:
            played.requests.append(request)
            if not left:
                pytest.fail(f"one request too many: {request.step}")
            reply = left.pop(0)
            request = flow.throw(reply) if isinstance(reply, TokendError) else flow.send(reply)
    except StopIteration as end:
        played.values.append(end.value)
    except TokendError as error:
        played.error = error
    if left:
        pytest.fail(f"{len(left)} answers were not asked for")
    return played


def failure(flow: Flow[T], *responses: Response | TokendError) -> TokendError:
    """Return the failure that a flow ends with."""
    error = play(flow, *responses).error
    if error is None:
        pytest.fail("the flow succeeded")
    return error


def shown(error: TokendError) -> str:
    """Return everything of a failure that a message or a log line contains."""
    return "\n".join((str(error), repr(error), error.message, error.remedy, error.step))


def table_rows(text: str) -> Sequence[tuple[str, str, str]]:
    """Return the rows of the classification of responses in ``docs/wire.md``: step, answer, class."""
    rows: list[tuple[str, str, str]] = []
    step = ""
    for line in text.partition("## Classification of responses")[2].splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if not line.startswith("|") or cells[0] == "step" or set(line) <= {"|", "-"}:
            continue
        step = cells[0] or step
        rows.append((step, cells[1], cells[2]))
    return rows
