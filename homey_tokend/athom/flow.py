"""Run a flow, and interpret what is common to the responses of all steps."""

import re
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import TypeVar

from homey_tokend.core.errors import (
    HomeyOffline,
    InvalidResponse,
    ProtocolChanged,
    ServerError,
    Throttled,
    TokendError,
)
from homey_tokend.core.http_types import NO_JSON, Flow, Request, Response, Step
from homey_tokend.core.ports import Transport
from homey_tokend.core.redact import excerpt
from homey_tokend.core.secret import Secret

T = TypeVar("T")
OnResponse = Callable[[Request, Response], None]
#: The longest token that is accepted: a JWT has claims of unknown length (docs/wire.md A5).
JWT_LIMIT = 16384
_OFFLINE = b"mesh_node_offline"


async def run_flow(flow: Flow[T], transport: Transport, on_response: OnResponse | None = None) -> T:
    """Send the requests that a flow yields, send it the responses, and return its value.

    A failure of the transport is thrown into the flow, which may continue without the response.

    Raises:
        TokendError: What the flow raises or does not catch.
    """
    try:
        request = next(flow)
        while True:
            try:
                response = await transport.send(request)
            except TokendError as error:
                request = flow.throw(error)
            else:
                if on_response is not None:
                    on_response(request, response)
                request = flow.send(response)
    except StopIteration as end:
        value: T = end.value
        return value
    finally:
        flow.close()


def ask(request: Request) -> Flow[Response]:
    """Yield a request, and return its response.

    Raises:
        HomeyOffline, Throttled, ServerError: See ``raise_for_common_failures``.
    """
    response = yield request
    raise_for_common_failures(request.step, response)
    return response


def raise_for_common_failures(step: Step, response: Response) -> None:
    """Raise an error for responses that mean the same at every step.

    Raises:
        HomeyOffline: The cloud cannot reach the Homey (``docs/wire.md`` A6).
        Throttled: The status is 429.
        ServerError: The status is 408, 425 or 5xx.
    """
    status = response.status
    if _OFFLINE in response.body[:4096] and not _is_plain_success(response):
        raise HomeyOffline(
            "the Athom cloud cannot reach the Homey",
            step=step,
            status=status,
            retry_after=response.retry_after(),
            remedy="Check that the Homey is switched on and online.",
        )
    if status == 429:
        message = f"{step}: too many requests (429)"
        raise Throttled(message, step=step, status=status, retry_after=response.retry_after())
    if status in {408, 425} or status >= 500:
        message = f"{step}: the server reports an error ({status})"
        raise ServerError(message, step=step, status=status, retry_after=response.retry_after())


def _is_plain_success(response: Response) -> bool:
    # The word may be part of a regular response, such as in a variable's name.
    found = response.json() if 200 <= response.status < 300 else NO_JSON
    is_error = isinstance(found, str) or (isinstance(found, dict) and "error" in found)
    return found is not NO_JSON and not is_error


def parse_json(step: Step, response: Response) -> object:
    """Return the JSON of a response, whatever its content type.

    Raises:
        InvalidResponse: It is HTML, empty or truncated JSON (a captive portal, a broken proxy).
    """
    found = response.json()
    if found is NO_JSON:
        raise InvalidResponse(
            f"{step}: the response ({response.status}) is not JSON",
            step=step,
            status=response.status,
            remedy="Open the host's address in a browser:"
            " a captive portal or proxy may respond instead of it.",
        )
    return found


def parse_success(step: Step, response: Response, hide: Iterable[Secret]) -> object:
    """Return the JSON of a 200; ``hide`` are secrets that no error may quote.

    Raises:
        InvalidResponse: The status is 2xx, but the body is not JSON.
        ProtocolChanged: It is another status than 200.
    """
    found = parse_json(step, response) if 200 <= response.status < 300 else None
    if response.status != 200:
        raise protocol_changed(step, response, f"unknown response{quoted_error(response, hide)}")
    return found


def parse_object(step: Step, response: Response, hide: Iterable[Secret]) -> dict[str, object]:
    """Return the JSON object of a 200; errors as of ``parse_success``."""
    found = parse_success(step, response, hide)
    if not isinstance(found, dict):
        raise protocol_changed(step, response, "the response is not a JSON object")
    return found


def protocol_changed(
    step: Step, response: Response, what: str, try_first: str = ""
) -> ProtocolChanged:
    """Return the error for a response that no known server sends.

    Args:
        step: The step.
        response: The response.
        what: What is wrong with it.
        try_first: A remedy to put before the usual one.
    """
    remedy = "Athom may have changed this step: look for a newer version of homey-tokend."
    return ProtocolChanged(
        f"{step}: {what} (status {response.status})",
        step=step,
        status=response.status,
        remedy=f"{try_first} {remedy}".strip(),
    )


def parse_token(
    step: Step, response: Response, value: object, what: str, limit: int = JWT_LIMIT
) -> Secret:
    """Return a token: 1 to ``limit`` printable ASCII characters without blanks.

    Raises:
        ProtocolChanged: The value is not a token.
    """
    if isinstance(value, str) and 1 <= len(value) <= limit and re.fullmatch(r"[!-~]+", value):
        return Secret(value)
    raise protocol_changed(step, response, f"there is no {what} in the response")


def parse_bare_token(
    step: Step, response: Response, hide: Iterable[Secret], what: str, limit: int = JWT_LIMIT
) -> Secret:
    """Return the token that is the whole JSON of a 200; errors as of ``parse_success``."""
    return parse_token(step, response, parse_success(step, response, hide), what, limit)


def quoted_error(response: Response, hide: Iterable[Secret] = ()) -> str:
    """Return the error text of a response in brackets, to append to a message; or "".

    It is from ``error`` and ``error_description``, each a text or an object of field to text
    (``docs/wire.md`` A1): printable, at most 200 characters, without known secrets and without
    anything that is long and opaque enough to be one.
    """
    found = response.json()
    if not isinstance(found, dict):
        return ""
    parts = [*_texts(found.get("error")), *_texts(found.get("error_description"))]
    words = excerpt(": ".join(parts), hide)
    return f" (“{words}”)" if words else ""


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [f"{key} {text}" for key, text in list(value.items())[:8] if isinstance(text, str)]
    return []


def clock_skew(response: Response) -> timedelta | None:
    """Return the server's clock minus ours, by the Date header; None if there is none.

    The header has whole seconds and was written between our sending and receiving, so it gives
    an interval. If zero is outside of it, the larger end is returned, so that a token expires too
    early rather than too late. If zero is inside, our clock may be right: the result is mostly
    zero, and larger for a slow response, so that a token expires at most a second too late.
    """
    date = response.date()
    if date is None:
        return None
    lowest, since_sent = date - response.received_at, date - response.sent_at
    highest = since_sent + timedelta(seconds=1)
    return max(timedelta(0), since_sent) if lowest <= timedelta(0) <= highest else highest


def trusted_clock_skew(response: Response) -> timedelta | None:
    """Return the skew to apply to other responses, or None.

    It is only taken from an accepted response over verified TLS: a captive portal's clock may be
    wrong.
    """
    return clock_skew(response) if response.trusted and 200 <= response.status < 400 else None
