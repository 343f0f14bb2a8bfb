"""Every secret is removed, in any spelling, and harmless text stays as it is."""

import base64
import html
import json
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from homey_tokend.core.redact import MASK, Redactor, last_words
from homey_tokend.core.secret import Secret

PASSWORD = "hünter 2&\"<'>\\\n+%/"
BEARER = "0a1b2c3d-0000-4000-8000-0123456789ab:11112222-3333-4444-8555-666677778888:" + "ab12" * 10
CODE = "0123456789abcdef0123456789abcdef01234567"
JWT = "eyJhbGciOiJSUzUxMiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJlLV8"


def redactor(*secrets: str) -> Redactor:
    made = Redactor()
    for secret in secrets:
        made.add(Secret(secret))
    return made


@pytest.mark.parametrize(
    "spell",
    [
        str,
        lambda text: quote(text, safe=""),
        quote,
        quote_plus,
        lambda text: quote(text, safe="").lower(),
        lambda text: urlencode({"x": text})[2:],
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: repr(text)[1:-1],
        html.escape,
        lambda text: json.dumps(json.dumps(text))[1:-1],
        lambda text: json.dumps(repr(text))[1:-1],
    ],
    ids=range(12),
)
def test_a_known_secret_is_masked_in_each_encoding(spell: object) -> None:
    """Secrets are removed as they are, and as in URLs, forms, JSON, Python, HTML and JSON in JSON."""
    assert callable(spell)
    spelled = spell(PASSWORD)
    line = redactor(PASSWORD).line(f"before {spelled} after")

    assert spelled not in line
    assert MASK in line
    assert line.startswith("before ")
    assert line.endswith(" after")


@settings(max_examples=50)
@given(st.text(min_size=8, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_a_long_secret_is_masked_in_any_context(secret: str, before: str, after: str) -> None:
    """Any password of eight characters is removed, in any context."""
    shown = redactor(secret).line(before + secret + after)

    assert secret not in shown.replace(MASK, "\0")


def test_a_short_secret_is_masked_as_a_whole_word() -> None:
    """A password of three to seven characters is removed as a whole field, not within words."""
    short = redactor("home", "a.b", "ab")

    assert short.value("said home, not homes; home!") == f"said {MASK}, not homes; {MASK}!"
    assert short.value("x=a.b, a_b") == f"x={MASK}, a_b"
    assert short.value("ab cd") == "ab cd"
    assert short.line("home.opened") == "home.opened"


def test_the_oldest_secrets_are_forgotten() -> None:
    """The number of known secrets is bounded; one that is added again stays."""
    bounded = Redactor(most=2)
    for secret in ("secret-one", "secret-two", "secret-one", "secret-three", "abc", "abd", "abe"):
        bounded.add(Secret(secret))

    assert bounded.value("secret-one secret-two secret-three") == f"{MASK} secret-two {MASK}"
    assert bounded.value("abc abd abe") == f"abc {MASK} {MASK}"


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        (f"Authorization: Bearer {BEARER}", BEARER),
        ("authorization: bearer abc123def456", "abc123def456"),
        (f"Basic {base64.b64encode(b'id:secret1').decode()}", "aWQ6c2VjcmV0MQ"),
        (f"the bearer is {BEARER}.", BEARER),
        (f"the bearer is {BEARER[:90]}", BEARER[:90]),
        (quote(BEARER, safe=""), quote(BEARER, safe="")),
        (f"http://localhost/?code={CODE}&state=1", CODE),
        (f"code {CODE}, that is", CODE),
        ("code=short1", "short1"),
        (f"/authorise?user_token={JWT}&x=1", JWT),
        (f"token {JWT}", JWT),
        (JWT[:40], JWT[:40]),
        ("access_token=abc", "abc"),
        ("refresh_token%3Dabc%26", "abc"),
        ("client_id=1&client_secret=abc&x=2", "abc"),
        ("email=you%40example.com&password=abc&otptoken=123456", "abc"),
        ("email=you%40example.com&password=abc&otptoken=123456", "123456"),
        ("email=you%40example.com&password=abc&otptoken=123456", "you%40example.com"),
        ("_csrf=abc-_def", "abc-_def"),
        ('{"access_token":"abc","expires_in":3660}', "abc"),
        ('{"refresh_token": "abc def"}', "abc def"),
        ("{'client_secret': 'abc def'}", "abc def"),
        (json.dumps(json.dumps({"password": "abc def"})), "abc def"),
        ('password="abc def" next=1', "abc def"),
        ("http://user:pa55@proxy:3128/", "user:pa55"),
        ("https://token@host/", "token@"),
    ],
)
def test_unknown_secrets_are_masked_by_form_and_name(text: str, hidden: str) -> None:
    """An unknown secret is removed by its form, and the rest stays readable."""
    line = Redactor().line(text)

    assert hidden not in line
    assert MASK in line


@pytest.mark.parametrize(
    "text",
    [
        "the Homey does not take the bearer (any more)",
        "bearer token refused",
        "the password is not correct",
        "password: must not be empty",
        '{"event": "token.renewed", "generation": 3, "fingerprint": "0a1b2c3d"}',
        "token.renewed homey=home generation=3 fingerprint=0a1b2c3d",
        "http://localhost:8080/path?x=1",
        "exit_status=1 step=token",
        "5a8d4ca6eb9f7a2c9d6ccf6d",
        "0a1b2c3d-0000-4000-8000-0123456789ab",
        '{"password": "<secret>", "token": "<secret>"}',
        "password=<secret>",
        '{"code": 400, "error": "invalid_grant"}',
    ],
)
def test_harmless_text_stays_as_it_is(text: str) -> None:
    """Prose, names, fingerprints, ids and what is masked already stay as they are."""
    assert text == Redactor().line(text)


def test_json_stays_json() -> None:
    """A redacted JSON line can still be parsed."""
    fields = {
        "message": f'{{"access_token": "{JWT}"}} and password="a b" and Bearer {BEARER}',
        "url": f"http://u:p@h/?code={CODE}&user_token=a'b",
        "quoted": PASSWORD,
    }
    line = redactor(PASSWORD).line(json.dumps(fields))

    assert set(fields) == set(json.loads(line))
    for hidden in (JWT, BEARER, CODE, "u:p@"):
        assert hidden not in line


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("nothing here", "nothing here"),
        ("a secret-token b", "a … b"),
        ("secret-tokensecret-token", "…"),
        ("secret-t", "…"),
        ("secret-", "secret-"),
        ("secret%2Dtoken", "secret%2Dtoken"),
    ],
)
def test_each_part_of_the_token_becomes_one_ellipsis(text: str, expected: str) -> None:
    """Eight consecutive characters are a part of a token."""
    assert last_words(text, Secret("secret-token"), 500) == expected


def test_short_and_percent_encoded_tokens_are_hidden() -> None:
    """Percent-encoding hides nothing."""
    assert last_words("1 ab 2 a", Secret("ab"), 500) == "1 … 2 a"
    assert last_words("x=a%2Fb%3Ac%2Bd%2Fe", Secret("a/b:c+d/e"), 500) == "x=…"


def test_other_secrets_in_the_output_are_masked_too() -> None:
    """Of a command's output only the end is kept, on one line."""
    text = "x" * 600 + f"\npassword=abc {CODE}\x1b[0m end"

    assert last_words(text, None, 80).endswith(f"x password={MASK} {MASK} [0m end")
    assert len(last_words("y" * 600, None, 500)) == 500
