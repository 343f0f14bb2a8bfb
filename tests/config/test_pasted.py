"""Text pasted from web pages and chats: the cause is reported, not what follows from it."""

from pathlib import Path

import pytest

from tests.config.texts import CANARY, HOMEY, below_home, faults, read, reported

NBSP = "\u00a0"
BLANKS = " is where only plain blanks may be"
NO_BREAK = f"U+00A0 (no-break space){BLANKS}"


def with_password(written: str) -> str:
    return HOMEY.replace(f"password: {CANARY}", f"password: {written}")


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (HOMEY.replace("    ", NBSP * 4).replace("  home", f"{NBSP} home"), (2, 1), NO_BREAK),
        (HOMEY.replace("    email", f"{NBSP}   email"), (3, 1), NO_BREAK),
        (HOMEY.replace("    email", f"   {NBSP}email"), (3, 4), NO_BREAK),
        (HOMEY.replace("password: ", f"password:{NBSP}"), (4, 14), NO_BREAK),
        (f"x-a:{NBSP}&a {{}}\n" + HOMEY, (1, 5), NO_BREAK),
        (HOMEY.replace("  home:", f"  home:{NBSP}"), (2, 8), NO_BREAK),
        (HOMEY.replace("\n", "\r\n").replace("    ", NBSP * 4), (3, 1), NO_BREAK),
        ("\u200b" + HOMEY, (1, 1), f"U+200B (zero width space){BLANKS}"),
        (
            HOMEY.replace("client_id: ", "client_id:\u200b"),
            (5, 15),
            f"U+200B (zero width space){BLANKS}",
        ),
        (HOMEY.replace("  home", "\u3000home"), (2, 1), f"U+3000 (ideographic space){BLANKS}"),
    ],
)
def test_odd_blanks(text: str, place: tuple[int, int], message: str) -> None:
    """An odd blank is the only fault reported, however many follow from it."""
    if message.startswith("U+3000"):
        text = text.replace("    ", "  ")

    assert [(*place, "", message)] == reported(text)


def test_other_faults() -> None:
    """Faults that remain without the cause are reported with it."""
    text = HOMEY.replace("    ", NBSP * 4).replace("cloudid: cloudid", "cloudid: '-'")
    [cause, other] = faults(text)

    assert "Remove it, or write blanks; 5 lines have such." == cause.remedy
    assert ("homeys.home.cloudid", '"-" is not a cloud id') == (other.key, other.message)


def test_no_cause() -> None:
    """An odd blank in a comment, a fence in a text and quotes in a comment hide no fault."""
    text = f"#{NBSP}a comment\n" + below_home(
        "totp_secret: |", "  ```", 'redirect_url: "http://x', f'{NBSP} y"', "# \u201ca\u201d: b: c"
    )
    found = [key for _, _, key, _ in reported(text)]

    assert {"homeys.home.totp_secret", "homeys.home.redirect_url"} <= set(found)
    assert "" not in found


@pytest.mark.parametrize("fence", ["```", "```yaml", "~~~", "   ```yaml", "````"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fences(fence: str, end: str) -> None:
    """A Markdown fence is reported once, at its place."""
    whole = f"{fence}\n{HOMEY}{fence.rstrip('yaml')}\n".replace("\n", end)
    last = f"{HOMEY}```\n".replace("\n", end)
    message = "is a fence of Markdown, which is no part of YAML"

    assert [(1, 1, "", message)] == reported(whole)
    assert [(8, 1, "", message)] == reported(last)


@pytest.mark.parametrize("quotes", ["\u201c\u201d", "\u2018\u2019", "\u201e\u201c", "\u00ab\u00bb"])
def test_typographic_quotes(quotes: str) -> None:
    """They are not part of a value, unless straight quotes surround them."""
    written = f"{quotes[0]}right{quotes[1]}"
    words = "is in typographic quotes, which YAML takes as part of the text"

    assert [(4, 15, "homeys.home.password", words)] == reported(with_password(written))
    assert [(3, 5, "homeys.home", words)] == reported(
        HOMEY.replace("email:", f"{quotes[0]}email{quotes[1]}:")
    )
    assert [words] == [
        message
        for *_, message in reported(
            below_home("sinks:", f"  - {{type: logic_variable, name: {written}}}")
        )
    ]
    home = read(with_password(f'"{written}"')).homeys["home"]
    assert home.password.plain is not None
    assert written == home.password.plain.reveal()


def test_typographic_quotes_around_indicators() -> None:
    """They are also reported where the quoted text has a meaning in YAML."""
    first = with_password("\u201cright: it is\u201d")
    more = first.replace("client_secret: canary", "client_secret: \u201cc: anary\u201d # ")

    assert [(4, 15, "", "U+201C (left double quotation mark) is in the place of a quote")] == (
        reported(first)
    )
    assert ["Write straight quotes; 2 lines have such."] == [one.remedy for one in faults(more)]


@pytest.mark.parametrize("written", [f"right{NBSP}", "right\u2060", "right\u200b\u3000"])
def test_ends_that_cannot_be_seen(written: str) -> None:
    """They are not part of an unquoted value, not even of a password."""
    [(_, _, key, message)] = reported(with_password(written))

    assert "homeys.home.password" == key
    assert message.startswith("starts or ends with a character that cannot be seen")


@pytest.mark.parametrize(
    ("written", "warned"),
    [
        ("abc #1 x", True),
        ("abc # x", True),
        ("abc#1", False),
        ("'abc' #1", False),
        ("'abc #1'", False),
    ],
)
def test_a_comment_that_cuts_a_password(written: str, warned: bool) -> None:
    """A password that ends before a comment is a warning that does not repeat it."""
    warnings = read(with_password(written)).warnings

    assert [("homeys.home.password", 4, 15)] * warned == [
        (one.key, one.line, one.column) for one in warnings
    ]
    assert all("#" in one.message and "abc" not in str(one) for one in warnings)


def test_comments_elsewhere() -> None:
    """In other text it is a single warning if it does not look like a comment."""
    text = below_home("sinks:", "  - {type: logic_variable, name: a, create: true}")
    names = [
        one.key
        for one in read(
            text.replace("client_id: id", "client_id: id # the id")
            .replace("email: you@example.com", "email: you@example.com #1")
            .replace(
                "homeys:", "x-a: &a {} #1\nlog: {level: info} #1\nrefresh:\n  at: 0.5 #1\nhomeys:"
            )
        ).warnings
    ]

    assert ["homeys.home.email"] == names


def test_the_example_has_no_warning_of_comments() -> None:
    """No comment of the example cuts a value."""
    example = (Path(__file__).parents[2] / "config.example.yaml").read_bytes()

    assert [] == [one for one in read(example).warnings if "#" in one.message]
