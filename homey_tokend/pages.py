"""What the consent pages give: the form's ``_csrf`` and the cookies. Pure."""

import html
import re
from collections.abc import Iterable, Iterator
from itertools import islice

#: csurf's tokens are 36 characters (docs/wire.md A2); anything longer than this is not one.
_VALUE_LIMIT = 4096
#: How long may the attributes of one <input> be? Enough for a value at its limit.
_ATTRIBUTES_LIMIT = 4 * _VALUE_LIMIT
_COOKIES = 20
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_COOKIE_VALUE = re.compile(r"[!-~]{0,4096}")

# Why not html.parser? It takes hours for one MiB of "<a <a <a", and raises what it does not
# document. Everything below is possessive: no step is ever taken back, so time is linear.
_ATTRIBUTE = r"""
    (?P<name> [^\s/>] [^\s/>=]*+ )
    (?: \s*+ = \s*+ (?: "(?P<double>[^"]*+)" | '(?P<single>[^']*+)' | (?P<bare>(?!["'])[^\s>]*+) ) )?+
"""
_ONE_ATTRIBUTE = re.compile(_ATTRIBUTE, re.VERBOSE | re.ASCII)
_MARKUP = re.compile(
    r"<(?: !--(?P<comment>) | (?P<end>/?)(?P<tag>[a-zA-Z][^\s/>]*+)(?P<attributes>(?: [\s/]++ |"
    + re.sub(r"\?P<\w+>", "?:", _ATTRIBUTE)
    + r")*+)> | [!?/][^>]*+> )",
    re.VERBOSE | re.ASCII,
)
_BEGUN = re.compile(r"<[a-zA-Z!?/]")
#: Elements whose content is text, up to their own end tag.
_TEXTS = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp")
}


def csrf_of(page: bytes) -> str | None:
    """The hidden ``_csrf`` field of a consent page, in whatever attribute order.

    A ``<meta>`` of that name, comments, scripts and templates are decoys; of several
    fields the first with a value counts.

    Returns:
        Its value, or None where the page has no such field (``docs/wire.md`` A2).
    """
    for attributes in _inputs(page.decode("utf-8", "replace")):
        if attributes.get("name") == "_csrf" and attributes.get("value"):
            return attributes["value"]
    return None


def _inputs(text: str) -> Iterator[dict[str, str]]:
    """The attributes of each ``<input>`` that a browser would show."""
    at, templates = 0, 0
    while (found := _next_markup(text, at)) is not None:
        at = found.end()
        if found["comment"] is not None:
            # "<!-->" is a whole comment; one without an end reaches to the page's end.
            closing = text.find("-->", at - 2)
            at = closing + 3 if closing >= 0 else len(text)
            continue
        tag, opens = (found["tag"] or "").lower(), not found["end"]
        if tag == "template":
            templates = max(0, templates + (1 if opens else -1))
        elif tag in _TEXTS and opens:
            closing_tag = _TEXTS[tag].search(text, at)
            at = closing_tag.start() if closing_tag else len(text)
        elif tag == "input" and opens and not templates:
            yield _attributes(found["attributes"])


def _next_markup(text: str, at: int) -> re.Match[str] | None:
    """The next tag or comment; None too where one is begun and never ended."""
    begun = _BEGUN.search(text, at)
    return _MARKUP.match(text, begun.start()) if begun else None


def _attributes(text: str) -> dict[str, str]:
    """Attributes by lower-case name; of one name the first counts, overlong ones not at all."""
    if len(text) > _ATTRIBUTES_LIMIT:
        return {}
    known: dict[str, str] = {}
    for found in _ONE_ATTRIBUTE.finditer(text):
        value = found["double"] or found["single"] or found["bare"] or ""
        if len(value) <= _VALUE_LIMIT:
            # Bounded first: a character reference is read as a number of its own length.
            known.setdefault(found["name"].lower(), html.unescape(value))
    return known


def cookies_of(set_cookies: Iterable[str]) -> str:
    """The Cookie header that answers these Set-Cookie headers (RFC 6265, 5.4).

    Attributes are dropped: the flow sends cookies only to the host that set them,
    and uses them once. Broken ones are passed over; of one name the last counts.
    """
    jar: dict[str, str] = {}
    for header in islice(set_cookies, _COOKIES):
        name, equals, value = header.partition(";")[0].partition("=")
        name, value = name.strip(), value.strip()
        if equals and _COOKIE_NAME.fullmatch(name) and _COOKIE_VALUE.fullmatch(value):
            jar[name] = value
    return "; ".join(f"{name}={value}" for name, value in jar.items())
