"""GET /user/me: the account's Homeys, as far as they can be believed."""

import pytest

from homey_tokend.athom.answers import parse_homeys
from homey_tokend.core.errors import InvalidResponse, ProtocolChanged, SignInExpired, TokendError
from homey_tokend.core.http_types import Response
from homey_tokend.core.secret import Secret
from tests.athom.scenes import answer, as_json


def test_homeys_are_known_by_their_id() -> None:
    """``_id`` before ``id``; names cleaned, what is no text left out."""
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
    } == parse_homeys(as_json(200, body), [Secret("hunter2")])


def test_a_thousand_homeys_are_enough() -> None:
    """Nobody has more; a list without end is not walked."""
    body = {"homeys": [{"_id": str(number)} for number in range(1500)]}

    assert 1000 == len(parse_homeys(as_json(200, body), ()))


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
def test_without_a_list_there_is_a_failure(reply: Response, expected: type[TokendError]) -> None:
    """With the step's name and the status."""
    with pytest.raises(expected) as raised:
        parse_homeys(reply, ())

    assert ("user", reply.status) == (raised.value.step, raised.value.status)
