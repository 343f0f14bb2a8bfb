"""A command's words without the token that it was given."""

import json
from urllib.parse import quote

from homey_tokend.core.secret import Secret

#: How many characters in a row betray a piece of the token? Fewer than this are chance.
_PIECE = 8


def without(token: Secret | None, text: str, *, last: int) -> str:
    """The last characters of ``text`` on one line, each piece of the token as "…".

    Pieces too, for a command may be ended in the middle of a word, or cut the
    token up; and the token as JSON or a URL would spell it.

    Args:
        token: What must not be in it; None where none is held.
        text: Foreign text.
        last: How many characters are kept.
    """
    plain = token.reveal() if token else ""
    forms = (plain, json.dumps(plain)[1:-1], quote(plain, safe="")) if plain else ()
    size = min(_PIECE, len(plain))
    pieces = {form[at : at + size] for form in forms for at in range(len(form) - size + 1)}
    hidden = bytearray(len(text))
    for start in range(len(text) - size + 1):
        if text[start : start + size] in pieces:
            hidden[start : start + size] = b"\1" * size
    kept = "".join(
        "\0" if hide else (char if char.isprintable() else " ")
        for char, hide in zip(text, hidden, strict=True)
    )[-last:]
    return " ".join(_marked(kept).split())


def _marked(text: str) -> str:
    """Each run of hidden characters as one sign."""
    return "".join(
        "…" if char == "\0" else char
        for index, char in enumerate(text)
        if char != "\0" or index == 0 or text[index - 1] != "\0"
    )
