"""Accidents of editors, shells and web pages in credentials."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from homey_tokend.core.value_text import defect, doubt, trim

KEYS = ("email", "password", "client_id", "client_secret", "totp_secret", "")


@pytest.mark.parametrize(
    "written",
    ["a b", "\ufeffa b", "a b\n", "a b\r\n", "a b\n\n", "a b\r", "a b\r\n\r\n", "\ufeffa b\r\n\n"],
)
def test_what_an_editor_adds_is_dropped(written: str) -> None:
    """A byte-order mark at the start and line ends at the end are dropped."""
    assert "a b" == trim(written)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a\nb", "has a line break as its character number 2"),
        ("\nb", "has a line break as its character number 1"),
        ("a\rb", "has a carriage return as its character number 2"),
        ("a\tb", "has a tab as its character number 2"),
        ("ab\x1b", "has U+001B as its last character"),
        ("ab\x85", "has U+0085 as its last character"),
        ("a\u2028b", "has U+2028 (line separator) as its character number 2"),
        ("a\ufeffb", "has U+FEFF (zero width no-break space) as its character number 2"),
        ("a\ufffd", "has U+FFFD (replacement character) as its last character"),
        ("a\udce9b", "is not UTF-8"),
    ],
)
def test_characters_that_are_always_an_error(text: str, words: str) -> None:
    """Characters that no web form can send are an error in every value, passwords included."""
    for key in ("email", "password", "client_id", "client_secret", ""):
        found = defect(text, key)
        assert found is not None
        assert words == found[0]
        assert found[1].endswith(".")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (" ab", "has a blank as its character number 1"),
        ("ab ", "has a blank as its last character"),
        ("\u00a0ab", "has U+00A0 (no-break space) as its character number 1"),
        ("a\u00a0b", "has U+00A0 (no-break space) as its character number 2"),
        ("a\u200bb", "has U+200B (zero width space) as its character number 2"),
        ("a\u202eb", "has U+202E (right-to-left override) as its character number 2"),
        ("a\u00adb", "has U+00AD (soft hyphen) as its character number 2"),
        ('"ab"', "is in quotes"),
        ("'ab'", "is in quotes"),
        ("\u201cab\u201d", "is in quotes"),
        ("\u201eab\u201c", "is in quotes"),
        ("\u00abab\u00bb", "is in quotes"),
        ('""', "is in quotes"),
    ],
)
def test_a_password_may_contain_it(text: str, words: str) -> None:
    """Unusual characters are a warning in a password, and an error in other values."""
    warning = doubt(text)
    other = defect(text, "email")

    assert None is defect(text, "password")
    assert warning is not None
    assert words in warning[0]
    assert "sent with it" in warning[0]
    assert other is not None
    assert words == other[0]


@pytest.mark.parametrize(
    "text",
    ["you@example.com", "a b", "pässwörd", '"', 'a"b"', '"a', "\U0001f511\U0001faef", "'a\""],
)
def test_good_text_causes_no_warning(text: str) -> None:
    """Letters of any script, inner blanks, new emoji and single quotes cause no warning."""
    assert [None] * (len(KEYS) + 1) == [defect(text, key) for key in KEYS] + [doubt(text)]


def test_white_space_in_a_one_time_secret() -> None:
    """Blanks between the groups of a one-time secret are dropped."""
    assert None is defect(" JBSW Y3DP\nEHPK\u00a03PXP ", "totp_secret")
    assert defect("JBSW\u200bY3DP", "totp_secret") is not None


@given(st.text(max_size=20), st.sampled_from(KEYS))
def test_any_text(text: str, key: str) -> None:
    """Trimming twice changes nothing more, and no message repeats the text."""
    assert not trim(text).endswith(("\n", "\r"))
    for words in (defect("\0hunter2" + text, key), doubt("\u200bhunter2" + text)):
        assert words is not None
        assert "hunter2" not in words[0] + words[1]
