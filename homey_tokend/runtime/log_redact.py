"""Takes secrets out of log lines: the last line of defence, not the first.

Secrets are a type that does not print itself (``model.Secret``). What is here
catches foreign text that holds one all the same: an exception of a library, a
traceback, the output of a command. It knows the live secrets in every spelling
that is usual, and the shapes and names that secrets have (``docs/wire.md``).
"""

import html
import json
import re
from collections import OrderedDict
from collections.abc import Iterator
from typing import TypeVar
from urllib.parse import quote, quote_plus

from homey_tokend.core.secret import Secret

MASK = "<secret>"

_T = TypeVar("_T")

#: How many live secrets are known at once? A Homey has about ten, and a new token a day.
_MOST = 512

#: From how many characters on is a secret sought within words? A shorter one may be part of
#: any word: it is only taken out where it stands alone, and under three characters not at
#: all: blanking every "ab" would tell that the password is "ab".
_LONG = 8
_SHORT = 3

_NAMES = (
    r"(?<![a-z0-9_])(?:[a-z0-9_]*(?:password|passwd|secret|token|csrf|totp)"
    r"|authorization|cookie|code|email)"
)

#: An opening quote as it stands in text, JSON, and JSON within JSON.
_QUOTE = r"\\*[\"']"

_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
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
        (
            rf"({_NAMES})({_QUOTE}\s*:\s*|=|%3d)({_QUOTE})(?!{MASK}).*?\3",
            rf"\1\2\3{MASK}\3",
        ),
        # name=value, as in queries and forms
        (rf"({_NAMES})(=|%3d)(?!{_QUOTE}|{MASK})[^\s&\"'\\;,)}}<>]+", rf"\1\2{MASK}"),
    )
)


class Redactor:
    """Knows the live secrets, and takes them out of text.

    The oldest are forgotten when there are more than it holds.
    """

    def __init__(self, most: int = _MOST) -> None:
        self._most = most
        #: Each secret's spellings, longest first; the key is the secret itself.
        self._spellings: OrderedDict[str, tuple[str, ...]] = OrderedDict()
        self._alone: OrderedDict[str, re.Pattern[str]] = OrderedDict()

    def add(self, secret: Secret) -> None:
        """Remembers a secret; one that is known already becomes the youngest."""
        text = secret.reveal()
        if len(text) >= _LONG:
            _keep(self._spellings, text, tuple(_spellings(text)), self._most)
        elif len(text) >= _SHORT:
            spellings = "|".join(map(re.escape, _spellings(text)))
            alone = re.compile(rf"(?<![0-9A-Za-z])(?:{spellings})(?![0-9A-Za-z])")
            _keep(self._alone, text, alone, self._most)

    def value(self, text: str) -> str:
        """A field's value, or a traceback, without secrets, the short ones included."""
        for alone in tuple(self._alone.values()):
            text = alone.sub(MASK, text)
        return self.line(text)

    def line(self, text: str) -> str:
        """A rendered line without secrets.

        Short ones are left here: they may be a word of an event's name.
        """
        for spellings in tuple(self._spellings.values()):
            for spelling in spellings:
                if spelling in text:
                    text = text.replace(spelling, MASK)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text


def _keep(kept: OrderedDict[str, _T], key: str, value: _T, most: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > most:
        kept.popitem(last=False)


def _spellings(text: str) -> Iterator[str]:
    """A text as URLs, JSON, Python and HTML spell it; the longest first."""
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
    yield from sorted(once | lower | twice, key=len, reverse=True)
