"""The token endpoint and the bearer check, in the order of ``docs/wire.md`` 0."""

import base64
from typing import Any

import pytest

from tests.simulator.conftest import Clock, Meet, Person, bearer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_granted(person: Person) -> None:
    """A code gives a bearer token and a refresh token, never cached."""
    answer = await person.token(code=await person.code())

    assert answer.status == 200
    assert list(answer.json) == ["token_type", "access_token", "expires_in", "refresh_token"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 3660)
    assert (
        answer.headers["Cache-Control"],
        answer.headers["Pragma"],
    ) == ("no-store", "no-cache")


async def test_basic(person: Person) -> None:
    """The client's values may come by HTTP Basic, before those of the body."""
    pair = f"{person.told['clientId']}:{person.told['clientSecret']}"
    header = f"Basic {base64.b64encode(pair.encode()).decode()}"
    form = {"grant_type": "authorization_code", "code": await person.code(), "client_id": "x"}
    answer = await person.ask("POST", "/oauth2/token", data=form, headers={"Authorization": header})

    assert answer.status == 200


@pytest.mark.parametrize("header", ["Basic a", "Basic %%%", "Basic bm9jb2xvbg==", "Bearer abc"])
async def test_no_basic(person: Person, header: str) -> None:
    """What is no HTTP Basic is passed over, and the body is read."""
    form = {
        "grant_type": "authorization_code",
        "code": await person.code(),
        "client_id": person.told["clientId"],
        "client_secret": person.told["clientSecret"],
    }
    answer = await person.ask("POST", "/oauth2/token", data=form, headers={"Authorization": header})

    assert answer.status == 200


@pytest.mark.parametrize(
    ("how", "error"),
    [
        (
            {"method": "GET"},
            (
                "invalid_request",
                "Method must be POST with application/x-www-form-urlencoded encoding",
            ),
        ),
        (
            {"json": {"grant_type": "authorization_code"}},
            (
                "invalid_request",
                "Method must be POST with application/x-www-form-urlencoded encoding",
            ),
        ),
        ({"data": {}}, ("invalid_request", "Invalid or missing grant_type parameter")),
        (
            {"data": {"grant_type": "magic", "client_id": ""}},
            ("invalid_request", "Invalid or missing grant_type parameter"),
        ),
        (
            {"data": {"grant_type": "authorization_code", "client_id": "!"}},
            ("invalid_client", "Invalid or missing client_id parameter"),
        ),
        (
            {"data": {"grant_type": "authorization_code", "client_id": "abc"}},
            ("invalid_client", "Missing client_secret parameter"),
        ),
        (
            {
                "data": {
                    "grant_type": "password",
                    "client_id": "abc",
                    "client_secret": "wrong",
                }
            },
            ("invalid_client", "Client credentials are invalid"),
        ),
    ],
)
async def test_order(person: Person, how: dict[str, Any], error: tuple[str, str]) -> None:
    """The checks before the grant come in the order of grant.js."""
    headers = FORM if how.get("data") == {} else {}
    asked = {"method": "POST", "headers": headers} | how
    answer = await person.ask(path="/oauth2/token", **asked)

    assert (400, *error) == answer.error
    assert answer.headers["Cache-Control"] == "no-store"


async def test_who_are_you(person: Person) -> None:
    """Only invalid_client asks for HTTP Basic."""
    client = await person.token(client_secret="wrong")
    grant = await person.token(code="wrong")

    assert client.headers["WWW-Authenticate"] == 'Basic realm="Service"'
    assert "WWW-Authenticate" not in grant.headers


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({}, ("invalid_request", 'No "code" parameter')),
        ({"code": "0" * 40}, ("invalid_grant", "Invalid code")),
        ({"grant_type": "refresh_token"}, ("invalid_request", 'No "refresh_token" parameter')),
        (
            {"grant_type": "refresh_token", "refresh_token": "0" * 40},
            ("invalid_grant", "Invalid refresh token"),
        ),
        (
            {"grant_type": "password"},
            ("invalid_client", "The grant type is unauthorised for this client_id"),
        ),
        (
            {"grant_type": "client_credentials"},
            ("invalid_client", "The grant type is unauthorised for this client_id"),
        ),
    ],
)
async def test_grant_errors(person: Person, fields: dict[str, str], error: tuple[str, str]) -> None:
    """Each grant has its own texts, all with status 400."""
    assert (400, *error) == (await person.token(**fields)).error


async def test_code_once(person: Person) -> None:
    """A code is good once."""
    code = await person.code()

    assert (await person.token(code=code)).status == 200
    assert (await person.token(code=code)).error == (400, "invalid_grant", "Invalid code")


async def test_code_again(meet: Meet) -> None:
    """By switch a code is good again, as the bare library leaves it."""
    person = await meet(code_once=False)
    code = await person.code()

    assert [(await person.token(code=code)).status for _ in range(2)] == [200, 200]


async def test_code_expires(person: Person, clock: Clock) -> None:
    """A code lives 30 seconds."""
    early, late = await person.code(), await person.code()
    clock.time += 30

    assert (await person.token(code=early)).status == 200

    clock.time += 0.1

    assert (await person.token(code=late)).error == (400, "invalid_grant", "Code has expired")


@pytest.mark.parametrize(
    ("rotation", "told", "old_status"),
    [("keep", True, 200), ("replace", True, 400), ("none", False, 200)],
)
async def test_rotation(meet: Meet, rotation: str, told: bool, old_status: int) -> None:
    """A refresh gives a new refresh token or none; the old one lives on or dies."""
    person = await meet(rotation=rotation)
    first = (await person.token(code=await person.code())).json["refresh_token"]
    second = await person.token(grant_type="refresh_token", refresh_token=first)
    again = await person.token(grant_type="refresh_token", refresh_token=first)

    assert told == ("refresh_token" in second.json)
    assert first != second.json.get("refresh_token")
    assert old_status == again.status


async def test_refresh_expires(meet: Meet, clock: Clock) -> None:
    """A refresh token can have an end."""
    person = await meet(refresh_lifetime=100)
    first = (await person.token(code=await person.code())).json["refresh_token"]
    clock.time += 101
    answer = await person.token(grant_type="refresh_token", refresh_token=first)

    assert answer.error == (400, "invalid_grant", "Refresh token has expired")


@pytest.mark.parametrize(
    ("fields", "status", "description"),
    [
        ({}, 400, 'Missing parameters. "username" and "password" are required'),
        ({"username": "a", "password": "b"}, 400, "User credentials are invalid"),
    ],
)
async def test_password_grant_errors(
    meet: Meet, fields: dict[str, str], status: int, description: str
) -> None:
    """The password grant, where it is allowed, has the library's texts."""
    answer = await (await meet(password_grant=True)).token(grant_type="password", **fields)

    assert (status, description) == (answer.status, answer.json["error_description"])


async def test_password_grant(meet: Meet) -> None:
    """The password grant, where it is allowed, gives a token."""
    person = await meet(password_grant=True)
    answer = await person.token(
        grant_type="password",
        username=person.told["email"],
        password=person.told["password"],
    )

    assert answer.status == 200


async def test_text_number(meet: Meet) -> None:
    """By switch expires_in is text."""
    person = await meet(expires_in_text=True)

    assert (await person.token(code=await person.code())).json["expires_in"] == "3660"


@pytest.mark.parametrize(
    ("how", "error"),
    [
        ({}, (400, "invalid_request", "The access token was not found")),
        (
            {"headers": {"Authorization": "Bearer a"}, "params": {"access_token": "a"}},
            (
                400,
                "invalid_request",
                "Only one method may be used to authenticate at a time (Auth header,  GET or POST).",
            ),
        ),
        (
            {"headers": {"Authorization": "Token a"}},
            (400, "invalid_request", "Malformed auth header"),
        ),
        (
            {"headers": bearer("a")},
            (401, "invalid_token", "The access token provided is invalid."),
        ),
    ],
)
async def test_access_errors(
    person: Person, how: dict[str, Any], error: tuple[int, str, str]
) -> None:
    """The bearer check has the library's order and texts."""
    assert error == (await person.ask("GET", "/user/me", **how)).error


async def test_access_expires(person: Person, clock: Clock) -> None:
    """An access token ends after 3660 seconds."""
    access = await person.access()
    clock.time += 3661
    answer = await person.delegation(access)

    assert answer.error == (401, "invalid_token", "The access token provided has expired.")


async def test_access_in_form(person: Person) -> None:
    """An access token may come as a form field or in the query."""
    access = {"access_token": await person.access()}

    assert (await person.ask("GET", "/user/me", params=access)).status == 200
    assert (await person.ask("POST", "/delegation/token?audience=homey", data=access)).status == 200
