"""Digests distinguish credentials without revealing them."""

import re
from dataclasses import replace

import pytest

from homey_tokend.core.account import Digests
from homey_tokend.core.secret import Credentials, Secret
from homey_tokend.credentials.digests import digests

CREDENTIALS = Credentials(
    email=Secret("me@example.com"),
    password=Secret("hunter2"),
    client_id="client",
    client_secret=Secret("s3cret"),
    redirect_url="http://localhost",
    cloudid="c10dd1",
    totp_secret=Secret("JBSWY3DP"),
)
ACCOUNTS = "https://accounts.example"


def named(who: Credentials = CREDENTIALS, *, url: str = ACCOUNTS, salt: str = "salt") -> Digests:
    return digests(who, url, salt)


@pytest.fixture(scope="module")
def usual() -> Digests:
    return named()


def test_equal_values_have_equal_digests(usual: Digests) -> None:
    again = replace(CREDENTIALS, password=Secret("hunter2"))

    assert usual == named(again)


@pytest.mark.parametrize(
    ("change", "changed"),
    [
        pytest.param({"email": Secret("you@example.com")}, "account password site", id="e-mail"),
        pytest.param({"email": Secret("Me@Example.com")}, "password site", id="capitals alone"),
        pytest.param({"password": Secret("hunter3")}, "password site", id="password"),
        pytest.param({"totp_secret": Secret("JBSWY3DQ")}, "password site", id="one-time secret"),
        pytest.param({"totp_secret": None}, "password site", id="no one-time secret"),
        pytest.param({"client_id": "other"}, "site", id="client id"),
        pytest.param({"client_secret": Secret("other")}, "site", id="client secret"),
        pytest.param({"redirect_url": "http://127.0.0.1"}, "site", id="redirect URL"),
        pytest.param({"cloudid": "c10dd2"}, "site", id="cloudid"),
    ],
)
def test_each_credential_changes_its_digests(
    usual: Digests, change: dict[str, object], changed: str
) -> None:
    other = named(replace(CREDENTIALS, **change))  # type: ignore[arg-type]  # one field of each type

    different = [name for name in Digests.__slots__ if getattr(usual, name) != getattr(other, name)]
    assert changed.split() == different


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"salt": "another salt"}, id="salt"),
        pytest.param({"url": "https://accounts.elsewhere"}, id="accounts endpoint"),
    ],
)
def test_all_digests_change_with_another(usual: Digests, other: dict[str, str]) -> None:
    found = named(**other)  # type: ignore[arg-type]  # one of the texts

    assert {usual.account, usual.password, usual.site}.isdisjoint(
        {found.account, found.password, found.site}
    )


def test_text_moved_from_one_value_to_the_next_changes_the_digests(usual: Digests) -> None:
    moved = replace(CREDENTIALS, client_id="client-", redirect_url="http://localhos")

    assert usual.site != named(moved).site
    assert named(replace(CREDENTIALS, client_id="a", client_secret=Secret("bc"))) != named(
        replace(CREDENTIALS, client_id="ab", client_secret=Secret("c"))
    )


def test_digests_are_hexadecimal_and_contain_no_credential(usual: Digests) -> None:
    for one in (usual.account, usual.password, usual.site):
        assert re.fullmatch("[0-9a-f]{32}", one)
    assert 3 == len({usual.account, usual.password, usual.site})
    for secret in ("hunter2", "me@example.com", "s3cret", "JBSWY3DP"):
        assert secret not in repr(usual)
