"""Values: secrets that are never shown, and tokens."""

import copy
import json
import pickle
import pprint
import traceback
from collections.abc import Callable
from dataclasses import FrozenInstanceError, asdict, replace
from datetime import timedelta

import pytest

from homey_tokend.core.http_types import Request, Response, Step
from homey_tokend.core.secret import Credentials, Secret, SecretRef, SecretSource
from homey_tokend.core.tokens import Bearer, Delivery, Grant, Token, UserToken
from tests.athom.scenes import CREDENTIALS, NOON

CANARY = "canary-7f3a"
HIDDEN = Secret(CANARY)
TOKEN = Token(HIDDEN, 3, "https://h.example", NOON, NOON + timedelta(hours=24))

HOLDERS: dict[str, object] = {
    "itself": HIDDEN,
    "a list": [HIDDEN],
    "a dictionary": {HIDDEN: HIDDEN},
    "a reference": SecretRef(SecretSource.PLAIN, plain=HIDDEN),
    "credentials": Credentials(HIDDEN, HIDDEN, "id", HIDDEN, "http://x", "5a", HIDDEN),
    "a request": Request(
        Step.TOKEN,
        "GET",
        f"https://x/{CANARY}",
        query=(("q", CANARY),),
        form=(("f", CANARY),),
        json={"j": CANARY},
        headers={"Cookie": CANARY},
        bearer=HIDDEN,
    ),
    "an answer": Response(200, (("set-cookie", CANARY),), CANARY.encode(), NOON, NOON),
    "a user token": UserToken(HIDDEN, NOON),
    "a grant": Grant(HIDDEN, NOON, HIDDEN),
    "a bearer": Bearer(
        HIDDEN, "https://x", NOON, NOON, expiry_reported=True, verified=True, note="fine"
    ),
    "a token": TOKEN,
    "a delivery": Delivery("home", TOKEN),
}
PRINTERS: dict[str, Callable[[object], str]] = {
    "repr": repr,
    "str": str,
    "format": format,
    "an f-string": lambda value: f"{value} {value!r} {value!s} {value!a}",
    "percent": lambda value: "%s %r" % (value, value),  # noqa: UP031  that is what is shown
    "str.format": "{0} {0!r}".format,
    "pprint": pprint.pformat,
    "an exception": lambda value: "".join(traceback.format_exception(ValueError(value))),
    "JSON by str": lambda value: json.dumps(str(value), default=str),
}


@pytest.mark.parametrize("printer", PRINTERS)
@pytest.mark.parametrize("holder", HOLDERS)
def test_a_secret_is_never_printed(holder: str, printer: str) -> None:
    """No way of printing shows a secret, in any container."""
    assert CANARY not in PRINTERS[printer](HOLDERS[holder])


@pytest.mark.parametrize(
    "carry",
    [pickle.dumps, copy.copy, copy.deepcopy, lambda one: asdict(UserToken(one, NOON)), json.dumps],
    ids=["pickle", "copy", "deepcopy", "asdict", "json"],
)
def test_a_secret_cannot_be_copied_or_pickled(carry: Callable[[Secret], object]) -> None:
    """A secret cannot be copied or pickled."""
    with pytest.raises(TypeError) as raised:
        carry(HIDDEN)

    assert CANARY not in "".join(traceback.format_exception(raised.value)).split("TypeError")[-1]


def test_a_format_with_a_width_shows_nothing_either() -> None:
    """It cannot be changed, as with any frozen object."""
    with pytest.raises(TypeError):
        f"{HIDDEN:>40}"


def test_a_secret_is_revealed_only_by_reveal() -> None:
    """One method reveals it, which can be searched for; it has no other attributes."""
    assert CANARY == HIDDEN.reveal()
    assert not hasattr(HIDDEN, "__dict__")


def test_secrets_are_equal_by_their_text() -> None:
    """Secrets are equal by value, also as keys, but never equal to the bare text."""
    assert Secret("a") == Secret("a")
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert 1 == len({Secret("a"), Secret("a")})
    assert Secret("ü\ud800") == Secret("ü\ud800")


def test_an_empty_secret_is_false() -> None:
    """An empty secret is false, as an empty text."""
    assert not Secret("")
    assert Secret("0")


def test_fingerprints_of_tokens_differ() -> None:
    """A fingerprint is eight hex digits of SHA-256, of any text."""
    assert "ba7816bf" == Secret("abc").fingerprint()
    assert 8 == len(Secret("\udcff").fingerprint())
    assert HIDDEN.fingerprint() == TOKEN.value.fingerprint()


def test_values_are_frozen() -> None:
    """A token is immutable."""
    with pytest.raises(FrozenInstanceError):
        TOKEN.generation = 4  # type: ignore[misc]  # that is what is shown
    with pytest.raises(FrozenInstanceError):
        CREDENTIALS.client_id = "x"  # type: ignore[misc]  # that is what is shown

    assert 4 == replace(TOKEN, generation=4).generation


def test_a_token_is_valid_until_its_expiry() -> None:
    """A token is valid from issue to expiry, excluding the expiry."""
    end = NOON + timedelta(hours=24)
    moment = timedelta(microseconds=1)

    assert timedelta(hours=24) == TOKEN.life
    assert timedelta(hours=23) == TOKEN.left(NOON + timedelta(hours=1))
    assert timedelta(hours=-1) == TOKEN.left(end + timedelta(hours=1))
    assert TOKEN.valid(end - moment)
    assert not TOKEN.valid(end)
