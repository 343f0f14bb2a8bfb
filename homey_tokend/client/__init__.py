"""The daemon's client for Python programs; it needs the standard library only.

::

    from homey_tokend import client

    bearer = client.token("home", min_ttl="10m")
    health = client.status()["health"]
    devices = client.call("GET", "/api/manager/devices/device")
    for event in client.events():
        print(event.type, event.data)

Importing it, and asking for a token, loads little more than the bare socket. Everything else
goes through ``http.client``, which is imported at the first use.
"""

from homey_tokend import exit_codes
from homey_tokend.client.errors import ClientError, unusable_response
from homey_tokend.client.transport import TIMEOUT_S, Response, get

TYPE_CHECKING = False  # known to type checkers by its name; typing itself costs too much here
if TYPE_CHECKING:
    from collections.abc import Iterator

    from homey_tokend.client.event_stream import Event

__all__ = [
    "ClientError",
    "Response",
    "ask_token",
    "call",
    "events",
    "forward",
    "refresh",
    "request",
    "status",
    "token",
]

#: Seconds that the daemon waits for a refresh, by default and at most.
_DEFAULT_WAIT_S, _LONGEST_WAIT_S = 30.0, 300.0
#: Seconds that a call to a Homey may take. The daemon allows 15 minutes for a body, but a response
#: that takes this long usually never ends.
_CALL_TIMEOUT_S = 150.0
#: The most characters of a bearer.
_MAX_BEARER = 4096
#: The most characters of Homeys' names in a message.
_MAX_NAMES = 1000
#: The most bytes of a Homey's response; all of its devices are some megabytes.
_MAX_CALL_BYTES = 64 * 1024 * 1024


def token(
    homey: str | None = None,
    min_ttl: str | float | None = None,
    wait: str | float | None = None,
    socket: str | None = None,
) -> str:
    """Return a valid bearer token, without a newline.

    Args:
        homey: The Homey's name; None if only one is configured.
        min_ttl: The least remaining lifetime: seconds, or text such as ``10m``.
        wait: How long to wait for a refresh: as ``min_ttl``, at most 300 s.
        socket: The daemon's socket; None searches the usual places.

    Raises:
        ClientError: No token; ``exit_status`` shows whether trying again can help.
    """
    text = ask_token(homey, min_ttl, wait, socket).body.decode("latin-1").rstrip("\r\n")
    if not is_bearer(text):
        raise unusable_response("the answer is not a token: is this the daemon's socket?")
    return text


def is_bearer(text: str) -> bool:
    """Return whether this can be a bearer: printable ASCII without blanks, not too long."""
    return (
        0 < len(text) <= _MAX_BEARER and text.isascii() and text.isprintable() and " " not in text
    )


def ask_token(
    homey: str | None,
    min_ttl: str | float | None,
    wait: str | float | None,
    socket: str | None,
    *,
    as_json: bool = False,
) -> Response:
    """Return the answer of ``/token``, as text or as the JSON document.

    Args:
        homey: As for ``token``.
        min_ttl: As for ``token``.
        wait: As for ``token``.
        socket: As for ``token``.
        as_json: Ask for the JSON document.

    Raises:
        ClientError: No token.
    """
    path = "/token" if homey is None else f"/homeys/{quote(homey)}/token"
    pairs = (("min_ttl", min_ttl), ("wait", wait), ("format", "json" if as_json else None))
    query = "&".join(f"{name}={quote(str(value))}" for name, value in pairs if value is not None)
    waits = min_ttl is not None or wait is not None
    timeout = TIMEOUT_S + (_wait_s(wait) if waits else 0.0)
    return _successful(get(f"{path}?{query}" if query else path, socket, timeout))


def request(
    method: str, path: str, *, socket: str | None = None, timeout: float = TIMEOUT_S
) -> Response:
    """Send one request to the daemon and return its answer.

    Args:
        method: GET, HEAD or POST, without a body.
        path: Path and query, encoded.
        socket: The daemon's socket; None searches the usual places.
        timeout: Seconds for all of it.

    Raises:
        ClientError: Not reachable, not understood, or a status other than 200 to 299.
    """
    from homey_tokend.client.connection import exchange  # noqa: PLC0415  a token does not need it

    return _successful(exchange(method, path, socket=socket, timeout=timeout))


def status(homey: str | None = None, socket: str | None = None) -> dict[str, object]:
    """Return the status document of all Homeys, or of one.

    Args:
        homey: A Homey's name, or None for all.
        socket: The daemon's socket; None searches the usual places.

    Raises:
        ClientError: No status.
    """
    path = "/status" if homey is None else f"/homeys/{quote(homey)}"
    return json_object(request("GET", path, socket=socket))


def refresh(
    homey: str, wait: str | float | None = None, socket: str | None = None
) -> dict[str, object]:
    """Refresh one Homey's token now.

    Args:
        homey: The Homey's name.
        wait: How long to wait for it: seconds or text, at most 300 s.
        socket: The daemon's socket; None searches the usual places.

    Returns:
        The Homey's document; ``refreshed`` in it is true once a newer token is held.

    Raises:
        ClientError: It failed, or is not allowed now.
    """
    query = "" if wait is None else f"?wait={quote(str(wait))}"
    path = f"/homeys/{quote(homey)}/refresh{query}"
    return json_object(request("POST", path, socket=socket, timeout=TIMEOUT_S + _wait_s(wait)))


def call(
    method: str,
    path: str,
    json: object = None,
    homey: str | None = None,
    socket: str | None = None,
) -> object:
    """Call a Homey's API through the daemon, which adds the bearer and renews it.

    Args:
        method: GET, PUT and so on.
        path: Path and query, encoded, from ``/api/`` on.
        json: What is sent as JSON; None for no body.
        homey: The Homey's name; None if only one is configured.
        socket: The daemon's socket; None searches the usual places.

    Returns:
        The Homey's answer, decoded from JSON; None if it has no body.

    Raises:
        ClientError: No answer of 200 to 299; ``problem`` has the error document as it came.
        TypeError, ValueError: ``json`` cannot be expressed in JSON.
    """
    import json as json_module  # noqa: PLC0415  a token does not need it

    body = None if json is None else json_module.dumps(json, allow_nan=False).encode()
    answer = forward(method, path, body, homey=homey, socket=socket)
    if not 200 <= answer.status < 300:
        from homey_tokend.client.responses import homey_error  # noqa: PLC0415  as above

        raise homey_error(answer)
    if not answer.body:
        return None
    try:
        found: object = json_module.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise unusable_response("the response of the Homey is not JSON") from error
    return found


def forward(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    homey: str | None = None,
    socket: str | None = None,
) -> Response:
    """Call a Homey's API through the daemon and return the answer as it came.

    Args:
        method: GET, PUT and so on.
        path: Path and query, encoded, from ``/api/`` on.
        body: A JSON body, or None.
        homey: The Homey's name; None if only one is configured.
        socket: The daemon's socket; None searches the usual places.

    Returns:
        The Homey's answer, whatever its status.

    Raises:
        ClientError: No answer of the Homey; ``problem`` has the daemon's document.
    """
    from homey_tokend.client.connection import exchange  # noqa: PLC0415  a token does not need it

    if not path.startswith("/api/") or not all("!" <= char <= "~" for char in method + path):
        raise ClientError(
            "a path begins with /api/ and is percent-encoded", exit_codes.USAGE, f"It is: {path!r}"
        )
    name = _only_homey(socket) if homey is None else homey
    answer = exchange(
        method,
        f"/homeys/{quote(name)}{path}",
        socket=socket,
        timeout=_CALL_TIMEOUT_S,
        body=body,
        max_bytes=_MAX_CALL_BYTES,
    )
    if answer.status >= 400:
        from homey_tokend.client import responses  # noqa: PLC0415  as above

        if responses.is_daemon_problem(answer):
            raise responses.daemon_error(answer)
    return answer


def events(
    last_id: str | None = None,
    homey: str | None = None,
    socket: str | None = None,
    reconnect_timeout: float = 60.0,
) -> "Iterator[Event]":
    """Return an endless iterator over the events of the daemon.

    After a lost connection it reconnects and continues after the last event. An event of the type
    ``reset`` means that events were missed: call ``status`` then.

    Args:
        last_id: Start after this event; None starts with the next one.
        homey: Only events of this Homey; None for all.
        socket: The daemon's socket; None searches the usual places.
        reconnect_timeout: How many seconds the daemon may be unreachable, for example during a restart.

    Returns:
        Events with ``id``, ``type`` and ``data``; they never contain a token.

    Raises:
        ClientError: From the iterator: the daemon is not reachable, was unreachable for too
            long, or sent something that is not an event.
    """
    from homey_tokend.client import event_stream  # noqa: PLC0415  a token does not need it

    path = "/events" if homey is None else f"/events?homey={quote(homey)}"
    return event_stream.events(path, last_id, socket, reconnect_timeout)


def json_object(answer: Response) -> dict[str, object]:
    """Return the JSON object of an answer's body.

    Raises:
        ClientError: The body is not a JSON object.
    """
    import json  # noqa: PLC0415  a token does not need it

    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise unusable_response("the response is not JSON, or nested too deep") from None
    if not isinstance(found, dict):
        raise unusable_response("the response is not a JSON object")
    return found


def quote(text: str) -> str:
    """Percent-encode text for one part of a path or query (RFC 3986, 2.3)."""
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "-._~")
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def _successful(answer: Response) -> Response:
    if 200 <= answer.status < 300:
        return answer
    from homey_tokend.client.responses import daemon_error  # noqa: PLC0415  a token does not need it

    raise daemon_error(answer)


def homey_names(document: dict[str, object]) -> list[str]:
    """Return the names in a status document, except those that no Homey can have."""
    homeys = document.get("homeys")
    return [name for name in homeys if name.isprintable()] if isinstance(homeys, dict) else []


def _only_homey(socket: str | None) -> str:
    names = homey_names(status(socket=socket))
    if len(names) != 1:
        raise ClientError(
            f"several Homeys are configured: {', '.join(names)[:_MAX_NAMES]}",
            exit_codes.USAGE,
            "Pass --homey NAME.",
        )
    return names[0]


def _wait_s(wait: str | float | None) -> float:
    if wait is None:
        return _DEFAULT_WAIT_S
    from homey_tokend.core import timefmt  # noqa: PLC0415  most requests have no wait

    try:
        return min(timefmt.parse_seconds(str(wait)), _LONGEST_WAIT_S)
    except ValueError as error:
        raise ClientError(f"wait: {error}", exit_codes.USAGE) from error
