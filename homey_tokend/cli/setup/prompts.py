"""Asks a person on a terminal; without one, reads the answers line by line."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import TextIO

from homey_tokend import exit_codes
from homey_tokend.client.errors import ClientError

#: How long may a line be? Whatever is typed is far below.
_LONGEST = 64 * 1024
#: What is wrong with an answer, in a sentence; "": nothing.
Validator = Callable[[str], str]


def accept_any(_answer: str) -> str:
    """Fits whatever is answered."""
    return ""


class Prompts:
    """Questions go to ``out``, answers come from ``into``.

    What does not fit is asked anew on a terminal. Where there is none it ends the dialogue: the
    next line is the answer to the next question, and might be a password.

    Args:
        into: Where answers are read, usually ``sys.stdin``.
        out: Where questions are written, usually ``sys.stderr``.
        unseen: Asks for an answer that is not shown as it is typed (``getpass``); None: there
            is no terminal.

    Every method raises ClientError where the input ends before the answer, or does not fit.
    """

    def __init__(self, into: TextIO, out: TextIO, unseen: Callable[[str], str] | None) -> None:
        self._into = into
        self._out = out
        self._unseen = unseen

    def say(self, line: str = "") -> None:
        """Write a line."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def ask(self, question: str, default: str = "", fit: Validator = accept_any) -> str:
        """A line of text without blanks around it.

        Args:
            question: What is asked, without a colon.
            default: What Enter alone stands for.
            fit: What is wrong with an answer.
        """
        shown = f"{question} [{default}]" if default else question

        def complaint(answer: str) -> str:
            return "" if answer.isprintable() else "It holds what cannot be shown."

        return self._until_fit(
            question, lambda: self._line(f"{shown}: ").strip() or default, complaint, _needed, fit
        )

    def secret(self, question: str, fit: Validator = accept_any, *, needed: bool = True) -> str:
        """As ``ask``, but not shown on the terminal, and with its blanks.

        Args:
            question: What is asked, without a colon.
            fit: What is wrong with an answer.
            needed: Whether there must be one; without, nothing fits.
        """
        unseen = self._unseen

        def read() -> str:
            if unseen is None:
                return self._line(f"{question}: ")
            return self._typed(unseen, f"{question} (not shown): ")

        if needed:
            return self._until_fit(question, read, _uncontrolled, _needed, fit)
        return self._until_fit(question, read, _uncontrolled, lambda text: text and fit(text))

    def choose(self, question: str, options: Sequence[str]) -> int:
        """The index of one of these, which are listed; the first is what Enter stands for."""
        for number, option in enumerate(options, 1):
            self.say(f"  {number}  {option}")

        def fit(answer: str) -> str:
            told = answer.isascii() and answer.isdigit() and len(answer) <= len(str(len(options)))
            if told and 1 <= int(answer) <= len(options):
                return ""
            return f"A number from 1 to {len(options)} is expected."

        return int(self.ask(question, "1", fit)) - 1

    def _until_fit(self, question: str, read: Callable[[], str], *fits: Validator) -> str:
        while True:
            answer = read()
            complaint = next(filter(None, (fit(answer) for fit in fits)), "")
            if not complaint:
                return answer
            if self._unseen is None:
                raise ClientError(
                    f"{question}: {complaint}", exit_codes.USAGE, "Nothing was written."
                )
            self.say(complaint)

    def _line(self, prompt: str) -> str:
        self._out.write(prompt)
        self._out.flush()
        try:
            line = self._into.readline(_LONGEST)
        except UnicodeDecodeError:
            raise _no_text() from None
        if not line:
            raise _ended()
        if self._unseen is None:
            self.say()  # a terminal shows the Enter that was typed
        return line.rstrip("\r\n")

    @staticmethod
    def _typed(unseen: Callable[[str], str], prompt: str) -> str:
        try:
            return unseen(prompt)
        except EOFError:
            raise _ended() from None
        except UnicodeDecodeError:
            raise _no_text() from None


def _needed(answer: str) -> str:
    return "" if answer else "An answer is needed."


def _uncontrolled(answer: str) -> str:
    control = any(unicodedata.category(each) in {"Cc", "Cs"} for each in answer)
    return "It holds control characters." if control else ""


def _ended() -> ClientError:
    return ClientError(
        "the input ended before all was answered; nothing was written", exit_codes.USAGE
    )


def _no_text() -> ClientError:
    return ClientError(
        "what was typed is no text in this terminal's character set; nothing was written",
        exit_codes.USAGE,
        "Set the terminal and the locale to UTF-8 (LANG=C.UTF-8).",
    )
