"""The classification of responses in docs/wire.md, row by row."""

from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import (
    AccountRejected,
    BearerDiscarded,
    ClientRejected,
    ConsentRejected,
    HomeyOffline,
    HomeyRejected,
    InvalidResponse,
    ProtocolChanged,
    Rejected,
    ServerError,
    SignInExpired,
    Throttled,
    TokendError,
    Transient,
    Unreachable,
)
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Bearer, Grant
from tests.athom.scenes import (
    AT,
    CODE_REDIRECT,
    CREDENTIALS,
    DELEGATED,
    GRANT,
    GRANTED,
    HOMEY_ACCEPTS,
    LOGGED_IN,
    PAGE,
    REDIRECT,
    REFRESH,
    SITE,
    answer,
    as_json,
    play,
    redirect,
    sign_in,
    table_rows,
)

_PAGE = Path(__file__, "../../../docs/wire.md").resolve().read_text(encoding="utf-8")
_ROWS = [row for row in table_rows(_PAGE) if row[0] != "variable"]  # tests/sinks has these


def _sign_in() -> Generator[Request, Response, Grant]:
    return sign_in(CREDENTIALS, AT)


def _renew() -> Generator[Request, Response, Grant]:
    return athom.renew_grant(CREDENTIALS, AT, Secret(REFRESH))


def _exchange() -> Generator[Request, Response, Bearer]:
    return athom.exchange(GRANT, SITE)


@dataclass(frozen=True)
class Case:
    """One sentence of the table: in ``step``, after ``before``, ``responses`` mean ``expected``."""

    row: str
    responses: tuple[Response | TokendError, ...]
    expected: type[TokendError] | None
    status: int | None = None
    start: Callable[[], Generator[Request, Response, Any]] = _sign_in


_BEFORE: dict[str, tuple[Response, ...]] = {
    "login": (),
    "authorise": (LOGGED_IN,),
    "consent": (LOGGED_IN, PAGE),
    "token": (LOGGED_IN, PAGE, CODE_REDIRECT),
    "delegation": (),
    "homey_login": (DELEGATED,),
    "session": (DELEGATED, HOMEY_ACCEPTS),
}
_INVALID_GRANT = as_json(400, {"code": 400, "error": "invalid_grant"})
_DENIED = redirect(f"{REDIRECT}?error=access_denied&error_description=The user denied&code=400")

CASES = {
    "login: 4xx with JSON rejects the account": Case(
        "4xx with JSON",
        (as_json(401, {"error": "The provided password is not correct"}),),
        AccountRejected,
        401,
    ),
    "login: 404 with JSON rejects the account": Case(
        "4xx with JSON", (as_json(404, {}),), AccountRejected, 404
    ),
    "login: 4xx without JSON is a changed protocol": Case(
        "4xx without JSON;", (answer(403, "<h1>No</h1>"),), ProtocolChanged, 403
    ),
    "login: 4xx with a bare JSON string rejects the account": Case(
        "4xx with JSON", (as_json(400, "no"),), AccountRejected, 400
    ),
    "login: 200 without a token is a changed protocol": Case(
        "4xx without JSON;", (as_json(200, {"jwt": "x"}),), ProtocolChanged, 200
    ),
    "login: a token that is no text is a changed protocol": Case(
        "4xx without JSON;", (as_json(200, {"token": {"x": "y"}}),), ProtocolChanged, 200
    ),
    "login: 201 with JSON is a changed protocol": Case(
        "4xx without JSON;", (as_json(201, {"token": "x"}),), ProtocolChanged, 201
    ),
    "login: a redirect is a changed protocol": Case(
        "4xx without JSON;", (redirect("https://elsewhere.example"),), ProtocolChanged, 302
    ),
    "authorise: 302 with a code needs no form": Case(
        "302 to the redirect_uri", (CODE_REDIRECT, GRANTED), None
    ),
    "authorise: 400 JSON rejects the client": Case(
        "400 JSON",
        (as_json(400, {"error_description": {"client_id": "Invalid value"}}),),
        ClientRejected,
        400,
    ),
    "authorise: 401 means to sign in again": Case(
        "401", (as_json(401, {"error": "invalid_token"}),), SignInExpired, 401
    ),
    "authorise: 200 without a form is a changed protocol": Case(
        "200 without the form", (answer(200, "<p>Welcome</p>"),), ProtocolChanged, 200
    ),
    "authorise: 403 is a changed protocol": Case(
        "200 without the form", (answer(403, "no"),), ProtocolChanged, 403
    ),
    "consent: access_denied rejects the consent": Case(
        "302 with `error=access_denied`", (_DENIED,), ConsentRejected, 302
    ),
    "consent: 403 means the whole flow once more": Case(
        "403 (csurf)", (answer(403, "invalid csrf token"),), SignInExpired, 403
    ),
    "consent: another error is a changed protocol": Case(
        "302 with another `error`",
        (redirect(f"{REDIRECT}?error=server_error&code=503"),),
        ProtocolChanged,
        302,
    ),
    "consent: 200 is a changed protocol": Case(
        "302 with another `error`", (PAGE,), ProtocolChanged, 200
    ),
    "token: invalid_client rejects the client": Case(
        "400 `invalid_client`", (as_json(400, {"error": "invalid_client"}),), ClientRejected, 400
    ),
    "token: invalid_grant for a code means the whole flow once more": Case(
        "400 `invalid_grant` for a code", (_INVALID_GRANT,), SignInExpired, 400
    ),
    "token: invalid_grant for a refresh token means the full flow": Case(
        "400 `invalid_grant` for a refresh token", (_INVALID_GRANT,), SignInExpired, 400, _renew
    ),
    "delegation: 401 means to sign in again": Case(
        "401", (as_json(401, {"error": "invalid_token"}),), SignInExpired, 401, _exchange
    ),
    "homey_login: 401 and 403 mean once more, then a refusal": Case(
        "401, 403",
        (answer(401), DELEGATED, answer(403), as_json(200, {"homeys": []})),
        HomeyRejected,
        None,
        _exchange,
    ),
    "homey_login: 403 once is forgiven": Case(
        "401, 403",
        (answer(403), DELEGATED, HOMEY_ACCEPTS, as_json(200, {})),
        None,
        None,
        _exchange,
    ),
    "session: 401 three times discards the token": Case(
        "401", (answer(401), answer(401), answer(401)), BearerDiscarded, None, _exchange
    ),
    "session: a Homey that is not reachable holds nothing back": Case(
        "not reachable", (Unreachable("no route", sent=False),), None, None, _exchange
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_each_row_of_the_table_is_classified_as_documented(name: str) -> None:
    """The class, the step's name and the status are those of the row."""
    case, step = CASES[name], name.partition(":")[0]

    played = play(case.start(), *(_BEFORE[step] if case.start != _renew else ()), *case.responses)

    assert case.expected == (played.error and type(played.error))
    if played.error is not None:
        assert step == played.error.step
        assert case.status == played.error.status


def test_each_row_of_the_page_has_a_case() -> None:
    """A row that is added or reworded needs a case here; each case names a row."""
    named = {(name.partition(":")[0], case.row) for name, case in CASES.items()}
    shown = {(s, a) for s, a, _ in _ROWS if any(s == n and a.startswith(r) for n, r in named)}
    stray = {(n, r) for n, r in named if not any(s == n and a.startswith(r) for s, a, _ in _ROWS)}

    assert {(step, text) for step, text, _ in _ROWS if step != "any"} == shown
    assert set() == stray


def test_the_page_names_the_family_of_each_failure() -> None:
    """If the page says transient, rejected or protocol changed, the class is of that family."""
    families = {"transient": Transient, "rejected": Rejected, "protocol changed": ProtocolChanged}
    checked = 0
    for name, case in CASES.items():
        step = name.partition(":")[0]
        means = next(m for s, a, m in _ROWS if s == step and a.startswith(case.row))
        first = next((word for word in families if means.startswith(word)), None)
        if first is not None and case.expected is not None:
            assert issubclass(case.expected, families[first]), name
            checked += 1

    assert checked > 15


# --- the first row: what means the same at every step -------------------------

_EVERYWHERE: dict[str, tuple[Response, type[TokendError]]] = {
    "408": (answer(408), ServerError),
    "425": (answer(425), ServerError),
    "429": (answer(429), Throttled),
    "500 with JSON": (as_json(500, {"error": "server_error"}), ServerError),
    "502 with HTML": (answer(502, "<h1>Bad gateway</h1>"), ServerError),
    "503": (answer(503), ServerError),
    "599": (answer(599), ServerError),
    "mesh_node_offline with 200": (answer(200, '"mesh_node_offline"'), HomeyOffline),
    "mesh_node_offline as an error with 200": (
        as_json(200, {"error": "mesh_node_offline"}),
        HomeyOffline,
    ),
    "mesh_node_offline with 404": (
        as_json(404, {"error": {"id": "mesh_node_offline"}}),
        HomeyOffline,
    ),
    "mesh_node_offline with 429": (answer(429, "mesh_node_offline"), HomeyOffline),
    "mesh_node_offline in deep JSON": (
        answer(200, '["mesh_node_offline",' + "[" * 100_000),
        HomeyOffline,
    ),
}
_NO_JSON = {
    "HTML with 200": answer(200, "<html>Please log in to the WLAN</html>"),
    "nothing with 200": answer(200),
    "nothing with 204": answer(204),
    "HTML with 203": answer(203, "<html>"),
    "cut JSON": answer(200, '{"token": "abc'),
    "bytes that are no text": answer(200, b"\xff\xfe\x00\x80"),
    "JSON nested without end": answer(200, "[" * 100_000),
    "a number of 5,000 digits": answer(200, "9" * 5000),
}
_STARTS: dict[str, Callable[[], Generator[Request, Response, Any]]] = {
    step: _sign_in if index < 4 else _exchange for index, step in enumerate(_BEFORE)
}


def test_the_page_has_one_row_for_common_failures() -> None:
    """The row lists each of the responses below."""
    row = next(row for row in _ROWS if row[0] == "any")

    assert row[2].startswith("transient")
    for word in ("408", "425", "429", "5xx", "HTML", "cut JSON", "mesh_node_offline"):
        assert word in row[1]


@pytest.mark.parametrize("what", _EVERYWHERE)
@pytest.mark.parametrize("step", [step for step in _BEFORE if step != "session"])
def test_common_failures_are_transient_at_each_step(step: str, what: str) -> None:
    """The class is the same at each step, with the step's name and the status."""
    reply, expected = _EVERYWHERE[what]

    played = play(_STARTS[step](), *_BEFORE[step], reply)

    assert expected is type(played.error)
    assert played.error is not None
    assert (step, reply.status) == (played.error.step, played.error.status)


@pytest.mark.parametrize("what", _NO_JSON)
@pytest.mark.parametrize("step", ["login", "token", "delegation", "homey_login"])
def test_a_success_without_json_is_invalid(step: str, what: str) -> None:
    """A captive portal or a truncated response does not mean a changed protocol."""
    played = play(_STARTS[step](), *_BEFORE[step], _NO_JSON[what])

    assert InvalidResponse is type(played.error)
    assert played.error is not None
    assert step == played.error.step


@pytest.mark.parametrize("what", [*_EVERYWHERE, *_NO_JSON])
def test_no_common_failure_at_the_session_delays_a_bearer(what: str) -> None:
    """The bearer is returned as not verified, whatever failure the verification has."""
    reply = _EVERYWHERE[what][0] if what in _EVERYWHERE else _NO_JSON[what]

    bearer = play(_exchange(), *_BEFORE["session"], reply).value

    assert not bearer.verified
    assert bearer.note.startswith("not verified: ")


@pytest.mark.parametrize("step", [step for step in _BEFORE if step != "session"])
def test_failures_of_the_transport_are_raised_unchanged(step: str) -> None:
    """Network, DNS, TLS and time-outs are the transport's failures, as they are."""
    lost = Unreachable("no route to host", step=step, sent=False)

    assert lost is play(_STARTS[step](), *_BEFORE[step], lost).error
