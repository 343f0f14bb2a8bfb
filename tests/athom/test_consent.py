"""Authorise and consent: form, cookie, redirects, and the Homeys to choose from."""

from dataclasses import replace
from datetime import timedelta

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import (
    ClientRejected,
    ConsentRejected,
    ProtocolChanged,
    SignInExpired,
    TokendError,
)
from homey_tokend.core.http_types import Repeat
from tests.athom.scenes import (
    AT,
    CLOUDID,
    CODE,
    CODE_REDIRECT,
    CREDENTIALS,
    GRANTED,
    PAGE,
    REDIRECT,
    USER,
    answer,
    as_json,
    failure,
    form,
    play,
    redirect,
)

QUERY = (
    ("client_id", "client-id"),
    ("redirect_uri", REDIRECT),
    ("response_type", "code"),
    ("user_token", "header.user.token"),
)


def test_the_consent_form_is_submitted_and_the_code_used_at_once() -> None:
    """Authorise, consent and token have exactly the fields of wire.md A2 to A4."""
    played = play(athom.consent(CREDENTIALS, AT, USER), PAGE, CODE_REDIRECT, GRANTED)
    authorise, consent, token = played.requests

    assert ("authorise", "GET", "https://accounts.example/oauth2/authorise") == (
        authorise.step,
        authorise.method,
        authorise.url,
    )
    assert (QUERY, None, None, Repeat.SAFE, True) == (
        authorise.query,
        authorise.form,
        authorise.json,
        authorise.repeat,
        authorise.follow,
    )
    assert ("consent", "POST", "https://accounts.example/authorise") == (
        consent.step,
        consent.method,
        consent.url,
    )
    assert (
        ("resource", f"resource.homey.{CLOUDID}"),
        ("_csrf", "tok-en_1"),
        ("allow", "Allow"),
    ) == consent.form
    assert (QUERY, {"Cookie": "_csrf=s3cr3t"}) == (consent.query, dict(consent.headers))
    assert (Repeat.UNSENT, False, None) == (consent.repeat, consent.follow, consent.bearer)
    assert ("token", "POST", "https://api.example/oauth2/token") == (
        token.step,
        token.method,
        token.url,
    )
    assert (
        ("client_id", "client-id"),
        ("client_secret", "client secret+/"),
        ("grant_type", "authorization_code"),
        ("code", CODE),
    ) == token.form
    assert ((), {}, None, Repeat.UNSENT, False, timedelta(0)) == (
        token.query,
        dict(token.headers),
        token.bearer,
        token.repeat,
        token.follow,
        token.after,
    )


def test_no_cookie_header_is_sent_without_cookies() -> None:
    """Without a cookie no empty Cookie header is sent."""
    played = play(athom.consent(CREDENTIALS, AT, USER), answer(200, form()), CODE_REDIRECT, GRANTED)

    assert {} == dict(played.requests[1].headers)


@pytest.mark.parametrize(
    ("wanted", "location"),
    [
        (REDIRECT, f"{REDIRECT}?code={CODE}"),
        (REDIRECT, f"{REDIRECT}?code={CODE}&state=abc"),
        (REDIRECT, f"{REDIRECT}?state=abc&code={CODE}"),
        (REDIRECT, f"{REDIRECT}/?code={CODE}#_=_"),
        (REDIRECT, f"HTTP://LocalHost/callback?code={CODE}"),
        ("http://localhost", f"http://localhost?code={CODE}"),
        ("http://localhost", f"http://localhost/?code={CODE}"),
        ("http://localhost/", f"http://localhost?code={CODE}"),
        ("http://localhost:8080/x", f"http://localhost:8080/x?code={CODE}"),
        ("http://LOCALHOST/x", f"http://localhost/x?code={CODE}"),
        ("http://localhost/x?a=b", f"http://localhost/x?a=b?code={CODE}"),
        ("http://localhost/x?a=b", f"http://localhost/x?a=b&code={CODE}"),
        ("http://[::1]:99/x", f"http://[::1]:99/x?code={CODE}"),
        ("myapp://done/here", f"myapp://done/here?code={CODE}"),
    ],
)
def test_a_redirect_to_the_redirect_url_gives_the_code(wanted: str, location: str) -> None:
    """A redirect URL may have a path, port, query and an echoed state, and its host any case."""
    who = replace(CREDENTIALS, redirect_url=wanted)

    at_once = play(athom.consent(who, AT, USER), redirect(location), GRANTED)
    by_form = play(athom.consent(who, AT, USER), PAGE, redirect(location), GRANTED)

    assert ["authorise", "token"] == at_once.steps
    assert ["authorise", "consent", "token"] == by_form.steps
    for played in (at_once, by_form):
        assert ("code", CODE) == (played.requests[-1].form or ())[-1]


@pytest.mark.parametrize(
    "location",
    [
        f"http://evil.example/callback?code={CODE}",
        f"http://localhost@evil.example/callback?code={CODE}",
        f"http://x@localhost/callback?code={CODE}",
        f"http://localhost:x@evil/callback?code={CODE}",
        f"http://localhost.evil.example/callback?code={CODE}",
        f"http://localhost\\@evil.example/callback?code={CODE}",
        f"http://localhost:8080/callback?code={CODE}",
        f"http://localhost:99999999/callback?code={CODE}",
        f"https://localhost/callback?code={CODE}",
        f"http://localhost/other?code={CODE}",
        f"http://localhost/callback/deeper?code={CODE}",
        f"http://localhost/CALLBACK?code={CODE}",
        f"/callback?code={CODE}",
        f"//localhost/callback?code={CODE}",
        f"http://[localhost/callback?code={CODE}",
        f"{REDIRECT}?{'a=b&' * 60}code={CODE}",
        f"javascript:alert(1)?code={CODE}",
        "",
    ],
)
def test_a_redirect_elsewhere_gives_no_code(location: str) -> None:
    """Other hosts, userinfo, ports, paths, schemes, and relative URLs are rejected."""
    for responses in ([redirect(location)], [PAGE, redirect(location)]):
        error = failure(athom.consent(CREDENTIALS, AT, USER), *responses)

        assert ProtocolChanged is type(error)
        assert ("authorise", "consent")[len(responses) - 1] == error.step
        assert CODE not in str(error)


@pytest.mark.parametrize("status", [300, 301, 303, 304, 307, 308])
def test_a_redirect_without_a_location_gives_no_code(status: int) -> None:
    """A redirect without a Location is rejected."""
    error = failure(athom.consent(CREDENTIALS, AT, USER), answer(status))

    assert (ProtocolChanged, status) == (type(error), error.status)


@pytest.mark.parametrize(
    "query",
    ["", "?state=x", "?code=", "?code=a%20b", f"?code={'x' * 4097}", "?code=%00", "?code=%C3%BC"],
    ids=["nothing", "state", "empty", "blank", "too long", "NUL", "not ASCII"],
)
def test_a_redirect_without_a_code_is_a_changed_protocol(query: str) -> None:
    """A redirect to the right URL without a code is rejected."""
    error = failure(athom.consent(CREDENTIALS, AT, USER), redirect(f"{REDIRECT}{query}"))

    assert ProtocolChanged is type(error)
    assert "no code" in error.message


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "error=access_denied&error_description=The user denied access&code=400",
            ConsentRejected,
        ),
        ("code=400&error=access_denied", ConsentRejected),
        ("error=invalid_scope&error_description=What?code=400", ProtocolChanged),
        ("error=&error_description=x&code=400", ProtocolChanged),
        ("error&code=400", ProtocolChanged),
    ],
)
def test_an_error_takes_precedence_over_a_code(query: str, expected: type[Exception]) -> None:
    """An error's redirect has ``code=400``, which is not a code (section 0)."""
    error = failure(athom.consent(CREDENTIALS, AT, USER), PAGE, redirect(f"{REDIRECT}?{query}"))

    assert expected is type(error)


def test_a_denied_consent_quotes_the_server() -> None:
    """The server's text is in the message, and the remedy names the cloudid."""
    location = f"{REDIRECT}?error=access_denied&error_description=The+user+denied+it&code=400"
    error = failure(athom.consent(CREDENTIALS, AT, USER), PAGE, redirect(location))

    assert "access_denied: The user denied it" in error.message
    assert "cloudid" in error.remedy


def test_a_rejected_client_is_reported_with_the_field() -> None:
    """The description may be an object of field to text (A1)."""
    page = as_json(400, {"error_description": {"client_id": "Invalid value"}})
    error = failure(athom.consent(CREDENTIALS, AT, USER), page)

    assert ClientRejected is type(error)
    assert "client_id Invalid value" in error.message
    assert "redirect_url" in error.remedy


# --- the offered Homeys, before one is configured ---

OFFER = b'<form><input name=_csrf value=x><option value="resource.homey.b2">Hut</option></form>'


def test_the_consent_page_is_requested_without_a_consent() -> None:
    """The Homeys on the page are returned after one request."""
    played = play(athom.offered_homeys(CREDENTIALS, AT, USER), answer(200, OFFER))
    (request,) = played.requests

    assert ("b2",) == played.value
    assert ("authorise", "GET", "https://accounts.example/oauth2/authorise", True) == (
        request.step,
        request.method,
        request.url,
        request.follow,
    )


def test_a_page_without_homeys() -> None:
    """The result differs from that without a page."""
    assert (
        () == play(athom.offered_homeys(CREDENTIALS, AT, USER), answer(200, b"<form></form>")).value
    )


def test_without_a_page_there_is_no_choice() -> None:
    """A redirect with the code at once means that there is no page."""
    assert play(athom.offered_homeys(CREDENTIALS, AT, USER), CODE_REDIRECT).value is None


@pytest.mark.parametrize(
    ("status", "kind"), [(401, SignInExpired), (400, ClientRejected), (418, ProtocolChanged)]
)
def test_rejections(status: int, kind: type[TokendError]) -> None:
    """Errors are the same as in a consent."""
    refused = as_json(status, {"code": status, "error": "x"})

    assert isinstance(failure(athom.offered_homeys(CREDENTIALS, AT, USER), refused), kind)
