"""POST /oauth2/token: the grant; GET /user/me: the account's Homeys."""

import json
from datetime import timedelta

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import (
    ClientRejected,
    InvalidResponse,
    ProtocolChanged,
    SignInExpired,
    TokendError,
)
from homey_tokend.core.http_types import Repeat, Response
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Grant
from tests.athom.scenes import (
    ACCESS,
    AT,
    CODE_REDIRECT,
    CREDENTIALS,
    GRANT,
    GRANTED,
    NOON,
    REFRESH,
    TOOK,
    USER,
    answer,
    as_json,
    dated,
    failure,
    play,
)


def test_a_grant_is_renewed_with_its_refresh_token() -> None:
    """The request has grant_type, refresh token and the client's credentials, as a form."""
    played = play(athom.renew_grant(CREDENTIALS, AT, Secret("old")), GRANTED)
    (sent,) = played.requests

    assert (
        ("client_id", "client-id"),
        ("client_secret", "client secret+/"),
        ("grant_type", "refresh_token"),
        ("refresh_token", "old"),
    ) == sent.form
    assert ("token", "POST", "https://api.example/oauth2/token", Repeat.UNSENT) == (
        sent.step,
        sent.method,
        sent.url,
        sent.repeat,
    )
    assert Secret(REFRESH) == played.value.refresh_token


def granted(reply: Response) -> Grant:
    """Return the grant that a sign-in gets from a response to its code."""
    return play(athom.consent(CREDENTIALS, AT, USER), CODE_REDIRECT, reply).value


def grant_with(**fields: object) -> str:
    return json.dumps({"token_type": "bearer", "access_token": ACCESS, **fields})


HALF_AN_HOUR = 1800
YEAR = 366 * 86400


@pytest.mark.parametrize(
    ("reported", "seconds"),
    [
        ("3660", 3660),
        ('"3660"', 3660),
        ("3660.5", 3660.5),
        ("0", 0),
        (str(YEAR), YEAR),
        (str(YEAR + 1), HALF_AN_HOUR),
        ("-1", HALF_AN_HOUR),
        ('"-5"', HALF_AN_HOUR),
        ("1e400", HALF_AN_HOUR),
        ("1" + "0" * 400, HALF_AN_HOUR),
        ("NaN", HALF_AN_HOUR),
        ('"nan"', HALF_AN_HOUR),
        ('"Infinity"', HALF_AN_HOUR),
        ("true", HALF_AN_HOUR),
        ("false", HALF_AN_HOUR),
        ("null", HALF_AN_HOUR),
        ('"soon"', HALF_AN_HOUR),
        ('""', HALF_AN_HOUR),
        ("[3660]", HALF_AN_HOUR),
        ("{}", HALF_AN_HOUR),
    ],
)
def test_the_lifetime_of_a_grant_is_a_number_or_text_up_to_a_year(
    reported: str, seconds: float
) -> None:
    """An invalid expires_in counts as half an hour, which is less than was ever seen."""
    body = f'{{"access_token": "{ACCESS}", "expires_in": {reported}}}'

    assert NOON + TOOK + timedelta(seconds=seconds) == granted(answer(200, body)).expires_at


def test_a_missing_lifetime_is_half_an_hour() -> None:
    """expires_in is optional in RFC 6749."""
    grant = granted(answer(200, grant_with()))

    assert NOON + TOOK + timedelta(minutes=30) == grant.expires_at


def test_a_grant_has_the_skew_of_its_response() -> None:
    """The skew is taken from the Date header of a trusted response, and of no other."""
    at_server = NOON + timedelta(hours=1)

    assert timedelta(hours=1, seconds=1) == granted(dated(GRANTED, at_server)).skew
    assert granted(dated(GRANTED, at_server, trusted=False)).skew is None


@pytest.mark.parametrize("refresh", [None, "", 0, False, [], "absent"])
def test_a_grant_without_a_refresh_token_has_none(refresh: object) -> None:
    """Without a new refresh token the old one stays in the grant (A4: rotation)."""
    body = grant_with() if refresh == "absent" else grant_with(refresh_token=refresh)
    renewed = play(athom.renew_grant(CREDENTIALS, AT, Secret("old")), answer(200, body)).value

    assert granted(answer(200, body)).refresh_token is None
    assert Secret("old") == renewed.refresh_token


@pytest.mark.parametrize("refresh", [5, True, ["x"], "a b", "x" * 16385])
def test_an_invalid_refresh_token_is_a_changed_protocol(refresh: object) -> None:
    """An invalid refresh token is not kept."""
    reply = answer(200, grant_with(refresh_token=refresh))

    assert ProtocolChanged is type(
        failure(athom.renew_grant(CREDENTIALS, AT, Secret("old")), reply)
    )


@pytest.mark.parametrize("body", ["[]", '"text"', "null", "{}", '{"access_token": 5}'])
def test_a_success_without_an_access_token_is_a_changed_protocol(body: str) -> None:
    """JSON of another type is a failure."""
    error = failure(athom.renew_grant(CREDENTIALS, AT, Secret("old")), answer(200, body))

    assert (ProtocolChanged, "token", 200) == (type(error), error.step, error.status)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (400, {"error": "invalid_client"}, ClientRejected),
        (401, {"error": "invalid_client"}, ClientRejected),
        (400, {"error": "invalid_grant"}, SignInExpired),
        (400, {"error": "invalid_request"}, ProtocolChanged),
        (400, {"error": ["invalid_grant"]}, ProtocolChanged),
        (400, {"code": 400}, ProtocolChanged),
        (400, ["invalid_grant"], ProtocolChanged),
        (401, {"error": "invalid_token"}, ProtocolChanged),
        (302, {}, ProtocolChanged),
        (201, {"access_token": ACCESS}, ProtocolChanged),
    ],
)
def test_errors_are_classified_by_their_id(
    status: int, body: object, expected: type[Exception]
) -> None:
    """The error is classified by its id: invalid_client is 400 here and 401 elsewhere (section 0)."""
    error = failure(athom.renew_grant(CREDENTIALS, AT, Secret("old")), as_json(status, body))

    assert (expected, status) == (type(error), error.status)


def test_an_error_without_json_is_a_changed_protocol() -> None:
    """Unknown responses are classified as such."""
    error = failure(athom.renew_grant(CREDENTIALS, AT, Secret("old")), answer(400, "<h1>Bad</h1>"))

    assert ProtocolChanged is type(error)


# --- GET /user/me ---


def test_homeys_are_returned_by_id() -> None:
    """``_id`` precedes ``id``; names are cleaned, and malformed entries left out."""
    body = {
        "homeys": [
            {"_id": "a", "id": "b", "name": "Home\n2", "remoteUrl": "https://h.example"},
            {"id": "c", "name": None, "remoteUrl": None},
            {"_id": "d", "name": "hides hunter2", "remoteUrl": 7},
            {"_id": 5},
            {"name": "nameless"},
            "nothing",
            None,
        ]
    }

    assert {
        "a": ("Home 2", "https://h.example"),
        "c": ("", None),
        "d": ("hides …", None),
    } == play(athom.homeys(GRANT, AT, (Secret("hunter2"),)), as_json(200, body)).value


def test_at_most_a_thousand_homeys_are_read() -> None:
    """The number of Homeys is bounded."""
    body = {"homeys": [{"_id": str(number)} for number in range(1500)]}

    assert 1000 == len(play(athom.homeys(GRANT, AT), as_json(200, body)).value)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (answer(401), SignInExpired),
        (answer(403, "{}"), ProtocolChanged),
        (as_json(200, {}), ProtocolChanged),
        (as_json(200, {"homeys": {"a": {}}}), ProtocolChanged),
        (as_json(200, []), ProtocolChanged),
        (answer(200, "<html>"), InvalidResponse),
        (answer(204), InvalidResponse),
    ],
    ids=["401", "403", "no list", "an object", "no object", "HTML", "nothing"],
)
def test_a_response_without_a_list_is_a_failure(
    reply: Response, expected: type[TokendError]
) -> None:
    """The failure has the step's name and the status."""
    error = failure(athom.homeys(GRANT, AT), reply)

    assert (expected, "user", reply.status) == (type(error), error.step, error.status)
