"""Find what copying from web pages and chats does to YAML, which can cause many faults."""

import re
from collections.abc import Callable

from homey_tokend.core.errors import ConfigFault
from homey_tokend.core.secret import SECRET_KEYS
from homey_tokend.core.value_text import Words, describe, in_quotes

_UNSEEN_END = (
    "starts or ends with a character that cannot be seen, such as a no-break space",
    "Remove it, or put the text in straight quotes if it is intended.",
)
_TYPOGRAPHIC = (
    "is in typographic quotes, which YAML takes as part of the text",
    'Write straight quotes (") instead of them, or around them if they are intended.',
)
#: Message and remedy for ``cut_by_comment``.
CUT = (
    "ends before the #, which starts a comment after a blank",
    "Put the text in quotes if the # belongs to it, else the comment on a line of its own.",
)
#: White space other than blank and tab, and characters without a width.
_UNSEEN = "\u00a0\u1680\u202f\u205f\u3000\u2060" + "".join(map(chr, range(0x2000, 0x2010)))
#: Keys whose text may contain a blank and a #.
_FREE_TEXT = frozenset({*SECRET_KEYS, "name", "expires_variable", "state_variable"})
#: A comment after a plain value; the group matches if it does not look like one.
_COMMENT = re.compile(r" +#([^\s#])?")

_WIDE, _ZERO = "\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000", "\u200b-\u200f\u2060"
_ODD = f"[{_WIDE}{_ZERO}]"
_FENCE = re.compile(r"^ {0,3}(?:`{3,}|~{3,})[\w -]*\r?$")
#: An odd blank at the start of a line, after a dash, or after a key's colon.
_BLANKS = re.compile(rf"^([ -]*+(?:[\w\"'-]++: *+)?)({_ODD}[ {_WIDE}{_ZERO}]*)")
_QUOTES = re.compile("(?<![^ [{,])[“„‟‘‚«»]([^“„‟”‘‚’«»\"']*)[”“’‘»«](?= *(?:[]:,}#\r]|$))")  # noqa: RUF001  meant


def _blanks(found: re.Match[str]) -> str:
    plain = re.sub(f"[{_WIDE}]", " ", re.sub(f"[{_ZERO}]", "", found[2]))
    return found[1] + (plain or " " * bool(found[1].strip()))


def _quotes(found: re.Match[str]) -> str:
    return f"'{found[1]}'"


#: A line can have odd blanks before its dash, its key and its value.
_PASSES = 3
_Repair = tuple[re.Pattern[str], Callable[[re.Match[str]], str], str, str]
_REPAIRS: tuple[_Repair, ...] = (
    (
        _FENCE,
        lambda _: "#",
        "is a fence of Markdown, which is no part of YAML",
        "Remove it, and the one that ends the block",
    ),
    (_BLANKS, _blanks, "{} is where only plain blanks may be", "Remove it, or write blanks"),
    (_QUOTES, _quotes, "{} is in the place of a quote", "Write straight quotes"),
)


def repair(text: str, source: str, *, quotes: bool) -> tuple[str, list[ConfigFault]]:
    """Return the text as it was most likely intended, and one fault for each kind of repair.

    A repair is a guess; it was right if some faults of the text are gone with it.

    Args:
        text: The text of a file that has faults.
        source: Its name.
        quotes: Whether typographic quotes are repaired, too.
    """
    lines, faults = text.split("\n"), []
    for pattern, replace, message, remedy in _REPAIRS[: None if quotes else -1]:
        places = [
            (number, found)
            for number, line in enumerate(lines, 1)
            if not line.lstrip().startswith("#") and (found := pattern.search(line))
        ]
        if not places:
            continue
        number, found = places[0]
        column = found.end(1) if pattern is _BLANKS else found.start()
        others = f"; {len(places)} lines have such" if len(places) > 1 else ""
        faults.append(
            ConfigFault(
                source,
                number,
                column + 1,
                "",
                message.format(describe(found.string[column])),
                f"{remedy}{others}.",
            )
        )
        for number, _ in places:
            for _ in range(_PASSES):
                lines[number - 1] = pattern.sub(replace, lines[number - 1])
    return "\n".join(lines), faults


def as_meant(text: str) -> tuple[str, Words | None]:
    """Return an unquoted value as it is most likely intended, and message and remedy if it differs."""
    if text.isascii():
        return text, None
    bare = text.strip(_UNSEEN)
    if bare != text:
        return bare, _UNSEEN_END
    return (text[1:-1], _TYPOGRAPHIC) if in_quotes(text) else (text, None)


def cut_by_comment(text: str, end: int, key: str) -> bool:
    """Return whether the comment after ``end`` is most likely a part of the value before it."""
    comment = _COMMENT.match(text, end)
    return comment is not None and (
        key == "password" or (key in _FREE_TEXT and comment[1] is not None)
    )
