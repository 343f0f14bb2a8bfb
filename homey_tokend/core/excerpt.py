"""What may be shown of a foreign text: bounded, printable, without secrets."""

import html
import json
import re
from collections.abc import Iterable, Iterator
from urllib.parse import unquote, unquote_plus

from homey_tokend.core.http_types import Response
from homey_tokend.core.secret import Secret

#: How much of a foreign text is looked at, and how much is shown? With both together below
#: 4,300, no run of digits in a character reference is too long for int().
_READ, _EXCERPT = 4000, 200
_OPAQUE = re.compile(r"[A-Za-z0-9_\-.+/=:%]{20,}")
#: JSON's escapes (RFC 8259, 7).
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|([^u]))")
_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}


def said(response: Response, hide: Iterable[Secret] = ()) -> str:
    """What the server says of an error: printable, at most 200 characters, no secret.

    Looks at ``error`` and ``error_description``, which may be text or an object
    of field to text (``docs/wire.md`` A1). Known secrets and everything that is
    long and opaque enough to be one are left out.
    """
    try:
        found = json.loads(response.body)
    except (ValueError, RecursionError):
        return ""
    if not isinstance(found, dict):
        return ""
    parts = [*_texts(found.get("error")), *_texts(found.get("error_description"))]
    return clean(": ".join(parts), hide)


def quoted(response: Response, hide: Iterable[Secret]) -> str:
    """The same in brackets, behind a sentence of ours."""
    words = said(response, hide)
    return f" (“{words}”)" if words else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [f"{key} {text}" for key, text in list(value.items())[:8] if isinstance(text, str)]
    return []


def clean(text: str, hide: Iterable[Secret] = ()) -> str:
    """Foreign text made fit to be shown: bounded, printable, without secrets.

    A secret that shows only once percent-encoding or escapes are undone leaves nothing
    of the text: who encodes it can cut it up as well.
    """
    known = {_printable(one.reveal()) for one in hide}
    secrets = sorted(filter(None, known), key=len, reverse=True)
    # Read further than shown: a secret that the cut halves would be met by no comparison.
    text = _printable(text[: _READ + _EXCERPT])
    for secret in secrets:
        text = text.replace(secret, "…")
    readings = {_printable(reading) for reading in _decoded(text)} if secrets else ()
    if any(secret in reading for reading in readings for secret in secrets):
        return "…"
    return _OPAQUE.sub("…", text[:_READ])[:_EXCERPT].strip()


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else " " for c in text)


def _decoded(text: str) -> Iterator[str]:
    """The text as it reads once any two of its encodings are undone, in any order."""
    for once in _undone(text):
        yield once
        yield from _undone(once)


def _undone(text: str) -> tuple[str, ...]:
    """Without percent-encoding, a form's encoding, character references, JSON's escapes."""
    escapes = _ESCAPE.sub(_unescaped, text)
    return unquote(text), unquote_plus(text), html.unescape(text), escapes


def _unescaped(found: re.Match[str]) -> str:
    return chr(int(found[1], 16)) if found[1] else _ESCAPED.get(found[2], found[2])
