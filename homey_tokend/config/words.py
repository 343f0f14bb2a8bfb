"""How a value is refused: our own words, what to do, and never what a secret holds."""

import re
from datetime import timedelta

from pydantic_core import PydanticCustomError

from homey_tokend.config.durations import format_span

#: The type that all our refusals have: the only pydantic texts that reach a user are ours.
FAULT = "fault"

#: Longer values are not repeated in a message.
_SHOWN = 40
_SHOWABLE = re.compile(r"[\w .,:/+@%=\-]*", re.ASCII)


def invalid_value(message: str, remedy: str) -> PydanticCustomError:
    """A refusal for a validator to raise.

    Args:
        message: What is wrong, without a full stop.
        remedy: A sentence on what to do.
    """
    return PydanticCustomError(FAULT, "{message}", {"message": message, "remedy": remedy})


def quoted(text: str) -> str:
    """``text`` in quotes where it is short and printable, else only "this value".

    Only for keys that hold no secret.
    """
    if not text:
        return "an empty value"
    if len(text) <= _SHOWN and _SHOWABLE.fullmatch(text):
        return f'"{text}"'
    return "this value"


def kind(value: object) -> str:
    """What a value of the wrong shape is, without saying what is in it."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    return "a single value"


def bounds_text(least: timedelta, most: timedelta) -> str:
    """The bounds of a span in words."""
    return f"from {format_span(least)} to {format_span(most)}"
