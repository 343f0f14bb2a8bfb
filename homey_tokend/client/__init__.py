"""Asks the daemon over its socket: what scripts in Python may import.

::

    from homey_tokend import client

    bearer = client.token("home", min_ttl="10m")
    health = client.status()["health"]
    devices = client.call("GET", "/api/manager/devices/device")
    for event in client.events():
        print(event.type, event.data)

It needs the standard library only, and so little of it that ``homey-tokend token``
starts near the speed of Python itself.
"""

from homey_tokend import exit_codes
from homey_tokend.client.transport import (
    DEADLINE_S,
    ClientError,
    Response,
    exchange,
    request,
    unusable_response,
)

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

#: How long does the daemon wait for a refresh where nothing is said, and at most?
_DEFAULT_WAIT_S, _LONGEST_WAIT_S = 30.0, 300.0
#: How long may a call to a Homey take? The daemon bears with a body that goes on for 15 minutes;
#: what takes this long has most often no end.
_CALL_S = 150.0
#: How large may a Homey's answer be? All of its devices are some megabytes.
_LARGEST_CALL = 64 * 1024 * 1024


def token(
    homey: str | None = None,
    min_ttl: str | float | None = None,
    wait: str | float | None = None,
    socket: str | None = None,
) -> str:
    """Get a valid bearer token.

    Args:
        homey: The Homey's name; None where only one is configured.
        min_ttl: How much life it shall have left: seconds, or text such as ``10m``.
        wait: How long to wait for a refresh: as ``min_ttl``, at most 300 s.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The token, without a newline.

    Raises:
        ClientError: No token; ``exit_status`` tells whether trying again can help.
    """
    answer = ask_token(homey, min_ttl, wait, socket)
    return answer.body.decode("ascii", "replace").strip()


def ask_token(
    homey: str | None,
    min_ttl: str | float | None,
    wait: str | float | None,
    socket: str | None,
    *,
    as_json: bool = False,
) -> Response:
    """Ask for a token, as text or as the JSON document.

    Args:
        homey: As for ``token``.
        min_ttl: As for ``token``.
        wait: As for ``token``.
        socket: As for ``token``.
        as_json: The JSON document is wanted.

    Raises:
        ClientError: No token.
    """
    path = "/token" if homey is None else f"/homeys/{quote(homey)}/token"
    pairs = (("min_ttl", min_ttl), ("wait", wait), ("format", "json" if as_json else None))
    query = "&".join(f"{name}={quote(str(value))}" for name, value in pairs if value is not None)
    waits = min_ttl is not None or wait is not None
    return request(
        "GET",
        f"{path}?{query}" if query else path,
        socket=socket,
        timeout=DEADLINE_S + (_wait_s(wait) if waits else 0.0),
    )


def status(
    homey: str | None = None,
    socket: str | None = None,
) -> dict[str, object]:
    """Get the status document of all Homeys, or of one.

    Args:
        homey: A Homey's name, or None for all.
        socket: The daemon's socket; None looks where it usually is.

    Raises:
        ClientError: No status.
    """
    path = "/status" if homey is None else f"/homeys/{quote(homey)}"
    return json_object(request("GET", path, socket=socket))


def refresh(
    homey: str,
    wait: str | float | None = None,
    socket: str | None = None,
) -> dict[str, object]:
    """Have one Homey's token refreshed now.

    Args:
        homey: The Homey's name.
        wait: How long to wait for it: seconds or text, at most 300 s.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The Homey's document; ``refreshed`` in it tells whether it is done.

    Raises:
        ClientError: It failed or may not be done now.
    """
    query = "" if wait is None else f"?wait={quote(str(wait))}"
    path = f"/homeys/{quote(homey)}/refresh{query}"
    return json_object(request("POST", path, socket=socket, timeout=DEADLINE_S + _wait_s(wait)))


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
        homey: The Homey's name; None where only one is configured.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The Homey's answer, its JSON read; None where it has no body.

    Raises:
        ClientError: No answer of 200 to 299; ``problem`` has the reason as it came.
        TypeError, ValueError: ``json`` is nothing that JSON can say.
    """
    import json as words  # noqa: PLC0415  a token needs none

    body = None if json is None else words.dumps(json, allow_nan=False).encode()
    answer = forward(method, path, body, homey=homey, socket=socket)
    if not 200 <= answer.status < 300:
        from homey_tokend.client import errors  # noqa: PLC0415  only when it is needed

        raise errors.homey_error(answer)
    if not answer.body:
        return None
    try:
        found: object = words.loads(answer.body)
    except (ValueError, RecursionError) as error:
        raise unusable_response("the Homey's answer is no JSON") from error
    return found


def forward(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    homey: str | None = None,
    socket: str | None = None,
) -> Response:
    """Call a Homey's API through the daemon, and take the answer as it came.

    Args:
        method: GET, PUT and so on.
        path: Path and query, encoded, from ``/api/`` on.
        body: A JSON body, or None.
        homey: The Homey's name; None where only one is configured.
        socket: The daemon's socket; None looks where it usually is.

    Returns:
        The Homey's answer, whatever its status.

    Raises:
        ClientError: No answer of the Homey; ``problem`` has the daemon's reason.
    """
    if not path.startswith("/api/") or not all("!" <= char <= "~" for char in method + path):
        raise ClientError(
            "a path begins with /api/ and is percent-encoded", exit_codes.USAGE, f"It is: {path!r}"
        )
    name = _only(socket) if homey is None else homey
    answer = exchange(
        method,
        f"/homeys/{quote(name)}{path}",
        socket=socket,
        timeout=_CALL_S,
        body=body,
        most=_LARGEST_CALL,
    )
    if answer.status >= 400:
        from homey_tokend.client import errors  # noqa: PLC0415  only when it is needed

        if errors.is_daemon_problem(answer):
            raise errors.daemon_error(answer)
    return answer


def events(
    last_id: str | None = None,
    homey: str | None = None,
    socket: str | None = None,
    patience: float = 60.0,
) -> "Iterator[Event]":
    """Wait for what happens: an iterator without an end, made for a loop of its own.

    Where the connection breaks, it is made anew behind the last event. What is too old to be
    had again is told by an event of the type ``reset``: ask ``status`` then.

    Args:
        last_id: Behind which event to begin; None for what comes from now on.
        homey: Only what concerns this Homey; None for all.
        socket: The daemon's socket; None looks where it usually is.
        patience: How many seconds the daemon may be away, for a restart say.

    Returns:
        Events with ``id``, ``type`` and ``data``; there is no token in them.

    Raises:
        ClientError: From the iterator: the daemon is not reachable, was away too long, or
            sent what is no event.
    """
    from homey_tokend.client import event_stream as stream  # noqa: PLC0415  a token needs none

    path = "/events" if homey is None else f"/events?homey={quote(homey)}"
    return stream.events(path, last_id, socket, patience)


def _only(socket: str | None) -> str:
    """The name of the only Homey.

    Raises:
        ClientError: There are several, or the daemon cannot be asked.
    """
    homeys = status(socket=socket).get("homeys")
    names = [str(name) for name in homeys] if isinstance(homeys, dict) else []
    if len(names) != 1:
        raise ClientError(
            f"several Homeys are configured, name one: {', '.join(names)}",
            exit_codes.USAGE,
            "With --homey NAME.",
        )
    return names[0]


def json_object(answer: Response) -> dict[str, object]:
    """An answer's JSON object.

    Raises:
        ClientError: It is none.
    """
    import json  # noqa: PLC0415  a token needs none

    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise unusable_response("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise unusable_response("the answer is no JSON object")
    return found


def quote(text: str) -> str:
    """Percent-encode for one part of a path or query (RFC 3986, 2.3)."""
    return "".join(
        char
        if char.isascii() and (char.isalnum() or char in "-._~")
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogateescape"))
        for char in text
    )


def _wait_s(wait: str | float | None) -> float:
    if wait is None:
        return _DEFAULT_WAIT_S
    from homey_tokend.core import timefmt  # noqa: PLC0415  most ask without a wait

    try:
        return min(timefmt.parse_seconds(str(wait)), _LONGEST_WAIT_S)
    except ValueError as error:
        raise ClientError(f"wait: {error}", exit_codes.USAGE) from error
