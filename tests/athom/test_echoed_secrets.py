"""Secrets that a hostile server echoes are in the text of no failure."""

import html
import json
import traceback
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import product
from urllib.parse import quote, quote_plus

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import TokendError
from homey_tokend.core.http_types import Flow, Response
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Grant, UserToken
from tests.athom.scenes import (
    AT,
    CODE_REDIRECT,
    CREDENTIALS,
    DELEGATED,
    LOGGED_IN,
    NOON,
    PAGE,
    REDIRECT,
    SITE,
    answer,
    play,
    redirect,
    shown,
    sign_in,
)

#: Short and unusual, so that they are recognised by value and not by form.
PASSWORD, CLIENT, USER, CODE = "cnry1&Pä s", "cnry2 %3", "cnry3.u+t", "cnry4~c"
ACCESS, DELEGATION, BEARER, REFRESH, OTP = "cnry5/a", "cnry6.d", "cnry7:b", "cnry8=r", "739154"
#: A secret that has the form of a cloudid.
REFRESH_ID = "cnry9"
CANARIES = (PASSWORD, CLIENT, USER, CODE, ACCESS, DELEGATION, BEARER, REFRESH, OTP)

who = replace(CREDENTIALS, password=Secret(PASSWORD), client_secret=Secret(CLIENT))
user = UserToken(Secret(USER), NOON)
grant = Grant(Secret(ACCESS), NOON, Secret(REFRESH))
by_code = redirect(f"{REDIRECT}?code={CODE}")
delegated = answer(200, json.dumps(DELEGATION))
taken = answer(200, json.dumps(BEARER))

#: The flow, the responses before, and the secrets that may be echoed.
Start = Callable[[], Flow[object]]
PLACES: dict[str, tuple[Start, tuple[Response, ...], tuple[str, ...]]] = {
    "login": (lambda: athom.log_in(who, AT, one_time_code=OTP), (), (PASSWORD, CLIENT, OTP)),
    "authorise": (lambda: athom.consent(who, AT, user), (), (PASSWORD, CLIENT, USER)),
    "consent": (lambda: athom.consent(who, AT, user), (PAGE,), (PASSWORD, CLIENT, USER)),
    "token": (
        lambda: athom.consent(who, AT, user),
        (by_code,),
        (PASSWORD, CLIENT, USER, CODE),
    ),
    "refresh": (
        lambda: athom.renew_grant(who, AT, Secret(REFRESH)),
        (),
        (PASSWORD, CLIENT, REFRESH),
    ),
    "delegation": (
        lambda: athom.exchange(grant, SITE, (Secret(PASSWORD),)),
        (),
        (ACCESS, PASSWORD),
    ),
    "homey_login": (lambda: athom.exchange(grant, SITE), (delegated,), (ACCESS, DELEGATION)),
}
SPELLINGS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent-encoded": lambda text: quote(text, safe=""),
    "form-encoded": quote_plus,
    "JSON-escaped": lambda text: json.dumps(text)[1:-1],
    "HTML-escaped": html.escape,
    "percent-encoded twice": lambda text: quote(quote(text, safe=""), safe=""),
}


def bodies(text: str) -> list[str]:
    """Return bodies in which a hostile server echoes it."""
    return [
        json.dumps({"error": "invalid_client", "error_description": f"bad {text}!"}),
        json.dumps({"error": text, "error_description": {"field": text, text: "invalid"}}),
        json.dumps({"error": "invalid_request", "error_description": {"a": {"b": text}}}),
        json.dumps({"error": "x" * 3980 + " " + text}),
        json.dumps(text),
        text,
    ]


def everything(error: TokendError) -> str:
    """Return all that is shown, and a traceback of the error and its causes."""
    reported = traceback.format_exception_only(error)
    return shown(error) + "".join(reported)


def outcome(flow: Flow[object], before: Sequence[Response], last: Response) -> TokendError | None:
    """Return the failure after ``last``; None if the flow continues or succeeds."""
    next(flow)
    try:
        for reply in (*before, last):
            flow.send(reply)
    except TokendError as error:
        return error
    except StopIteration:
        pass
    return None


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("place", PLACES)
def test_no_echoed_secret_is_in_an_error(place: str, spelling: str) -> None:
    """A server echoes each secret that it received, in each encoding, with each status."""
    start, before, known = PLACES[place]
    failures = 0
    for canary in known:
        spelt = SPELLINGS[spelling](canary)
        for body, status in product(bodies(spelt), (200, 400, 404, 429)):
            error = outcome(start(), before, answer(status, body))
            if error is not None:
                failures += 1
                text = everything(error)
                assert spelt not in text
                assert canary[:5] not in text

    assert failures > 5


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", ["error", "error_description"])
def test_no_secret_echoed_in_a_redirect_is_in_an_error(name: str, spelling: str) -> None:
    """The accounts server knows password and user token."""
    for canary in (PASSWORD, CLIENT, USER):
        for kind in ("access_denied", "other"):
            text = quote(SPELLINGS[spelling](canary), safe="")
            place = f"{REDIRECT}?error={kind}&{name}={text}&code=400"
            error = play(athom.consent(who, AT, user), PAGE, redirect(place)).error

            assert error is not None
            assert canary[:5] not in everything(error)


def test_no_secret_echoed_in_the_list_of_homeys_is_in_a_rejection() -> None:
    """The account's Homeys contain no secret, neither as a name nor as an id."""
    homeys = [
        {"_id": "5a01", "name": f"is {ACCESS} {PASSWORD}"},
        {"_id": ACCESS, "name": "x"},
        {"_id": f"x{REFRESH_ID}", "name": "x"},
    ]
    listed = answer(200, json.dumps({"homeys": homeys}))
    refused = (delegated, answer(401)) * 2
    hide = (Secret(PASSWORD), Secret(REFRESH_ID), Secret(""))
    error = play(athom.exchange(grant, SITE, hide), *refused, listed).error

    assert error is not None
    assert "Homeys are: 5a01 (is … …)." in error.remedy
    assert ACCESS[:5] not in everything(error)


def test_a_rejected_bearer_is_not_in_an_error() -> None:
    """Nor is it in the causes of a failure."""
    no = answer(401, json.dumps({"error": BEARER}))
    error = play(athom.exchange(grant, SITE), delegated, taken, no, no, no).error

    assert error is not None
    assert not [one for one in CANARIES if one in everything(error)]


def test_values_show_no_secret() -> None:
    """The value of a whole flow can be printed."""
    signed_in = play(
        sign_in(CREDENTIALS, AT),
        LOGGED_IN,
        PAGE,
        CODE_REDIRECT,
        answer(200, json.dumps({"access_token": ACCESS, "refresh_token": REFRESH})),
    )
    exchanged = play(athom.exchange(grant, SITE), DELEGATED, taken, answer(500))
    text = repr((signed_in, exchanged))

    assert not [one for one in CANARIES if one in text]
