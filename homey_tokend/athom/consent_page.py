"""The content of the consent page: the form's ``_csrf`` and the Homeys to choose from."""

import html
import re
from collections.abc import Iterator
from itertools import islice

#: The longest value that is read; csurf's tokens have 36 characters (docs/wire.md A2).
_VALUE_LIMIT = 4096
#: The longest attributes of one element that are read, enough for a value at its limit.
_ATTRIBUTES_LIMIT = 4 * _VALUE_LIMIT
#: The value for a Homey in the form (docs/wire.md A3), and the most Homeys that are read.
_HOMEY = re.compile(r"resource\.homey\.([0-9A-Za-z-]{1,36})")
_HOMEYS = 100

# Not html.parser: it takes hours for one MiB of "<a <a <a", and raises undocumented exceptions.
# The quantifiers are possessive, so there is no backtracking and the time is linear.
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
#: The end tags of elements whose content is text.
_TEXTS = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE | re.ASCII)
    for name in ("script", "style", "textarea", "title", "iframe", "noembed", "noframes", "xmp")
}


def find_csrf(page: bytes) -> str | None:
    """Return the value of the hidden ``_csrf`` field, or None (``docs/wire.md`` A2).

    A ``<meta>`` of that name, comments, scripts and templates are ignored; the first field with
    a value counts.
    """
    for tag, attributes in _fields(page.decode("utf-8", "replace")):
        if tag == "input" and attributes.get("name") == "_csrf" and attributes.get("value"):
            return attributes["value"]
    return None


def find_offered_homeys(page: bytes) -> tuple[str, ...]:
    """Return the cloudids on a consent page, in the page's order (``docs/wire.md`` A2)."""
    fields = _fields(page.decode("utf-8", "replace"))
    found = (_HOMEY.fullmatch(attributes.get("value", "")) for _, attributes in fields)
    return tuple(islice(dict.fromkeys(each[1] for each in found if each), _HOMEYS))


def _fields(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    # Yields each <input> and <option> that a browser shows, with its attributes.
    at, templates = 0, 0
    while (found := _next_markup(text, at)) is not None:
        at = found.end()
        if found["comment"] is not None:
            # "<!-->" is a complete comment; one without an end extends to the end of the page.
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
    # Also None if the markup is incomplete.
    begun = _BEGUN.search(text, at)
    return _MARKUP.match(text, begun.start()) if begun else None


def _attributes(text: str) -> dict[str, str]:
    # By lower-case name. The first attribute of a name counts; too long values are ignored.
    if len(text) > _ATTRIBUTES_LIMIT:
        return {}
    known: dict[str, str] = {}
    for found in _ONE_ATTRIBUTE.finditer(text):
        value = found["double"] or found["single"] or found["bare"] or ""
        if len(value) <= _VALUE_LIMIT:
            # Only after the check of the length: a character reference may have many digits.
            known.setdefault(found["name"].lower(), html.unescape(value))
    return known
