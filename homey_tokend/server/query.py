"""What a request asks for: its query and its Accept header, read within bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from homey_tokend.core.timefmt import parse_seconds
from homey_tokend.server.problems import Problem

#: How long a request waits for a refresh by default.
DEFAULT_WAIT = timedelta(seconds=30)
#: The longest wait. A longer one is shortened, not rejected: the answer is the same, only sooner.
LONGEST_WAIT = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """A request for a token.

    Args:
        homey: The name in ``?homey=``, or None.
        min_ttl: The least remaining lifetime of the token.
        wait: How long to wait for a refresh; None if the query has neither ``min_ttl`` nor
            ``wait``: then the response does not wait.
        as_json: Whether the JSON document is wanted, not the bare text.
    """

    homey: str | None = None
    min_ttl: timedelta = timedelta(0)
    wait: timedelta | None = None
    as_json: bool = False


#: What a plain ``GET /token`` asks for: one object, because there are many of these requests.
PLAIN = TokenQuery()


def token_query(request: web.Request) -> TokenQuery:
    """Read a request for a token.

    Raises:
        Problem: 400, a value is not a duration, or not a known format.
    """
    accept = request.headers.get("Accept", "*/*")
    if not request.rel_url.raw_query_string and accept == "*/*":
        return PLAIN
    query = request.query
    return TokenQuery(
        homey=query.get("homey"),
        min_ttl=_duration(query, "min_ttl", timedelta(0)),
        wait=wait_query(request) if "min_ttl" in query or "wait" in query else None,
        as_json=_wants_json(query.get("format"), accept.lower()),
    )


def wait_query(request: web.Request) -> timedelta:
    """Return how long a request wants to wait: ``?wait=``, at most 300 s.

    Raises:
        Problem: 400, the value is not a duration.
    """
    return min(_duration(request.query, "wait", DEFAULT_WAIT), LONGEST_WAIT)


def _duration(query: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = query.get(name)
    if text is None:
        return default
    try:
        return timedelta(seconds=parse_seconds(text))
    except ValueError as error:
        raise _bad_parameter(f"{name}: {error}") from error


def _wants_json(wanted: str | None, accept: str) -> bool:
    if wanted is None:
        return "application/json" in accept and "text/plain" not in accept
    if wanted in {"json", "text"}:
        return wanted == "json"
    raise _bad_parameter("format: text or json is expected")


def _bad_parameter(detail: str) -> Problem:
    return Problem(400, "bad-parameter", detail)
