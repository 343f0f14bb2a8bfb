"""Bytes to text: what is not a text of bounded size is told plainly."""

import codecs
import re

from homey_tokend.config.nodes import NOWHERE, Mark
from homey_tokend.core.errors import ConfigFault, ConfigurationInvalid

#: How large may a configuration be? A hundred Homeys fit into a twentieth of it.
MOST_BYTES = 1024 * 1024

#: What YAML 1.1 allows in a stream, apart from the byte order mark (chapter 5.1).
_UNPRINTABLE = re.compile(
    "[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_LINE_END = re.compile("\r\n|[\r\n\x85\u2028\u2029]")

_AS_UTF8 = "Save it as UTF-8."


def decode(data: bytes, source: str) -> str:
    """The text of a file, without a byte order mark.

    Args:
        data: All of the file, or more than ``MOST_BYTES`` of it.
        source: Its name, for messages.

    Raises:
        ConfigurationInvalid: It is empty, too large, binary or not UTF-8.
    """
    if len(data) > MOST_BYTES:
        raise invalid(source, NOWHERE, "is larger than 1 MiB", "Check that it is the right file.")
    if data.startswith(_UTF16):
        raise invalid(source, NOWHERE, "is UTF-16", _AS_UTF8)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        before = data[: exc.start].decode("utf-8-sig", "replace")
        raise invalid(
            source, position(before, len(before)), "is not UTF-8 here", _AS_UTF8
        ) from None
    bad = _UNPRINTABLE.search(text)
    if bad is not None:
        raise invalid(
            source,
            position(text, bad.start()),
            f"holds the character U+{ord(bad[0]):04X}, as binary files do",
            "Check that it is the right file, or take the character out.",
        )
    return text


def position(text: str, index: int) -> Mark:
    """The place of the character at ``index``."""
    line, start = 1, 0
    for end in _LINE_END.finditer(text, 0, index):
        line, start = line + 1, end.end()
    return Mark(line, index - start + 1)


def invalid(source: str, mark: Mark, message: str, remedy: str) -> ConfigurationInvalid:
    """The one fault that makes all others moot."""
    return ConfigurationInvalid([ConfigFault(source, mark.line, mark.column, "", message, remedy)])
