"""Login, authorise and consent as in ``docs/wire.md`` A1 to A3."""

import re
from urllib.parse import parse_qs, urlsplit

import pytest
from yarl import URL

from homey_tokend.simulator import totp
from homey_tokend.simulator.accounts import is_csrf_pair
from tests.simulator.conftest import TOTP_SECRET, Client, Clock, StartClient, csrf_of


async def test_form_login(client: Client) -> None:
    """E-mail and password as a form give a user token of a JWT's form."""
    answer = await client.login()

    assert answer.status == 200
    assert list(answer.json) == ["token"]
    assert answer.json["token"].count(".") == 2


async def test_json_login(client: Client) -> None:
    """The same as JSON, and without otptoken, is accepted."""
    values = {"email": client.description["email"], "password": client.description["password"]}

    assert (await client.ask("POST", "/login", json=values)).status == 200


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"email": "nobody@example.com"}, (404, "No resource exists on this endpoint")),
        ({"password": "wrong"}, (401, "The provided password is not correct")),
        ({"email": ""}, (400, {"email": "Missing value"})),
        ({"password": ""}, (400, {"password": "Missing value"})),
    ],
)
async def test_rejected_login(
    client: Client, fields: dict[str, str], error: tuple[int, object]
) -> None:
    """A failed login has the text that clients look for."""
    status, _, description = (await client.login(**fields)).error

    assert error == (status, description)


async def test_raw_password(client: Client) -> None:
    """The request log keeps the raw fields, special characters of the password decoded."""
    await client.login()
    entry = client.simulator.seen("login")[0]

    assert client.description["password"] == entry.form["password"]
    assert b"S%26cret%2Bpass+word%3D100%25" in entry.body


async def test_one_time_code(start_client: StartClient, clock: Clock) -> None:
    """With a TOTP secret, ``code: 401`` asks for a code, which can be used once."""
    client = await start_client(totp_secret=TOTP_SECRET)
    code = totp.code_at(TOTP_SECRET, int(clock.time // totp.STEP))
    answers = [await client.login(otptoken=given) for given in ("", "12", code, code)]

    assert client.description["totpSecret"] == TOTP_SECRET
    assert answers[0].json["code"] == 401
    assert [answer.status for answer in answers] == [401, 401, 200, 401]


def test_rfc_6238() -> None:
    """One-time codes are those of the RFC's appendix B, cut to six digits."""
    secret = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"

    assert [totp.code_at(secret, at // totp.STEP) for at in (59, 1_111_111_109, 1_234_567_890)] == [
        "287082",
        "081804",
        "005924",
    ]


async def test_hop(client: Client) -> None:
    """/oauth2/authorise redirects to /authorise of the same origin with the query as sent."""
    url = f"{client.simulator.base_url}/oauth2/authorise?a=http%3A%2F%2Flocalhost&b=%7E"
    # Encoded: yarl would rewrite the query on its way out.
    async with client.session.get(URL(url, encoded=True), allow_redirects=False) as answer:
        pass

    assert (
        answer.status,
        answer.headers["Location"],
    ) == (302, "/authorise?a=http%3A%2F%2Flocalhost&b=%7E")


async def test_page(client: Client) -> None:
    """The consent page has the hidden field and the cookie of csurf."""
    page, _ = await client.page()

    assert page.status == 200
    assert page.headers["Content-Type"].startswith("text/html")
    assert re.fullmatch(r"_csrf=[\w-]{24}; Path=/", page.cookies[0])
    assert re.fullmatch(r"[0-9A-Za-z]{8}-[\w-]{27}", csrf_of(page))
    assert f'<input type="hidden" name="_csrf" value="{csrf_of(page)}">' in page.text


@pytest.mark.parametrize(
    ("form", "field"),
    [
        ("value-name-type", r'<input value="[\w-]{36}" name="_csrf" type="hidden">'),
        ("single-quotes", r"<input type='hidden' name='_csrf' value='[\w-]{36}'>"),
        ("self-closing", r'<input type="hidden" name="_csrf" value="[\w-]{36}" />'),
    ],
)
async def test_field_variations(start_client: StartClient, form: str, field: str) -> None:
    """The hidden field can be written in other ways."""
    page, _ = await (await start_client(csrf_field=form)).page()

    assert re.search(field, page.text)


async def test_extra_cookies(start_client: StartClient) -> None:
    """A load balancer's cookies can surround the CSRF cookie."""
    page, _ = await (await start_client(extra_cookies=True)).page()

    assert [one.partition("=")[0] for one in page.cookies] == ["AWSALB", "_csrf", "AWSALBCORS"]


async def test_known_cookie(client: Client) -> None:
    """A request with the cookie gets no new one, and a token that fits it."""
    _, query = await client.page()
    cookie = {"Cookie": "other; _csrf=abcdefghijklmnopqrstuvwx; Path"}
    page = await client.ask("GET", "/authorise", params=query, headers=cookie)

    assert page.cookies == []
    assert is_csrf_pair("abcdefghijklmnopqrstuvwx", csrf_of(page))


async def test_consent(client: Client) -> None:
    """Allow gives a redirect with a code of 40 hex digits, in Express's format."""
    answer = await client.consent()

    assert answer.status == 302
    assert re.fullmatch(r"http://localhost\?code=[0-9a-f]{40}", answer.headers["Location"])
    assert f"Found. Redirecting to {answer.headers['Location']}" == answer.text


@pytest.mark.parametrize("token", ["", "nodash", "abcdefgh-wrong"])
async def test_csrf_mismatch(client: Client, token: str) -> None:
    """A token that does not fit the cookie gets 403 without JSON."""
    answer = await client.consent(_csrf=token)

    assert answer.status == 403
    assert "invalid csrf token" in answer.text
    assert answer.json is None


async def test_denied(client: Client) -> None:
    """Without Allow the redirect has an error, and a ``code`` that is an HTTP status."""
    location = (await client.consent(allow="")).headers["Location"]

    assert parse_qs(urlsplit(location).query) == {
        "error": ["access_denied"],
        "error_description": ["The user denied access to your application"],
        "code": ["500"],
    }


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        (
            {"response_type": "token", "client_id": ""},
            (400, "invalid_request", 'Invalid response_type parameter (must be "code")'),
        ),
        (
            {"client_id": "", "redirect_uri": ""},
            (400, "invalid_request", "Invalid or missing client_id parameter"),
        ),
        (
            {"redirect_uri": "", "user_token": "bad"},
            (400, "invalid_request", "Invalid or missing redirect_uri parameter"),
        ),
        (
            {"client_id": "undefined"},
            (400, "invalid_request", {"client_id": "Invalid value"}),
        ),
        (
            {"client_id": "0" * 24, "redirect_uri": "http://elsewhere"},
            (400, "invalid_client", "Invalid client credentials"),
        ),
        (
            {"redirect_uri": "http://elsewhere", "user_token": "bad"},
            (400, "invalid_request", "redirect_uri does not match"),
        ),
        (
            {"user_token": "bad"},
            (401, "invalid_token", "The access token provided is invalid."),
        ),
    ],
)
async def test_authorise_errors(
    client: Client, changed: dict[str, str], error: tuple[int, str, object]
) -> None:
    """Authorise checks in the library's order; a bad user token comes last."""
    query = client.query((await client.login()).json["token"])

    assert error == (await client.ask("GET", "/authorise", params=query | changed)).error


async def test_old_user_token(start_client: StartClient, clock: Clock) -> None:
    """An expired user token makes authorise answer 401."""
    client = await start_client(user_token_lifetime=60)
    query = client.query((await client.login()).json["token"])
    clock.time += 61

    assert (await client.ask("GET", "/authorise", params=query)).status == 401


async def test_no_user_token(client: Client) -> None:
    """Without a user token the response is the sign-in page, without the form's field."""
    query = client.query("")
    answer = await client.ask("GET", "/authorise", params=query)

    assert answer.status == 200
    assert "_csrf" not in answer.text


async def test_direct_code(start_client: StartClient) -> None:
    """Without a consent page the code comes at once; state is echoed."""
    page, query = await (client := await start_client(consent="direct")).page()
    echoed = await client.ask("GET", "/authorise", params=query | {"state": "s"})

    assert re.fullmatch(r"http://localhost\?code=[0-9a-f]{40}", page.headers["Location"])
    assert echoed.headers["Location"].endswith("&state=s")


async def test_remembered_consent(start_client: StartClient) -> None:
    """A remembered consent shows the form once."""
    client = await start_client(consent="remember")
    await client.consent()
    page, _ = await client.page()

    assert page.status == 302
