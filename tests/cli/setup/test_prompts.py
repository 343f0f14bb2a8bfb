"""Questions and answers, on a terminal and without one."""

import io
from collections.abc import Callable

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli.setup.prompts import Prompts
from homey_tokend.client.errors import ClientError


def never(_: str) -> str:
    raise AssertionError("asked for a secret")


def prompts(
    typed: str, read_hidden: Callable[[str], str] | None = never
) -> tuple[Prompts, io.StringIO]:
    out = io.StringIO()
    return Prompts(io.StringIO(typed), out, read_hidden), out


def even(answer: str) -> str:
    return "" if len(answer) % 2 == 0 else "It is odd."


@pytest.mark.parametrize(
    ("typed", "default", "answer"),
    [
        ("yes\n", "", "yes"),
        ("  yes \r\n", "", "yes"),
        ("\n\nyes\n", "", "yes"),
        ("\n", "http://localhost", "http://localhost"),
        ("a\x1b[2Jb\nyes\n", "", "yes"),
        ("yes", "", "yes"),
    ],
)
def test_text(typed: str, default: str, answer: str) -> None:
    """Blanks around an answer are dropped; Enter takes the default or repeats the question."""
    asking, _ = prompts(typed)

    assert answer == asking.ask("Well?", default)


def test_an_optional_secret() -> None:
    """An optional secret can be empty; otherwise it is validated."""
    asking, _ = prompts("\nab\n", None)

    assert "" == asking.secret("A", lambda _: "It is wrong.", required=False)
    assert "ab" == asking.secret("B", even, required=False)


def test_an_invalid_answer() -> None:
    """On a terminal an invalid answer is explained and asked for again."""
    asking, out = prompts("abc\nabcd\n")

    assert "abcd" == asking.ask("Well?", validate=even)
    assert "Well?: It is odd.\nWell?: " == out.getvalue()


@pytest.mark.parametrize(
    "typed", ["abc\nsecret\n", "\nsecret\n", "\ufeffab\nsecret\n"], ids=["odd", "empty", "mark"]
)
def test_without_a_terminal_no_question_is_repeated(typed: str) -> None:
    """The next line is another answer, which could be a password."""
    asking, out = prompts(typed, None)
    with pytest.raises(ClientError, match=r"^Well\?: ") as caught:
        asking.ask("Well?", validate=even)

    assert exit_codes.USAGE == caught.value.exit_status
    assert "secret" not in out.getvalue() + caught.value.message


def test_secrets_keep_their_blanks() -> None:
    """A password can begin and end with a blank, and is not echoed."""
    asking, out = prompts(" pass word \n", None)

    assert " pass word " == asking.secret("Password")
    assert "Password: \n" == out.getvalue()


def test_secrets_on_a_terminal() -> None:
    """A terminal does not echo a secret."""
    shown: list[str] = []

    def read_hidden(prompt: str) -> str:
        shown.append(prompt)
        return "" if len(shown) == 1 else "secret"

    asking, out = prompts("", read_hidden)

    assert "secret" == asking.secret("Password")
    assert ["Password (not shown): "] * 2 == shown
    assert "An answer is required.\n" == out.getvalue()


@pytest.mark.parametrize("secret", ["no\u00a0break", "z\u200dwj", "'\"\\ #:", "\u00e9\U0001f600"])
def test_odd_secrets(secret: str) -> None:
    """A password can contain whatever a person can type."""
    asking, _ = prompts(f"{secret}\n", None)

    assert secret == asking.secret("Password")


def test_control_characters() -> None:
    """An arrow key is not part of a password."""
    answers = iter(["\x1b[D", "good"])
    asking, out = prompts("", lambda _: next(answers))

    assert "good" == asking.secret("Password")
    assert "control characters" in out.getvalue()


@pytest.mark.parametrize(("typed", "index"), [("2\n", 1), ("\n", 0), ("0\n3\nx\n\u00b2\n1\n", 0)])
def test_choosing(typed: str, index: int) -> None:
    """A number chooses an option, Enter the first; anything else is asked for again."""
    asking, out = prompts(typed)

    assert index == asking.choose("Which?", ["one", "two"])
    assert "  1  one\n  2  two\n" in out.getvalue()


def test_an_endless_number() -> None:
    """A number of thousands of digits is invalid."""
    asking, _ = prompts("1" + "0" * 5000 + "\n2\n")

    assert 1 == asking.choose("Which?", ["one", "two"])


def gone(_: str) -> str:
    raise EOFError


@pytest.mark.parametrize(
    "ask",
    [
        lambda: prompts("")[0].ask("A"),
        lambda: prompts("\n\n")[0].ask("A"),
        lambda: prompts("", None)[0].secret("A"),
        lambda: prompts("", gone)[0].secret("A"),
        lambda: prompts("9\n")[0].choose("A", ["one"]),
    ],
    ids=["at once", "after blanks", "of secrets", "on a terminal", "of a list"],
)
def test_an_end(ask: Callable[[], object]) -> None:
    """The end of the input ends the dialogue with a message."""
    with pytest.raises(ClientError, match="ended before all questions were answered") as caught:
        ask()

    assert exit_codes.USAGE == caught.value.exit_status


def test_input_that_is_not_text() -> None:
    """Bytes that are not text are reported."""
    into = io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8")
    with pytest.raises(ClientError, match="not text"):
        Prompts(into, io.StringIO(), None).ask("A")


def test_input_that_is_not_text_on_a_terminal() -> None:
    """A key of another character set is reported with a remedy."""

    def read_hidden(_: str) -> str:
        return b"pass\xe9".decode()

    with pytest.raises(ClientError, match="not text") as caught:
        prompts("", read_hidden)[0].secret("A")

    assert "UTF-8" in caught.value.hint
