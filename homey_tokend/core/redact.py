"""Remove secrets from text: log lines, responses of hosts, the output of commands.

``core.secret.Secret`` does not print itself; this is the last line of defence against text from
elsewhere that contains a secret. Secrets are recognised by value, in all usual encodings, and by
their form or the name before them (``docs/wire.md``).
"""

import html
import json
import re
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote, unquote_plus

from homey_tokend.core.secret import Secret

MASK = "<secret>"

#: The most secrets to remember: a Homey has about ten, and a new token every day.
_MOST_SECRETS = 512
#: A shorter secret may be part of any word: it is masked only as a whole word, and not at all
#: below ``_SHORTEST`` (masking every "ab" would reveal that the password is "ab").
_LONG = 8
_SHORTEST = 3
#: So many consecutive characters of a token are masked; fewer may be a coincidence.
_PIECE = 8
#: How many characters of a response are read, and how many are shown. Together they are below
#: 4,300, so that no character reference has too many digits for int().
_READ, _EXCERPT = 4000, 200

_NAMES = (
    r"(?:[a-z0-9_]*(?:password|passwd|secret|token|csrf|totp)"
    r"|authorization|cookie|code|email)"
)
_SECRET_NAME = re.compile(rf"{_NAMES}|bearer", re.IGNORECASE)
_NAME = rf"(?<![a-z0-9_]){_NAMES}"
#: An opening quote in text, in JSON, and in JSON within JSON.
_QUOTE = r"\\*[\"']"
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), replacement)
    for pattern, replacement in (
        # http://user:password@host
        (r"(://)[^/\s@\"']+@", rf"\1{MASK}@"),
        # Authorization headers; words of prose contain no digit.
        (
            r"\b(bearer|basic)(\s+|%20|\+)(?=[^\s\"'\\,;)]*\d)[^\s\"'\\,;)<]{8,}",
            rf"\1\2{MASK}",
        ),
        # The Homey's bearer, complete or truncated: <uuid>:<uuid>:<40 hex>
        (r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?::|%3a)[0-9a-f:%-]{8,}", MASK),
        # Codes, access and refresh tokens of the cloud
        (r"(?<![0-9a-f])[0-9a-f]{40}(?![0-9a-f])", MASK),
        # JSON Web Tokens, complete or truncated
        (r"\beyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,4}", MASK),
        # "name": "value" and name="value", also escaped
        (rf"({_NAME})({_QUOTE}\s*:\s*|=|%3d)({_QUOTE})(?!{MASK}).*?\3", rf"\1\2\3{MASK}\3"),
        # name=value, as in queries and forms
        (rf"({_NAME})(=|%3d)(?!{_QUOTE}|{MASK})[^\s&\"'\\;,)}}<>]+", rf"\1\2{MASK}"),
    )
)
#: In a host's response, anything this long and opaque may be a secret of the host's.
_OPAQUE = re.compile(r"[A-Za-z0-9_\-.+/=:%]{20,}")
#: JSON's escapes (RFC 8259, 7).
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([^u]))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def is_secret_name(name: str) -> bool:
    """Return whether a field of this name contains a secret."""
    return _SECRET_NAME.fullmatch(name) is not None


def mask_shapes(text: str) -> str:
    """Mask what looks like a secret, by its form or by the name before it."""
    for pattern, replacement in _SHAPES:
        text = pattern.sub(replacement, text)
    return text


class Redactor:
    """Mask the known secrets of the process; only the latest ``most`` are remembered."""

    def __init__(self, most: int = _MOST_SECRETS) -> None:
        self._most = most
        self._long: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._short: OrderedDict[str, re.Pattern[str]] = OrderedDict()

    def add(self, secret: Secret) -> None:
        """Add a secret; a known one counts as the latest again."""
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
        """Return a field's value or a traceback without secrets, including short ones."""
        for alone in tuple(self._short.values()):
            text = alone.sub(MASK, text)
        return self.line(text)

    def line(self, text: str) -> str:
        """Return a rendered line without secrets.

        Short ones stay: they may be a word of an event's name.
        """
        for spellings in tuple(self._long.values()):
            for spelling in spellings:
                if spelling in text:
                    text = text.replace(spelling, MASK)
        return mask_shapes(text)


def excerpt(text: str, secrets: Iterable[Secret] = ()) -> str:
    """Return the start of a host's response: printable, bounded, without secrets.

    Everything that is long and opaque enough to be a secret is left out, too. If a secret only
    appears once the text is decoded, nothing is shown: a host that encodes it may also cut it.
    """
    known = {printable(secret.reveal()) for secret in secrets} - {""}
    longest_first = sorted(known, key=len, reverse=True)
    # Read more than is shown: half of a secret would not be recognised.
    text = printable(text[: _READ + _EXCERPT])
    for secret in longest_first:
        text = text.replace(secret, "…")
    if known and any(secret in reading for reading in _decoded(text) for secret in known):
        return "…"
    return mask_shapes(_OPAQUE.sub("…", text[:_READ]))[:_EXCERPT].strip()


def last_words(text: str, token: Secret | None, most: int) -> str:
    """Return the end of a command's output on one line, without its token.

    Parts of the token are masked, too: a command may be killed in the middle of a word.

    Args:
        text: The output.
        token: The token that the command got, if any.
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
    """Return a text as encoded in URLs, JSON, Python and HTML; the longest first."""
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
    # An encoded text may be written into a JSON line, and so be escaped again.
    twice = {json.dumps(each)[1:-1] for each in once | lower}
    return tuple(sorted(once | lower | twice, key=len, reverse=True))


def _decoded(text: str) -> Iterator[str]:
    """Yield the text with one or two of its encodings decoded, in any order."""
    for once in _undone(text):
        yield printable(once)
        for twice in _undone(once):
            yield printable(twice)


def _undone(text: str) -> tuple[str, ...]:
    """Return the text without percent-encoding, form encoding, character references, JSON escapes."""
    escapes = _ESCAPE.sub(_unescaped, text)
    return unquote(text), unquote_plus(text), html.unescape(text), escapes


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2])
