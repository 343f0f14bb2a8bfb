"""POST /login: the request, and the interpretation of the response."""

from datetime import timedelta

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import AccountRejected, ProtocolChanged, SecretUnavailable
from homey_tokend.core.http_types import Repeat, Response
from homey_tokend.core.secret import Secret
from tests.athom.scenes import (
    AT,
    CREDENTIALS,
    LOGGED_IN,
    NOON,
    TOOK,
    answer,
    as_json,
    failure,
    play,
    shown,
)


def test_the_password_is_sent_once_as_a_form() -> None:
    """The transport encodes the form; an empty one-time code is sent (A1)."""
    played = play(athom.log_in(CREDENTIALS, AT), LOGGED_IN)
    (sent,) = played.requests

    assert ("login", "POST", "https://accounts.example/login") == (
        sent.step,
        sent.method,
        sent.url,
    )
    assert (
        ("email", "ann.o+nymous@example.org"),
        ("password", "pa&ss=wö rd%21"),
        ("otptoken", ""),
    ) == sent.form
    assert ((), None, {}, None) == (sent.query, sent.json, dict(sent.headers), sent.bearer)
    assert (Repeat.UNSENT, False, timedelta(0)) == (sent.repeat, sent.follow, sent.after)


def test_a_one_time_code_is_sent() -> None:
    """The code is an argument: the flow reads no clock."""
    played = play(athom.log_in(CREDENTIALS, AT, one_time_code="123456"), LOGGED_IN)

    assert ("otptoken", "123456") in (played.requests[0].form or ())


def test_the_user_token_has_the_time_of_its_response() -> None:
    """The user token is as old as the response."""
    user = play(athom.log_in(CREDENTIALS, AT), LOGGED_IN).value

    assert ("header.user.token", NOON + TOOK) == (user.value.reveal(), user.issued_at)


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (as_json(401, {"error": "The provided password is not correct"}), "the password"),
        (
            as_json(404, {"error": "No resource exists on this endpoint"}),
            "does not know the e-mail",
        ),
        (as_json(401, {"code": 401}), "one-time code"),
        (as_json(400, {"error_description": {"otptoken": "Invalid value"}}), "one-time code"),
        (as_json(400, {"error": "Two-factor authentication is on"}), "one-time code"),
        (as_json(400, {"error": "network of footprints"}), "rejects the sign-in"),
        (as_json(403, {"error": "blocked"}), "rejects the sign-in (“blocked”)"),
        (as_json(401, "The provided password is not correct"), "rejects the password"),
        (as_json(401, ["otp required"]), "one-time code"),
        (
            as_json(
                401,
                {
                    "error": "invalid_otp",
                    "error_description": "The provided one-time password is not correct",
                },
            ),
            "one-time code",
        ),
    ],
    ids=[
        "password",
        "e-mail",
        "code 401",
        "otp field",
        "two factors",
        "none of them",
        "unknown",
        "a bare string",
        "a list",
        "a one-time password",
    ],
)
def test_a_rejection_has_a_message_of_its_own(reply: Response, words: str) -> None:
    """The text determines the message, never the class."""
    error = failure(athom.log_in(CREDENTIALS, AT), reply)

    assert AccountRejected is type(error)
    assert words in error.message
    assert error.remedy


@pytest.mark.parametrize(
    ("body", "words", "remedy"),
    [
        ("The provided password is not correct", "Athom rejects the password", "Correct the pass"),
        ("No resource exists on this endpoint", "does not know the e-mail", "Correct the e-mail"),
        ("otp required", "requires a one-time code", "Set totp_secret"),
        ("gone", "unknown response (status 404)", "Athom may have changed"),
        (
            "<p>The password is not correct",
            "unknown response (status 404)",
            "Athom may have changed",
        ),
        ("[" * 100_000, "unknown response (status 404)", "Athom may have changed"),
    ],
    ids=["password", "e-mail", "one-time code", "other words", "a page", "deep JSON"],
)
def test_known_text_in_an_unknown_form_is_reported(body: str, words: str, remedy: str) -> None:
    """The form determines the class, a changed protocol; the text determines the message."""
    error = failure(athom.log_in(CREDENTIALS, AT), answer(404, body))

    assert ProtocolChanged is type(error)
    assert words in error.message
    assert error.remedy.startswith(remedy)
    assert error.remedy.endswith("look for a newer version of homey-tokend.")


@pytest.mark.parametrize(
    "token",
    ["", "with blank", "new\nline", "ümlaut", "x" * 16385, None, 5, ["x"], True],
    ids=["empty", "blank", "newline", "not ASCII", "too long", "null", "number", "list", "bool"],
)
def test_an_invalid_token_is_a_changed_protocol(token: object) -> None:
    """A token has 1 to 16,384 printable ASCII characters without blanks."""
    error = failure(athom.log_in(CREDENTIALS, AT), as_json(200, {"token": token}))

    assert ProtocolChanged is type(error)
    assert ("login", 200) == (error.step, error.status)


def test_the_longest_token_is_accepted() -> None:
    """The longest valid token is accepted."""
    user = play(athom.log_in(CREDENTIALS, AT), as_json(200, {"token": "x" * 16384})).value

    assert 16384 == len(user.value.reveal())


def test_a_response_that_is_not_an_object_has_no_token() -> None:
    """A bare string, as at other steps, is not accepted here."""
    assert ProtocolChanged is type(failure(athom.log_in(CREDENTIALS, AT), answer(200, '"abc"')))


def test_a_one_time_code_is_derived_from_the_secret() -> None:
    """RFC 4226, appendix D, counter 1; an invalid secret is reported, but not shown."""
    assert Secret("287082") == athom.one_time_code(Secret("GEZDGNBVGY3TQOJQ" * 2), 1)
    with pytest.raises(SecretUnavailable, match=r"totp_secret: .*not base32") as raised:
        athom.one_time_code(Secret("CANARY01"), 1)

    assert "CANARY" not in shown(raised.value)
