"""What a request asks for, read from its query and its Accept header within bounds."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web

from homey_tokend.core import timefmt
from homey_tokend.server.problems import Problem

#: How long is a refresh waited for where nothing is said?
DEFAULT_WAIT = timedelta(seconds=30)
#: How long at most? Longer wishes are cut to this, not refused: the answer is the same, only sooner.
LONGEST_WAIT = timedelta(seconds=300)


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """A request for a token.

    Args:
        homey: The name in ``?homey=``, or None.
        min_ttl: How much life the token shall have left.
        wait: How long to wait for a refresh; None where neither ``min_ttl`` nor ``wait`` was
            asked for: then what is held is answered at once.
        as_json: The JSON document is wanted, not the bare text.
    """

    homey: str | None = None
    min_ttl: timedelta = timedelta(0)
    wait: timedelta | None = None
    as_json: bool = False


#: What a bare ``GET /token`` asks: one object for all of them, because they are many.
BARE = TokenQuery()


def token_query(request: web.Request) -> TokenQuery:
    """Read a request for a token.

    Args:
        request: The request, whose body is not looked at.

    Returns:
        What is asked for.

    Raises:
        Problem: 400, a value is no duration or no known format.
    """
    accept = request.headers.get("Accept")
    if not request.rel_url.raw_query_string and (accept is None or accept == "*/*"):
        return BARE
    query = request.query
    asks = "min_ttl" in query or "wait" in query
    return TokenQuery(
        homey=query.get("homey"),
        min_ttl=_span(query, "min_ttl", timedelta(0)),
        wait=wait_query(request) if asks else None,
        as_json=_wants_json(query.get("format"), accept or ""),
    )


def wait_query(request: web.Request) -> timedelta:
    """How long a request wants to wait: ``?wait=``, at most 300 s.

    Raises:
        Problem: 400, the value is no duration.
    """
    return min(_span(request.query, "wait", DEFAULT_WAIT), LONGEST_WAIT)


def _span(query: Mapping[str, str], name: str, default: timedelta) -> timedelta:
    text = query.get(name)
    if text is None:
        return default
    try:
        return timedelta(seconds=timefmt.parse_seconds(text))
    except ValueError as error:
        raise Problem(400, "bad-parameter", f"{name}: {error}", kind="bad_parameter") from error


def _wants_json(wish: str | None, accept: str) -> bool:
    if wish is None:
        return _weight(accept, "application/json") > _weight(accept, "text/plain")
    if wish in {"json", "text"}:
        return wish == "json"
    raise Problem(400, "bad-parameter", "format: text or json is expected", kind="bad_parameter")


def _weight(accept: str, kind: str) -> float:
    """The weight that an Accept header names for exactly this media type (RFC 9110, 12.5.1)."""
    for part in accept.lower().split(","):
        name, *parameters = (piece.strip() for piece in part.split(";"))
        if name == kind:
            return _q(parameters)
    return 0.0


def _q(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0
