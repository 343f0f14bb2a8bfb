"""The exchange: delegation, Homey login and the verification of the bearer."""

from datetime import timedelta

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import BearerDiscarded, ProtocolChanged, TokendError, Unreachable
from homey_tokend.core.http_types import Repeat, Response
from homey_tokend.core.secret import Secret
from tests.athom.scenes import (
    BEARER,
    DELEGATED,
    GRANT,
    HOMEY_ACCEPTS,
    HUB,
    NOON,
    SESSION,
    SITE,
    answer,
    as_json,
    failure,
    play,
)

LOST = Unreachable("no route", sent=False)
DAY = timedelta(hours=24)


def test_the_exchange_sends_three_requests_without_a_password() -> None:
    """Delegation with the access token, login without any, session with the bearer."""
    played = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, SESSION)
    delegation, login, session = played.requests

    assert ("delegation", "POST", "https://api.example/delegation/token") == (
        delegation.step,
        delegation.method,
        delegation.url,
    )
    assert ((("audience", "homey"),), {}, None) == (
        delegation.query,
        delegation.json,
        delegation.form,
    )
    assert delegation.bearer == GRANT.access_token
    assert ("homey_login", "POST", f"{HUB}/api/manager/users/login") == (
        login.step,
        login.method,
        login.url,
    )
    assert ({"token": "header.delegation.token"}, (), None, None) == (
        login.json,
        login.query,
        login.form,
        login.bearer,
    )
    assert ("session", "GET", f"{HUB}/api/manager/sessions/session/me") == (
        session.step,
        session.method,
        session.url,
    )
    assert (Secret(BEARER), None, None) == (session.bearer, session.json, session.form)
    for sent in played.requests:
        assert (Repeat.SAFE, False, {}) == (sent.repeat, sent.follow, dict(sent.headers))


def test_the_lifetime_of_a_bearer_starts_before_its_login() -> None:
    """It was issued between sending and receiving; the earlier time counts."""
    bearer = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, SESSION).value

    assert (BEARER, HUB, NOON) == (bearer.value.reveal(), bearer.url, bearer.issued_at)
    assert (NOON + DAY, False, True) == (bearer.expires_at, bearer.expiry_reported, bearer.verified)
    assert (None, "") == (bearer.discovered_url, bearer.note)


@pytest.mark.parametrize(
    "value",
    ["", "a b", "a\nb", "ü", "x" * 4097, None, 5, ["x"], {"token": "x"}, True],
    ids=[
        "empty",
        "blank",
        "newline",
        "not ASCII",
        "4097 long",
        "null",
        "number",
        "list",
        "object",
        "bool",
    ],
)
def test_an_invalid_bearer_is_a_changed_protocol(value: object) -> None:
    """This includes the delegation token, whose limit is larger."""
    error = failure(athom.exchange(GRANT, SITE), DELEGATED, as_json(200, value))

    assert (ProtocolChanged, "homey_login") == (type(error), error.step)
    if value != "x" * 4097:
        error = failure(athom.exchange(GRANT, SITE), as_json(200, value))

        assert (ProtocolChanged, "delegation") == (type(error), error.step)


def test_a_bearer_of_4096_characters_is_accepted() -> None:
    """The limit itself is accepted."""
    long = as_json(200, "x" * 4096)

    assert 4096 == len(
        play(athom.exchange(GRANT, SITE), DELEGATED, long, SESSION).value.value.reveal()
    )


def test_after_a_401_the_verification_is_repeated_after_one_and_three_seconds() -> None:
    """A new session may take a moment; then the bearer is discarded."""
    no = answer(401)
    flow = athom.exchange(GRANT, SITE)
    played = play(flow, DELEGATED, HOMEY_ACCEPTS, no, no, no)

    assert BearerDiscarded is type(played.error)
    assert [0, 1, 3] == [sent.after.total_seconds() for sent in played.requests[2:]]


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_later_success_counts(refusals: int) -> None:
    """Any of the three requests can succeed."""
    responses = [answer(401)] * refusals
    bearer = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, *responses, SESSION).value

    assert bearer.verified


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (LOST, "unreachable"),
        (answer(502), "server_error"),
        (answer(200, "<html>"), "invalid_response"),
        (answer(200, "[]"), "protocol_changed"),
        (answer(403, "{}"), "protocol_changed"),
        (answer(200, '"mesh_node_offline"'), "homey_offline"),
    ],
)
def test_a_failed_verification_does_not_delay_the_bearer(
    reply: Response | TokendError, kind: str
) -> None:
    """The bearer is returned as not verified, with an assumed lifetime."""
    bearer = play(athom.exchange(GRANT, SITE), DELEGATED, HOMEY_ACCEPTS, reply).value

    assert (False, False, NOON + DAY) == (
        bearer.verified,
        bearer.expiry_reported,
        bearer.expires_at,
    )
    assert f"not verified: {kind}" == bearer.note
