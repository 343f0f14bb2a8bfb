"""Take secrets out of text: log lines, answers of hosts, the output of commands.

Secrets are a type that does not print itself (``core.secret.Secret``); this is the last
line of defence against foreign text that holds one all the same. Secrets are known by
value, in every usual spelling, and by the shapes and names they have (``docs/wire.md``).
"""

import html
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from homey_tokend.core.secret import Secret

MASK = "<secret>"

#: Live secrets known at once: a Homey has about ten, and a new token a day.
_MOST_SECRETS = 512
#: A shorter secret may be part of any word: it is taken out only where it stands alone, and
#: below ``_SHORTEST`` not at all (masking every "ab" tells that the password is "ab").
_LONG = 8
_SHORTEST = 3
#: So many characters of a token in a row are a piece of it; fewer are chance.
_PIECE = 8
#: How much of an answer is read and how much is shown. Together they stay below 4,300, so
#: that no character reference has too many digits for int().
_READ, _EXCERPT = 4000, 200

_NAMES = (
    r"(?:[a-z0-9_]*(?:password|passwd|secret|token|csrf|totp)"
    r"|authorization|cookie|code|email)"
)
_SECRET_NAME = re.compile(rf"{_NAMES}|bearer", re.IGNORECASE)
_NAME = rf"(?<![a-z0-9_]){_NAMES}"
#: An opening quote as it stands in text, in JSON, and in JSON within JSON.
_QUOTE = r"\\*[\"']"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # http://user:password@host
        (r"(://)[^/\s@\"']+@", rf"\1{MASK}@"),
        # Authorization headers; words of prose hold no digit.
        (
            r"\b(bearer|basic)(\s+|%20|\+)(?=[^\s\"'\\,;)]*\d)[^\s\"'\\,;)<]{8,}",
            rf"\1\2{MASK}",
        ),
        # The Homey's bearer, whole or cut: <uuid>:<uuid>:<40 hex>
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::|%3a)[0-9a-f:%-]{8,}", MASK),
        # Codes, access and refresh tokens of the cloud
        (r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", MASK),
        # JSON web tokens, whole or cut
        (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}", MASK),
        # "name": "value" and name="value", also escaped
        (rf"({_NAME})({_QUOTE}\s*:\s*|=|%3d)({_QUOTE})(?!{MASK}).*?\3", rf"\1\2\3{MASK}\3"),
        # name=value, as in queries and forms
        (rf"({_NAME})(=|%3d)(?!{_QUOTE}|{MASK})[^\s&\"'\\;,)}}<>]+", rf"\1\2{MASK}"),
    )
)
#: In a host's answer, anything this long and opaque may be a secret of its own.
_OPAQUE = re.compile(r"[A-Za-z0-9_\-.+/=:%]{20,}")
#: JSON's escapes (RFC 8259, 7).
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([^u]))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name holds a secret, whatever its value."""
    return _SECRET_NAME.fullmatch(name) is not None


def mask_shapes(text: str) -> str:
    """Replace what looks like a secret by its shape or by the name before it."""
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


class Redactor:
    """The live secrets of the process; beyond ``most`` the oldest are forgotten."""

    def __init__(self, most: int = _MOST_SECRETS) -> None:
        self._most = most
        self._long: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._short: OrderedDict[str, re.Pattern[str]] = OrderedDict()

    def add(self, secret: Secret) -> None:
        """Add a secret; a known one becomes the youngest."""
        text = secret.reveal()
        kept: OrderedDict[str, tuple[str, ...]] | OrderedDict[str, re.Pattern[str]]
        if len(text) >= _LONG:
            kept = self._long
            self._long[text] = _spellings(text)
        elif len(text) >= _SHORTEST:
            kept = self._short
            either = "|".join(map(re.escape, _spellings(text)))
            self._short[text] = re.compile(rf"(?<![0-9A-Za-z])(?:{either})(?![0-9A-Za-z])")
        else:
            return
        kept.move_to_end(text)
        while len(kept) > self._most:
            kept.popitem(last=False)

    def value(self, text: str) -> str:
        """Return a field's value or a traceback without secrets, short ones included."""
        for alone in tuple(self._short.values()):
            text = alone.sub(MASK, text)
        return self.line(text)

    def line(self, text: str) -> str:
        """Return a rendered line without secrets.

        Short ones are left: they may be a word of an event's name.
        """
        for spellings in tuple(self._long.values()):
            for spelling in spellings:
                if spelling in text:
                    text = text.replace(spelling, MASK)
        return mask_shapes(text)


def excerpt(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return the start of a host's response: printable, bounded, without secrets.

    Whatever is long and opaque enough to be a secret is left out too. Where a secret shows
    only once encodings are undone, nothing is left: a host that encodes it can also cut it.
    """
    known = {printable(secret.reveal()) for secret in secrets} - {""}
    longest_first = sorted(known, key=len, reverse=True)
    # Read further than shown: a secret cut in half would not be recognised.
    text = printable(text[: _READ + _EXCERPT])
    for secret in longest_first:
        text = text.replace(secret, "…")
    if known and any(secret in reading for reading in _decoded(text) for secret in known):
        return "…"
    return mask_shapes(_OPAQUE.sub("…", text[:_READ]))[:_EXCERPT].strip()


def last_words(text: str, token: Secret | None, most: int) -> str:
    """Return the end of a command's output on one line, without its token.

    Pieces of the token go too: a command may be killed in the middle of a word.

    Args:
        text: What the command wrote.
        token: The token it was given, if any.
        most: The number of characters to keep.
    """
    secret = token.reveal() if token else ""
    size = min(_PIECE, len(secret))
    spellings = _spellings(secret) if secret else ()
    pieces = {one[at : at + size] for one in spellings for at in range(len(one) - size + 1)}
    hidden = bytearray(len(text))
    for at in range(len(text) - size + 1):
        if text[at : at + size] in pieces:
            hidden[at : at + size] = b"\1" * size
    shown = "".join(
        "\0" if hide else char for char, hide in zip(printable(text), hidden, strict=True)
    )
    words = re.sub("\0+", "…", shown[-most:])
    return mask_shapes(" ".join(words.split()))


def printable(text: str) -> str:
    """Return the text with a blank in place of each unprintable character."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else " " for char in text)


def _spellings(text: str) -> tuple[str, ...]:
    """Return a text in the spellings of URLs, JSON, Python and HTML; the longest first."""
    once = {
        text,
        quote(text, safe=""),
        quote(text),
        quote_plus(text),
        json.dumps(text)[1:-1],
        json.dumps(text, ensure_ascii=False)[1:-1],
        repr(text)[1:-1],
        html.escape(text),
    }
    lower = {re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in once}
    # What was spelled once may be written into a JSON line, and so be escaped again.
    twice = {json.dumps(each)[1:-1] for each in once | lower}
    return tuple(sorted(once | lower | twice, key=len, reverse=True))


def _decoded(text: str) -> Iterator[str]:
    """Yield the text with any two of its encodings decoded, in any order."""
    for once in _undone(text):
        yield printable(once)
        for twice in _undone(once):
            yield printable(twice)


def _undone(text: str) -> tuple[str, ...]:
    """Return it without percent-encoding, form encoding, character references, JSON escapes."""
    escapes = _ESCAPE.sub(_unescaped, text)
    return unquote(text), unquote_plus(text), html.unescape(text), escapes


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2])
