"""A ``Request`` on the wire: its URL, its headers, and where its redirects lead."""

from urllib.parse import quote, urlencode

from yarl import URL

from homey_tokend.core.http_types import Request, Response

_HEADERS = {
    "Accept": "application/json, text/html;q=0.9, */*;q=0.1",
    # Not compressed: 48 KB of gzip can be 50 MB.
    "Accept-Encoding": "identity",
}
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


def url_of(request: Request) -> URL:
    """Return the URL with its query, each value encoded once."""
    url = URL(request.url)
    if not request.query:
        return url
    # Not yarl's own way: what it leaves bare has changed between versions.
    query = urlencode(request.query, quote_via=quote, safe="")
    joint = f"{url.raw_query_string}&{query}" if url.raw_query_string else query
    return URL(f"{url.with_query(None).with_fragment(None)}?{joint}", encoded=True)


def headers_of(request: Request, user_agent: str) -> dict[str, str]:
    """Return all headers of a request."""
    headers = {**_HEADERS, "User-Agent": user_agent, **request.headers}
    if request.form is not None:
        headers["Content-Type"] = "application/x-www-form-urlencoded"
    if request.bearer is not None:
        headers["Authorization"] = f"Bearer {request.bearer.reveal()}"
    return headers


def next_redirect(request: Request, url: URL, response: Response) -> URL | None:
    """Return where a redirect leads if it is to be followed, else None.

    Only a GET that allows it, and only within the origin: the redirect to the redirect
    URL contains the code and is returned to the caller.
    """
    location = response.header("location")
    if not request.follow or request.method.upper() != "GET" or location is None:
        return None
    if response.status not in _REDIRECTS:
        return None
    try:
        # As it was written: yarl would undo %3A%2F%2F and %7E otherwise.
        target = url.join(URL(location, encoded=True))
        same = (target.scheme, target.raw_host, target.port) == (url.scheme, url.raw_host, url.port)
    except (ValueError, IndexError):  # IndexError: yarl's, of "https://[]@"
        return None
    return target.with_fragment(None) if same else None
