"""Text of servers made safe to show."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret

SECRET = 'pa&ss=wö "rd"%21'


@pytest.mark.parametrize(
    "text",
    [
        SECRET,
        f"before{SECRET}after",
        "pa%26ss%3Dw%C3%B6%20%22rd%22%2521",
        "pa%26ss%3dw%c3%b6+%22rd%22%2521",
        "pa%2526ss%253Dw%25C3%25B6%2520%2522rd%2522%252521",
        "pa&amp;ss=w&ouml; &quot;rd&quot;%21",
        'pa\\u0026ss=w\\u00f6 \\"rd\\"%21',
        "pa\\u0026amp;ss=w\\u00F6 \\u0022rd\\u0022%21",
        "x " * 1993 + SECRET,
        "A" * 3990 + " " + SECRET,
    ],
    ids=[
        "as it is",
        "within words",
        "percent-encoded",
        "form-encoded",
        "percent-encoded twice",
        "HTML",
        "JSON",
        "HTML in JSON",
        "where reading ends",
        "behind what is left out",
    ],
)
def test_no_encoding_of_a_known_secret_is_shown(text: str) -> None:
    """An encoded secret, or half of one, is removed."""
    shown = excerpt(text, [Secret("other"), Secret(SECRET), Secret("")])

    assert "pa" not in shown
    assert "rd" not in shown


def test_what_looks_like_a_token_is_not_shown() -> None:
    """Twenty characters without a blank may be a secret, known or not."""
    assert "the … is bad" == excerpt(f"the {'f0' * 20} is bad")
    assert "the 5a00000000 is bad" == excerpt("the 5a00000000 is bad")


def test_the_longer_of_two_secrets_is_removed_first() -> None:
    """The longer secret is removed first, or its tail would be left."""
    assert "…!" == excerpt("abcdef!", [Secret("abc"), Secret("abcdef")])


@settings(deadline=None)
@given(st.text(), st.lists(st.text(min_size=1), max_size=3))
def test_cleaned_text_is_bounded_printable_and_free_of_secrets(
    text: str, secrets: list[str]
) -> None:
    """Any text is safe with any secrets."""
    shown = excerpt(text, map(Secret, secrets))

    assert len(shown) <= 200
    assert shown.isprintable()
    assert not [one for one in secrets if one in shown and "…" not in one and one.strip()]


def test_a_value_with_the_name_of_a_secret_is_not_shown() -> None:
    """It is masked even if it is short and not known as a secret."""
    assert excerpt("no code=a1b2 for password=xyz") == "no code=<secret> for password=<secret>"
