"""Questions and answers, on a terminal and without one."""

import io
from collections.abc import Callable

import pytest

from homey_tokend import exit_codes
from homey_tokend.cli.setup.prompts import Prompts
from homey_tokend.client.errors import ClientError


def nothing_unseen(_: str) -> str:
    raise AssertionError("asked for a secret")


def dialogue(
    typed: str, unseen: Callable[[str], str] | None = nothing_unseen
) -> tuple[Prompts, io.StringIO]:
    out = io.StringIO()
    return Prompts(io.StringIO(typed), out, unseen), out


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
    """Blanks around it are dropped, an empty line is asked anew, Enter takes what is offered."""
    asking, _ = dialogue(typed)

    assert answer == asking.ask("Well?", default)


def test_what_need_not_be() -> None:
    """Where no secret is needed an empty line is one, and fits; another must fit."""
    asking, _ = dialogue("\nab\n", None)

    assert "" == asking.secret("A", lambda _: "It is wrong.", required=False)
    assert "ab" == asking.secret("B", even, required=False)


def test_what_must_fit() -> None:
    """On a terminal what is wrong is told, and asked anew."""
    asking, out = dialogue("abc\nabcd\n")

    assert "abcd" == asking.ask("Well?", validate=even)
    assert "Well?: It is odd.\nWell?: " == out.getvalue()


@pytest.mark.parametrize(
    "typed", ["abc\nsecret\n", "\nsecret\n", "\ufeffab\nsecret\n"], ids=["odd", "empty", "mark"]
)
def test_without_a_terminal_nothing_is_asked_anew(typed: str) -> None:
    """The next line is another answer, and might be a password."""
    asking, out = dialogue(typed, None)
    with pytest.raises(ClientError, match=r"^Well\?: ") as caught:
        asking.ask("Well?", validate=even)

    assert exit_codes.USAGE == caught.value.exit_status
    assert "secret" not in out.getvalue() + caught.value.message


def test_secrets_keep_their_blanks() -> None:
    """A password may begin and end with a blank, and is not written anywhere."""
    asking, out = dialogue(" pass word \n", None)

    assert " pass word " == asking.secret("Password")
    assert "Password: \n" == out.getvalue()


def test_secrets_on_a_terminal() -> None:
    """The terminal is asked so that it shows nothing."""
    prompts = []

    def unseen(prompt: str) -> str:
        prompts.append(prompt)
        return "" if len(prompts) == 1 else "secret"

    asking, out = dialogue("", unseen)

    assert "secret" == asking.secret("Password")
    assert ["Password (not shown): "] * 2 == prompts
    assert "An answer is required.\n" == out.getvalue()


@pytest.mark.parametrize("secret", ["no\u00a0break", "z\u200dwj", "'\"\\ #:", "\u00e9\U0001f600"])
def test_odd_secrets(secret: str) -> None:
    """Whatever a person can type is a password."""
    asking, _ = dialogue(f"{secret}\n", None)

    assert secret == asking.secret("Password")


def test_control_characters() -> None:
    """An arrow key is no part of a password."""
    answers = iter(["\x1b[D", "good"])
    asking, out = dialogue("", lambda _: next(answers))

    assert "good" == asking.secret("Password")
    assert "control characters" in out.getvalue()


@pytest.mark.parametrize(("typed", "index"), [("2\n", 1), ("\n", 0), ("0\n3\nx\n\u00b2\n1\n", 0)])
def test_choosing(typed: str, index: int) -> None:
    """A number of the list; Enter is the first; anything else is asked anew."""
    asking, out = dialogue(typed)

    assert index == asking.choose("Which?", ["one", "two"])
    assert "  1  one\n  2  two\n" in out.getvalue()


def test_an_endless_number() -> None:
    """A number of a thousand digits is none of the list."""
    asking, _ = dialogue("1" + "0" * 5000 + "\n2\n")

    assert 1 == asking.choose("Which?", ["one", "two"])


def gone(_: str) -> str:
    raise EOFError


@pytest.mark.parametrize(
    "ask",
    [
        lambda: dialogue("")[0].ask("A"),
        lambda: dialogue("\n\n")[0].ask("A"),
        lambda: dialogue("", None)[0].secret("A"),
        lambda: dialogue("", gone)[0].secret("A"),
        lambda: dialogue("9\n")[0].choose("A", ["one"]),
    ],
    ids=["at once", "after blanks", "of secrets", "on a terminal", "of a list"],
)
def test_an_end(ask: Callable[[], object]) -> None:
    """The end of the input ends the dialogue, told plainly."""
    with pytest.raises(ClientError, match="ended before all questions were answered") as caught:
        ask()

    assert exit_codes.USAGE == caught.value.exit_status


def test_no_text() -> None:
    """Bytes that are no text are told."""
    into = io.TextIOWrapper(io.BytesIO(b"\xff\xfe\n"), encoding="utf-8")
    with pytest.raises(ClientError, match="not text"):
        Prompts(into, io.StringIO(), None).ask("A")


def test_no_text_on_a_terminal() -> None:
    """A key of another character set is told, with what to do."""

    def unseen(_: str) -> str:
        return b"pass\xe9".decode()

    with pytest.raises(ClientError, match="not text") as caught:
        dialogue("", unseen)[0].secret("A")

    assert "UTF-8" in caught.value.hint
