"""Which Homeys the consent page offers, asked before a person has named one."""

import pytest

from homey_tokend import athom
from homey_tokend.core.errors import ClientRejected, ProtocolChanged, SignInExpired, TokendError
from tests.athom.scenes import AT, CODE_REDIRECT, USER, WHO, answer, as_json, failure, play

OFFER = b'<form><input name=_csrf value=x><option value="resource.homey.b2">Hut</option></form>'


def test_the_page_is_fetched_and_nothing_consented() -> None:
    """One request; what the page offers is the result."""
    played = play(athom.offered_homeys(WHO, AT, USER), answer(200, OFFER))
    (request,) = played.requests

    assert ("b2",) == played.value
    assert ("authorise", "GET", "https://accounts.example/oauth2/authorise", True) == (
        request.step,
        request.method,
        request.url,
        request.follow,
    )


def test_a_page_without_an_offer() -> None:
    """None offered is not the same as nothing to be picked."""
    assert () == play(athom.offered_homeys(WHO, AT, USER), answer(200, b"<form></form>")).value


def test_nothing_to_be_picked() -> None:
    """A redirect with the code at once: there is no page."""
    assert play(athom.offered_homeys(WHO, AT, USER), CODE_REDIRECT).value is None


@pytest.mark.parametrize(
    ("status", "kind"), [(401, SignInExpired), (400, ClientRejected), (418, ProtocolChanged)]
)
def test_refusals(status: int, kind: type[TokendError]) -> None:
    """As in a consent."""
    refused = as_json(status, {"code": status, "error": "x"})

    assert isinstance(failure(athom.offered_homeys(WHO, AT, USER), refused), kind)
