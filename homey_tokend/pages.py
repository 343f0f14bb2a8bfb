"""What the consent pages give: the form's ``_csrf`` and the cookies. Pure."""

import re
from collections.abc import Iterable
from html.parser import HTMLParser
from itertools import islice

#: csurf's tokens are 36 characters (docs/wire.md A2); anything longer than this is not one.
_VALUE_LIMIT = 4096
_COOKIES = 20
_COOKIE_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,256}")
_COOKIE_VALUE = re.compile(r"[!-~]{0,4096}")


class _Form(HTMLParser):
    """Finds the first ``<input name="_csrf" value="…">``; a ``<meta>`` of that name is a decoy."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.csrf: str | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag != "input" or self.csrf is not None:
            return
        found = dict(attrs)
        if found.get("name") == "_csrf" and found.get("value"):
            self.csrf = found["value"]


def csrf_of(page: bytes) -> str | None:
    """The hidden ``_csrf`` field of a consent page, in whatever attribute order.

    Returns:
        Its value, or None where the page has no such field (``docs/wire.md`` A2).
    """
    parser = _Form()
    parser.feed(page.decode("utf-8", "replace"))
    parser.close()
    return parser.csrf if parser.csrf and len(parser.csrf) <= _VALUE_LIMIT else None


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
