"""How a single value is read: from the scalar as it is written to what the program works with.

A reader takes a :class:`~homey_tokend.config.nodes.Text`, the scalar as it is written, and
returns the value or raises a refusal in our own words. Values that are already made (by
code that builds a configuration without YAML) pass as they are, a ``str`` as text in quotes.
"""

import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from pydantic import PlainValidator

from homey_tokend.config import durations, urls
from homey_tokend.config.nodes import Text
from homey_tokend.config.words import bounds_text, invalid_value, kind, quoted

T = TypeVar("T")
_LONGEST_TEXT = 4096
#: How late may a refresh be planned? The rest must leave room for a second try.
LARGEST_SHARE = 0.95
#: The kernel's ``sun_path`` holds 108 bytes, the closing NUL included.
_LONGEST_SOCKET = 107


def leaf(read: Callable[[Text], T], *, nullable: bool = False) -> PlainValidator:
    """A validator that calls ``read`` with the text of a scalar.

    Args:
        read: Makes the value, or raises :func:`~homey_tokend.config.words.wrong`.
        nullable: Whether an unquoted null gives None.
    """

    def validate(value: object) -> object:
        if isinstance(value, str):
            scalar = value if isinstance(value, Text) else Text(value)
            return None if nullable and scalar.null else read(scalar)
        if isinstance(value, dict | list):
            raise invalid_value(
                f"is {kind(value)} where a single value belongs", "Write one value."
            )
        return value

    return PlainValidator(validate)


def text(what: str, pattern: str, remedy: str) -> Callable[[Text], str]:
    """A reader of text of a certain form.

    Args:
        what: What it must be, after "is not".
        pattern: A regular expression for the whole of it.
        remedy: What to do.
    """
    whole = re.compile(pattern)

    def read(value: Text) -> str:
        if whole.fullmatch(value) is None or len(value) > _LONGEST_TEXT:
            raise invalid_value(f"{quoted(value)} is not {what}" if value else "is empty", remedy)
        return str(value)

    return read


def choice(*options: str) -> Callable[[Text], str]:
    """A reader of one word out of ``options``."""

    def read(value: Text) -> str:
        if value not in options:
            raise invalid_value(
                f"{quoted(value)} is none of {', '.join(options)}", f"Write {options[0]}."
            )
        return str(value)

    return read


def share(*, zero: bool) -> Callable[[Text], float]:
    """A reader of a share of a token's life: at most 0.95, and 0 only where ``zero``."""
    low = "0" if zero else "above 0"

    def read(value: Text) -> float:
        found = re.fullmatch(durations.NUMBER, value)
        number = float(value) if found else -1.0
        if not (0 <= number <= LARGEST_SHARE) or (number == 0 and not zero):
            raise invalid_value(
                f"{quoted(value)} is not a number from {low} to {LARGEST_SHARE}",
                "Write a share of the token's life such as 0.5.",
            )
        return number

    return read


def spans(least: timedelta, most: timedelta, *, zero: bool = False) -> Callable[[Text], Any]:
    """A reader of a duration within bounds; with ``zero``, 0 gives None."""
    bounds = bounds_text(least, most)

    def read(value: Text) -> timedelta | None:
        found = durations.parse_span(value)
        if found is not None and zero and not found:
            return None
        if found is None or not least <= found <= most:
            raise invalid_value(
                f"{quoted(value)} is not a duration {bounds}",
                f"Write seconds, or a number with ms, s, m, h or d, {bounds}"
                f"{' or 0 to turn it off' if zero else ''}.",
            )
        return found

    return read


#: Not a folder, and no control characters: a path stands in log lines.
PATH_PATTERN = r"^/(?:[^\x00-\x1f\x7f]*[^/\x00-\x1f\x7f])$"

_MODE = re.compile(r"0?o?([0-7]{3})")


def mode(value: Text) -> int:
    """An octal file mode: ``"0640"``, ``0640``, ``0o640`` and ``640`` are the same."""
    match = _MODE.fullmatch(value)
    if match is None:
        raise invalid_value(
            f"{quoted(value)} is not an octal file mode",
            'Write three octal digits after a zero, such as "0640".',
        )
    return int(match[1], 8)


FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


def flag(value: Text) -> bool:
    """True or false, in YAML's spellings."""
    found = FLAGS.get(value.lower())
    if found is None:
        raise invalid_value(f"{quoted(value)} is neither true nor false", "Write true or false.")
    return found


_PATH = re.compile(PATH_PATTERN)


def absolute(value: str) -> bool:
    """Whether ``value`` can be the absolute path of a file."""
    try:
        size = len(value.encode())
    except UnicodeEncodeError:  # what is no UTF-8 in the environment comes as surrogates
        return False
    return _PATH.fullmatch(value) is not None and size <= _LONGEST_TEXT


def path(value: Text) -> Path:
    """The absolute path of a file."""
    if not absolute(value):
        what = f"{quoted(value)} is not the absolute path of a file" if value else "is empty"
        raise invalid_value(
            what, "Write the whole path from / on; ~ and variables are not expanded."
        )
    return Path(value)


def socket_path(value: Text) -> Path:
    """The absolute path of a unix socket, within what the kernel can hold."""
    found = path(value)
    if len(value.encode()) > _LONGEST_SOCKET:
        raise invalid_value(
            f"is longer than the {_LONGEST_SOCKET} bytes that a unix socket's path can have",
            "Choose a shorter path.",
        )
    return found


def url(value: Text) -> str:
    """A base URL, its last slash dropped."""
    return _base(value, cloudid=False)


def homey_endpoint(value: Text) -> str:
    """A base URL in which ``{cloudid}`` may stand."""
    return _base(value, cloudid=True)


def homey_url(value: Text) -> str | None:
    """``auto``, which is None, or a base URL."""
    return None if value == "auto" else url(value)


def _base(value: Text, *, cloudid: bool) -> str:
    found = urls.base(value, cloudid=cloudid)
    if found is None:
        raise invalid_value(
            urls.complaint(value) if value else "is empty",
            "Write https://host, with a port and a path where needed, and nothing after it.",
        )
    return found


LISTEN_PATTERN = r"^(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):([0-9]{1,5})$"


def listen(value: Text) -> tuple[str, int]:
    """``host:port``; an IPv6 address stands in brackets. Port 0 takes a free one."""
    match = re.fullmatch(LISTEN_PATTERN, value)
    if match is None or int(match[2]) > 65535:
        raise invalid_value(
            f"{quoted(value)} is not host:port",
            "Write an address and a port, such as 127.0.0.1:9464.",
        )
    return match[1].strip("[]"), int(match[2])


def _member(value: object) -> str:
    if not isinstance(value, str):
        raise invalid_value(f"is {kind(value)} where text belongs", "Write each word as an item.")
    return str(value)


def argv(value: object) -> tuple[str, ...]:
    """A command as a list: a program, by its absolute path or found on PATH, and arguments."""
    if isinstance(value, tuple):
        return value
    if not isinstance(value, list) or not value:
        what = "is an empty list" if value == [] else f"is {kind(value)} where a list belongs"
        raise invalid_value(
            what, "Write the program and its arguments as a list: [/opt/bin/on-token]."
        )
    words = tuple(_member(item) for item in value)
    if not words[0] or ("/" in words[0] and not words[0].startswith("/")):
        raise invalid_value(
            "does not start with a program",
            "Write the program's absolute path first, or its bare name to find it on PATH.",
        )
    return words


ACCOUNT = r"[^\s:/,]{1,64}"
account = text("a user or group", ACCOUNT, "Write a name or a number.")
