"""Ask questions on a terminal; without one, read the answers line by line."""

import unicodedata
from collections.abc import Callable, Sequence
from typing import TextIO

from homey_tokend import exit_codes
from homey_tokend.cli.output import printable_lines
from homey_tokend.client.errors import ClientError

#: The longest line in characters; everything that a person types is far shorter.
_MAX_LINE = 64 * 1024
#: Return what is wrong with an answer, as a sentence; "" if nothing is.
Validator = Callable[[str], str]


def accept_any(_answer: str) -> str:
    """Accept every answer."""
    return ""


class Prompts:
    """Write questions to ``output`` and read the answers from ``source``.

    On a terminal an invalid answer is asked for again. Without one it ends the dialogue,
    because the next line belongs to the next question and can be a password.

    Args:
        source: Where answers are read, usually ``sys.stdin``.
        output: Where questions are written, usually ``sys.stderr``.
        read_hidden: Reads an answer without echo (``getpass``); None without a terminal.

    Every method that asks raises ClientError where the input ends, cannot be decoded, or (without
    a terminal) is invalid.
    """

    def __init__(
        self, source: TextIO, output: TextIO, read_hidden: Callable[[str], str] | None
    ) -> None:
        self._source = source
        self._output = output
        self._read_hidden = read_hidden

    def say(self, line: str = "") -> None:
        """Write a line; it may name what a host has sent."""
        self._output.write(printable_lines(f"{line}\n"))
        self._output.flush()

    def ask(self, question: str, default: str = "", validate: Validator = accept_any) -> str:
        """Ask for a line of text, and return it without surrounding blanks.

        Args:
            question: The question, without a colon.
            default: The answer that Enter alone stands for.
            validate: Returns what is wrong with an answer.
        """
        prompt = f"{question} [{default}]: " if default else f"{question}: "
        return self._until_valid(
            question,
            lambda: self._read_line(prompt).strip() or default,
            (_printable, _not_empty, validate),
        )

    def secret(
        self, question: str, validate: Validator = accept_any, *, required: bool = True
    ) -> str:
        """Ask for a secret without echo, and return it with its blanks.

        Args:
            question: The question, without a colon.
            validate: Returns what is wrong with an answer.
            required: Whether an empty answer is invalid; if not, it is not validated.
        """

        def read() -> str:
            if self._read_hidden is None:
                return self._read_line(f"{question}: ")
            return self._read_hidden(f"{question} (not shown): ")

        def validate_optional(answer: str) -> str:
            return validate(answer) if answer else ""

        last = (_not_empty, validate) if required else (validate_optional,)
        return self._until_valid(question, read, (_no_controls, *last))

    def choose(self, question: str, options: Sequence[str]) -> int:
        """List the options, and return the index of the chosen one; Enter takes the first."""
        numbers = [str(number) for number, _ in enumerate(options, 1)]
        for number, option in zip(numbers, options, strict=True):
            self.say(f"  {number}  {option}")

        def validate(answer: str) -> str:
            return "" if answer in numbers else f"Enter a number from 1 to {len(options)}."

        return numbers.index(self.ask(question, "1", validate))

    def _until_valid(
        self, question: str, read: Callable[[], str], validators: Sequence[Validator]
    ) -> str:
        while True:
            try:
                answer = read()
            except EOFError:
                raise ClientError(
                    "the input ended before all questions were answered; nothing was written",
                    exit_codes.USAGE,
                ) from None
            except UnicodeDecodeError:
                raise ClientError(
                    "the input is not text in the character set of this terminal; "
                    "nothing was written",
                    exit_codes.USAGE,
                    "Set the terminal and the locale to UTF-8 (LANG=C.UTF-8).",
                ) from None
            problem = next(filter(None, (validate(answer) for validate in validators)), "")
            if not problem:
                return answer
            if self._read_hidden is None:
                raise ClientError(
                    f"{question}: {problem}", exit_codes.USAGE, "Nothing was written."
                )
            self.say(problem)

    def _read_line(self, prompt: str) -> str:
        self._output.write(prompt)
        self._output.flush()
        line = self._source.readline(_MAX_LINE)
        if not line:
            raise EOFError
        if self._read_hidden is None:
            self.say()  # a terminal echoes Enter
        return line.rstrip("\r\n")


def _printable(answer: str) -> str:
    return "" if answer.isprintable() else "The answer contains unprintable characters."


def _not_empty(answer: str) -> str:
    return "" if answer else "An answer is required."


def _no_controls(answer: str) -> str:
    control = any(unicodedata.category(each) in {"Cc", "Cs"} for each in answer)
    return "The answer contains control characters." if control else ""
