"""Asks a person on a terminal; without one, reads the answers line by line."""

from collections.abc import Callable, Sequence
from typing import TextIO

from homey_tokend import exits
from homey_tokend.talk import ClientError

#: How long may a line be? Whatever is typed is far below.
_LONGEST = 64 * 1024


class Dialogue:
    """Questions go to ``out``, answers come from ``into``.

    Args:
        into: Where answers are read, usually ``sys.stdin``.
        out: Where questions are written, usually ``sys.stderr``.
        unseen: Asks for an answer that is not shown as it is typed (``getpass``); None: there
            is no terminal that would show it.

    Every method raises ClientError where the input ends before the answer.
    """

    def __init__(self, into: TextIO, out: TextIO, unseen: Callable[[str], str] | None) -> None:
        self._into = into
        self._out = out
        self._unseen = unseen

    def say(self, line: str = "") -> None:
        """Write a line."""
        self._out.write(f"{line}\n")
        self._out.flush()

    def ask(self, question: str, default: str = "", *, needed: bool = True) -> str:
        """A line of text without blanks around it; asked anew until there is one.

        Args:
            question: What is asked, without a colon.
            default: What Enter alone stands for.
            needed: Whether there must be an answer.
        """
        shown = f"{question} [{default}]" if default else question
        return self._until_fit(lambda: self._line(f"{shown}: ").strip() or default, needed=needed)

    def secret(self, question: str, *, needed: bool = True) -> str:
        """As ``ask``, but not shown on the terminal, and with its blanks."""
        unseen = self._unseen
        if unseen is None:
            return self._until_fit(lambda: self._line(f"{question}: "), needed=needed)
        return self._until_fit(
            lambda: self._typed(unseen, f"{question} (not shown): "), needed=needed
        )

    def choose(self, question: str, options: Sequence[str]) -> int:
        """The index of one of these, which are listed; the first is what Enter stands for."""
        for number, option in enumerate(options, 1):
            self.say(f"  {number}  {option}")
        while True:
            answer = self.ask(question, "1")
            if answer.isascii() and answer.isdigit() and 1 <= int(answer[:4]) <= len(options):
                return int(answer[:4]) - 1
            self.say(f"A number from 1 to {len(options)} is expected.")

    def _until_fit(self, read: Callable[[], str], *, needed: bool) -> str:
        while True:
            answer = read()
            if not answer.isprintable():
                self.say("There are control characters in it; once more.")
            elif answer or not needed:
                return answer

    def _line(self, prompt: str) -> str:
        self._out.write(prompt)
        self._out.flush()
        try:
            line = self._into.readline(_LONGEST)
        except UnicodeDecodeError:
            raise ClientError("the input is no text in this locale", exits.USAGE) from None
        if not line:
            raise _ended()
        return line.rstrip("\r\n")

    @staticmethod
    def _typed(unseen: Callable[[str], str], prompt: str) -> str:
        try:
            return unseen(prompt)
        except EOFError:
            raise _ended() from None
        except UnicodeDecodeError:
            return "\0"  # no text in this locale: asked anew


def _ended() -> ClientError:
    return ClientError("the input ended before all was answered; nothing was written", exits.USAGE)
