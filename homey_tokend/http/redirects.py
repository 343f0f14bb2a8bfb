"""Redirects that are followed by hand, and the cookies that travel along."""

from collections.abc import Iterable, Mapping

from yarl import URL

from homey_tokend.core.http_types import Request, Response

_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def next_redirect(request: Request, url: URL, response: Response) -> URL | None:
    """Where a redirect leads that is to be followed, or None.

    Only a GET that allows it, and only within the origin: the redirect to the redirect
    URL carries the code and goes back to whoever sent the request.
    """
    location = response.header("location")
    if not request.follow or request.method.upper() != "GET" or location is None:
        return None
    if response.status not in _REDIRECTS:
        return None
    try:
        # As it was written: yarl would undo %3A%2F%2F and %7E otherwise.
        target = url.join(URL(location, encoded=True))
        same = (target.scheme, target.raw_host, target.port) == (
            url.scheme,
            url.raw_host,
            url.port,
        )
    except (ValueError, IndexError):  # IndexError: yarl's, of "https://[]@"
        return None
    return target.with_fragment(None) if same else None


def merge_cookies(headers: Mapping[str, str], set_cookies: Iterable[str]) -> dict[str, str]:
    """Request headers whose Cookie has the new values; attributes of cookies are dropped."""
    merged = dict(headers)
    jar = dict(_pair(part) for part in merged.pop("Cookie", "").split(";") if part.strip())
    jar.update(_pair(cookie.partition(";")[0]) for cookie in set_cookies)
    if jar:
        merged["Cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
    return merged


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value.strip()
