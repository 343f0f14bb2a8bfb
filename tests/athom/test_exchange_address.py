"""The address of the Homey in the exchange, and the message for a rejected one."""

from dataclasses import replace

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import (
    HomeyOffline,
    HomeyRejected,
    SignInExpired,
    TokendError,
    Unreachable,
)
from homey_tokend.core.http_types import Response
from tests.athom.scenes import (
    ACCESS,
    CLOUDID,
    DELEGATED,
    GRANT,
    HOMEY_ACCEPTS,
    SESSION,
    SITE,
    answer,
    as_json,
    failure,
    play,
)

AUTO = replace(SITE, explicit_url=None)
DEFAULT = f"https://{CLOUDID}.connect.example"
LOST = Unreachable("no route", sent=False)


def lists(**homey: object) -> Response:
    return as_json(200, {"homeys": [{"_id": CLOUDID, "name": "Home", **homey}]})


def test_an_unknown_cloudid_is_reported_as_such() -> None:
    """For an unknown cloudid the cloud answers as for a Homey that is off; the account lists it."""
    offline = as_json(404, {"error": "mesh_node_offline"})
    others = as_json(200, {"homeys": [{"_id": "a1", "name": "Hut"}]})
    error = failure(athom.exchange(GRANT, AUTO), others, DELEGATED, offline)

    assert isinstance(error, HomeyOffline)
    assert "the account does not list this cloudid" in error.message
    assert "The account's Homeys are: a1 (Hut). Correct cloudid." in error.remedy
    assert "switched on" in error.remedy


def test_an_offline_homey_is_reported_as_such() -> None:
    """The account lists the Homey, so it is offline."""
    offline = as_json(404, {"error": "mesh_node_offline"})
    error = failure(athom.exchange(GRANT, AUTO), lists(), DELEGATED, offline)

    assert isinstance(error, HomeyOffline)
    assert "cloudid" not in error.message + error.remedy


def test_an_automatic_address_is_requested_and_returned() -> None:
    """``/user/me`` is requested with the access token; its ``remoteUrl`` loses the last slash."""
    played = play(
        athom.exchange(GRANT, AUTO),
        lists(remoteUrl="https://hub-7.example/"),
        DELEGATED,
        HOMEY_ACCEPTS,
        SESSION,
    )
    user = played.requests[0]

    assert ("user", "GET", "https://api.example/user/me", GRANT.access_token) == (
        user.step,
        user.method,
        user.url,
        user.bearer,
    )
    assert "https://hub-7.example/api/manager/users/login" == played.requests[2].url
    assert ("https://hub-7.example", "https://hub-7.example", "") == (
        played.value.url,
        played.value.discovered_url,
        played.value.note,
    )


@pytest.mark.parametrize("remembered", [None, "https://old.example"])
@pytest.mark.parametrize(
    ("reply", "note"),
    [
        (as_json(200, {"homeys": []}), "the account does not list this cloudid"),
        (lists(), "the account names no usable address"),
        (lists(remoteUrl=None), "the account names no usable address"),
        (lists(remoteUrl=5), "the account names no usable address"),
        (lists(remoteUrl="http://hub.example"), "the account names no usable address"),
        (lists(remoteUrl="https://a:b@hub.example"), "the account names no usable address"),
        (lists(remoteUrl="ftp://hub.example"), "the account names no usable address"),
        (answer(403, "{}"), "the address could not be requested: protocol_changed"),
        (answer(500), "the address could not be requested: server_error"),
        (answer(429), "the address could not be requested: throttled"),
        (answer(200, "<html>"), "the address could not be requested: invalid_response"),
        (as_json(200, {"homeys": {}}), "the address could not be requested: protocol_changed"),
        (LOST, "the address could not be requested: unreachable"),
    ],
)
def test_without_a_usable_address_the_known_one_is_used(
    reply: Response | TokendError, note: str, remembered: str | None
) -> None:
    """The remembered address is used, else the endpoint; the note says why."""
    site = replace(AUTO, remembered_url=remembered)
    played = play(athom.exchange(GRANT, site), reply, DELEGATED, HOMEY_ACCEPTS, SESSION)

    assert (remembered or DEFAULT, None, note) == (
        played.value.url,
        played.value.discovered_url,
        played.value.note,
    )


def test_a_stale_access_token_ends_the_search() -> None:
    """A 401 for ``/user/me`` ends the attempt, since the delegation would be rejected as well."""
    assert SignInExpired is type(failure(athom.exchange(GRANT, AUTO), answer(401)))


OTHERS = as_json(
    200,
    {
        "homeys": [
            {"_id": "5a00000000000000000000aa", "name": "Beach\x1b[31m house"},
            {"id": "5a00000000000000000000bb", "name": 7},
            {"_id": ACCESS, "name": "a token instead of an id"},
            {"_id": "x\ny", "name": "no id"},
            {"_id": 5},
            "nothing",
        ]
    },
)


def test_after_two_rejections_the_other_homeys_are_listed() -> None:
    """After two delegations and logins the account's Homeys are listed, as far as they can be shown."""
    flow = athom.exchange(GRANT, SITE)
    played = play(flow, DELEGATED, answer(401), DELEGATED, answer(403), OTHERS)

    assert ["delegation", "homey_login", "delegation", "homey_login", "user"] == played.steps
    assert played.error is not None
    assert (HomeyRejected, "homey_login") == (type(played.error), played.error.step)
    assert (
        "The account's Homeys are: 5a00000000000000000000aa (Beach [31m house),"
        " 5a00000000000000000000bb (). Correct cloudid."
    ) == played.error.remedy


@pytest.mark.parametrize("reply", [LOST, answer(401), answer(200, "<html>"), answer(500)])
def test_a_rejection_does_not_need_the_list_of_homeys(reply: Response | TokendError) -> None:
    """If the account cannot be read, it is still a rejection."""
    refused = (DELEGATED, answer(401)) * 2
    error = failure(athom.exchange(GRANT, SITE), *refused, reply)

    assert HomeyRejected is type(error)
    assert error.remedy.startswith("Check cloudid")


def test_a_rejection_has_the_note_on_the_address() -> None:
    """With ``url: auto`` the message has the note on the address."""
    nothing = as_json(200, {"homeys": []})
    refused = (DELEGATED, answer(401)) * 2
    error = failure(athom.exchange(GRANT, AUTO), nothing, *refused, nothing)

    assert "does not list this cloudid" in error.message
