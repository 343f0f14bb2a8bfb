"""The content of the consent page: the form's ``_csrf`` and the Homeys to choose from."""

import html
import re
from collections.abc import Iterator
from itertools import islice

#: csurf's tokens are 36 characters (docs/wire.md A2); anything longer than this is not one.
_VALUE_LIMIT = 4096
#: How long may the attributes of one <input> be? Enough for a value at its limit.
_ATTRIBUTES_LIMIT = 4 * _VALUE_LIMIT
#: What stands for a Homey in the form (docs/wire.md A3), and how many are believed.
_HOMEY = re.compile(r"resource\.homey\.([0-9A-Za-z-]{1,36})")
_HOMEYS = 100

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


def find_csrf(page: bytes) -> str | None:
    """Return the value of the hidden ``_csrf`` field, in any attribute order.

    A ``<meta>`` of that name, comments, scripts and templates are decoys; of several
    fields the first with a value counts. None: the page has no such field
    (``docs/wire.md`` A2).
    """
    for tag, attributes in _fields(page.decode("utf-8", "replace")):
        if tag == "input" and attributes.get("name") == "_csrf" and attributes.get("value"):
            return attributes["value"]
    return None


def find_offered_homeys(page: bytes) -> tuple[str, ...]:
    """Return the cloudids on a consent page, in its order (``docs/wire.md`` A2)."""
    fields = _fields(page.decode("utf-8", "replace"))
    found = (_HOMEY.fullmatch(attributes.get("value", "")) for _, attributes in fields)
    return tuple(islice(dict.fromkeys(each[1] for each in found if each), _HOMEYS))


def _fields(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    # Each <input> and <option> that a browser would show, with its attributes.
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
        elif tag in {"input", "option"} and opens and not templates:
            yield tag, _attributes(found["attributes"])


def _next_markup(text: str, at: int) -> re.Match[str] | None:
    # None, too, where one is begun and never ended.
    begun = _BEGUN.search(text, at)
    return _MARKUP.match(text, begun.start()) if begun else None


def _attributes(text: str) -> dict[str, str]:
    # By lower-case name; of one name the first counts, overlong ones not at all.
    if len(text) > _ATTRIBUTES_LIMIT:
        return {}
    known: dict[str, str] = {}
    for found in _ONE_ATTRIBUTE.finditer(text):
        value = found["double"] or found["single"] or found["bare"] or ""
        if len(value) <= _VALUE_LIMIT:
            # Bounded first: a character reference is read as a number of its own length.
            known.setdefault(found["name"].lower(), html.unescape(value))
    return known
