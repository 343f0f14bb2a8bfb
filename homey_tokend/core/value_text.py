"""Check values for accidents of editors, shells and web pages.

Each value that is sent is checked here before the first request, whatever its source. What can
only be an accident is removed (``trim``) or an error (``defect``); what may be intended is a
warning (``doubt``). No message contains the value.
"""

import unicodedata

#: What is wrong with a value, to follow its name, without a full stop; and the remedy.
Words = tuple[str, str]

_QUOTES = frozenset({'""', "''", "``", "“”", "„“", "””", "‘’", "‚‘", "’’", "«»", "»«", "‹›", "›‹"})  # noqa: RUF001  intended
_NAMES = {" ": "a blank", "\t": "a tab", "\n": "a line break", "\r": "a carriage return"}
#: Besides control characters: line separators, and the marks of undecodable bytes.
_NEVER = frozenset("\u2028\u2029\ufeff\ufffc\ufffd\ufffe\uffff")

_REMOVE = "Remove it; the value stands alone, on one line."
_WRITE_BARE = "Remove them: files and docker --env-file keep quotes as part of the value."


def trim(text: str) -> str:
    """Remove a byte-order mark at the start and all line ends at the end."""
    return text.removeprefix("\ufeff").rstrip("\r\n")


def in_quotes(text: str) -> bool:
    """Return whether a text is enclosed in quotes, straight or typographic."""
    return len(text) > 1 and text[0] + text[-1] in _QUOTES


def defect(text: str, key: str = "") -> Words | None:
    """Return what can only be an accident in a trimmed value, or None.

    Args:
        text: The value.
        key: Its key: a password may contain more than other values, and white space in a
            ``totp_secret`` has no meaning.
    """
    if key == "totp_secret":
        text = "".join("x" if char.isspace() else char for char in text)
    for index, char in enumerate(text):
        category = unicodedata.category(char)
        if category == "Cs":  # from the environment: bytes that are not text
            return "is not UTF-8", "Write it as UTF-8."
        if category == "Cc" or char in _NEVER:
            return _has(text, index), _REMOVE
    if key == "password":
        return None
    odd = _first_odd(text)
    if odd is not None:
        return _has(text, odd), _REMOVE
    return ("is in quotes", _WRITE_BARE) if in_quotes(text) else None


def doubt(text: str) -> Words | None:
    """Return what is most likely an accident in a password without a defect, or None."""
    odd = _first_odd(text)
    if odd is not None:
        return f"{_has(text, odd)}, which is sent with it", "Remove it unless it is meant."
    if in_quotes(text):
        return "is in quotes, which are sent with it", "Remove them unless they are meant."
    return None


def _first_odd(text: str) -> int | None:
    """Return the index of a blank at either end, or of an invisible character."""
    for index, char in enumerate(text):
        at_end = index in {0, len(text) - 1}
        unseen = not char.isprintable() and unicodedata.category(char) != "Cn"  # newer than Python
        if unseen or (at_end and char.isspace()):
            return index
    return None


def describe(char: str) -> str:
    """Return the name of a character, which may be invisible."""
    name = unicodedata.name(char, "").lower()
    return _NAMES.get(char) or f"U+{ord(char):04X}" + (f" ({name})" if name else "")


def _has(text: str, index: int) -> str:
    where = "last character" if 0 < index == len(text) - 1 else f"character number {index + 1}"
    return f"has {describe(text[index])} as its {where}"
