"""The token endpoint and the bearer check, in the order of ``docs/wire.md`` 0."""

import base64
from typing import Any

import pytest

from tests.simulator.conftest import Client, Clock, StartClient, bearer

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


async def test_granted(client: Client) -> None:
    """A code gives a bearer token and a refresh token, never cached."""
    answer = await client.token(code=await client.code())

    assert answer.status == 200
    assert list(answer.json) == ["token_type", "access_token", "expires_in", "refresh_token"]
    assert (answer.json["token_type"], answer.json["expires_in"]) == ("bearer", 3660)
    assert (
        answer.headers["Cache-Control"],
        answer.headers["Pragma"],
    ) == ("no-store", "no-cache")


async def test_basic(client: Client) -> None:
    """The client's credentials may come by HTTP Basic, which precedes the body."""
    pair = f"{client.description['clientId']}:{client.description['clientSecret']}"
    header = f"Basic {base64.b64encode(pair.encode()).decode()}"
    form = {"grant_type": "authorization_code", "code": await client.code(), "client_id": "x"}
    answer = await client.ask("POST", "/oauth2/token", data=form, headers={"Authorization": header})

    assert answer.status == 200


@pytest.mark.parametrize("header", ["Basic a", "Basic %%%", "Basic bm9jb2xvbg==", "Bearer abc"])
async def test_no_basic(client: Client, header: str) -> None:
    """Anything but HTTP Basic is ignored, and the body is read."""
    form = {
        "grant_type": "authorization_code",
        "code": await client.code(),
        "client_id": client.description["clientId"],
        "client_secret": client.description["clientSecret"],
    }
    answer = await client.ask("POST", "/oauth2/token", data=form, headers={"Authorization": header})

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
async def test_order(client: Client, how: dict[str, Any], error: tuple[str, str]) -> None:
    """The checks before the grant come in the order of grant.js."""
    headers = FORM if how.get("data") == {} else {}
    asked = {"method": "POST", "headers": headers} | how
    answer = await client.ask(path="/oauth2/token", **asked)

    assert (400, *error) == answer.error
    assert answer.headers["Cache-Control"] == "no-store"


async def test_www_authenticate(client: Client) -> None:
    """Only invalid_client asks for HTTP Basic."""
    bad_client = await client.token(client_secret="wrong")
    bad_code = await client.token(code="wrong")

    assert bad_client.headers["WWW-Authenticate"] == 'Basic realm="Service"'
    assert "WWW-Authenticate" not in bad_code.headers


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
async def test_grant_errors(client: Client, fields: dict[str, str], error: tuple[str, str]) -> None:
    """Each grant has its own texts, all with status 400."""
    assert (400, *error) == (await client.token(**fields)).error


async def test_code_once(client: Client) -> None:
    """A code can be used once."""
    code = await client.code()

    assert (await client.token(code=code)).status == 200
    assert (await client.token(code=code)).error == (400, "invalid_grant", "Invalid code")


async def test_code_again(start_client: StartClient) -> None:
    """By switch a code can be used again, as with the bare library."""
    client = await start_client(code_once=False)
    code = await client.code()

    assert [(await client.token(code=code)).status for _ in range(2)] == [200, 200]


async def test_code_expires(client: Client, clock: Clock) -> None:
    """A code lives 30 seconds."""
    early, late = await client.code(), await client.code()
    clock.time += 30

    assert (await client.token(code=early)).status == 200

    clock.time += 0.1

    assert (await client.token(code=late)).error == (400, "invalid_grant", "Code has expired")


@pytest.mark.parametrize(
    ("rotation", "returned", "old_status"),
    [("keep", True, 200), ("replace", True, 400), ("none", False, 200)],
)
async def test_rotation(
    start_client: StartClient, rotation: str, returned: bool, old_status: int
) -> None:
    """A refresh gives a new refresh token or none; the old one stays valid or is revoked."""
    client = await start_client(rotation=rotation)
    first = (await client.token(code=await client.code())).json["refresh_token"]
    second = await client.token(grant_type="refresh_token", refresh_token=first)
    again = await client.token(grant_type="refresh_token", refresh_token=first)

    assert returned == ("refresh_token" in second.json)
    assert first != second.json.get("refresh_token")
    assert old_status == again.status


async def test_refresh_expires(start_client: StartClient, clock: Clock) -> None:
    """A refresh token can have an end."""
    client = await start_client(refresh_lifetime=100)
    first = (await client.token(code=await client.code())).json["refresh_token"]
    clock.time += 101
    answer = await client.token(grant_type="refresh_token", refresh_token=first)

    assert answer.error == (400, "invalid_grant", "Refresh token has expired")


@pytest.mark.parametrize(
    ("fields", "status", "description"),
    [
        ({}, 400, 'Missing parameters. "username" and "password" are required'),
        ({"username": "a", "password": "b"}, 400, "User credentials are invalid"),
    ],
)
async def test_password_grant_errors(
    start_client: StartClient, fields: dict[str, str], status: int, description: str
) -> None:
    """The password grant, if it is allowed, has the library's texts."""
    answer = await (await start_client(password_grant=True)).token(grant_type="password", **fields)

    assert (status, description) == (answer.status, answer.json["error_description"])


async def test_password_grant(start_client: StartClient) -> None:
    """The password grant, if it is allowed, gives a token."""
    client = await start_client(password_grant=True)
    answer = await client.token(
        grant_type="password",
        username=client.description["email"],
        password=client.description["password"],
    )

    assert answer.status == 200


async def test_text_number(start_client: StartClient) -> None:
    """By switch expires_in is text."""
    client = await start_client(expires_in_text=True)

    assert (await client.token(code=await client.code())).json["expires_in"] == "3660"


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
    client: Client, how: dict[str, Any], error: tuple[int, str, str]
) -> None:
    """The bearer check has the library's order and texts."""
    assert error == (await client.ask("GET", "/user/me", **how)).error


async def test_access_expires(client: Client, clock: Clock) -> None:
    """An access token ends after 3660 seconds."""
    access = await client.access()
    clock.time += 3661
    answer = await client.delegation(access)

    assert answer.error == (401, "invalid_token", "The access token provided has expired.")


async def test_access_in_form(client: Client) -> None:
    """An access token may come as a form field or in the query."""
    access = {"access_token": await client.access()}

    assert (await client.ask("GET", "/user/me", params=access)).status == 200
    assert (await client.ask("POST", "/delegation/token?audience=homey", data=access)).status == 200
