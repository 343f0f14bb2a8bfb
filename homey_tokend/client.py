"""Asks the daemon over its socket: what scripts in Python may import.

::

    from homey_tokend import client

    bearer = client.token("home", min_ttl="10m")
    health = client.status()["health"]

It needs the standard library only, and so little of it that ``homey-tokend token``
starts near the speed of Python itself.
"""

from homey_tokend import exits
from homey_tokend.talk import DEADLINE_S, Answer, ClientError, exchange, request, unusable

__all__ = [
    "Answer",
    "ClientError",
    "ask_token",
    "call",
    "refresh",
    "request",
    "status",
    "token",
]

#: How long does the daemon wait for a refresh where nothing is said, and at most?
_DEFAULT_WAIT_S, _LONGEST_WAIT_S = 30.0, 300.0
#: How long may a call to a Homey take? The daemon's own deadlines are shorter together.
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
) -> Answer:
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
    path = "/token" if homey is None else f"/homeys/{quoted(homey)}/token"
    pairs = (("min_ttl", min_ttl), ("wait", wait), ("format", "json" if as_json else None))
    query = "&".join(f"{name}={quoted(str(value))}" for name, value in pairs if value is not None)
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
    path = "/status" if homey is None else f"/homeys/{quoted(homey)}"
    return document(request("GET", path, socket=socket))


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
    query = "" if wait is None else f"?wait={quoted(str(wait))}"
    path = f"/homeys/{quoted(homey)}/refresh{query}"
    return document(request("POST", path, socket=socket, timeout=DEADLINE_S + _wait_s(wait)))


def call(
    method: str,
    path: str,
    body: bytes | None = None,
    *,
    homey: str | None = None,
    socket: str | None = None,
) -> Answer:
    """Call a Homey's API through the daemon, which adds the bearer.

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
            "a path begins with /api/ and is percent-encoded", exits.USAGE, f"It is: {path!r}"
        )
    name = _only(socket) if homey is None else homey
    answer = exchange(
        method,
        f"/homeys/{quoted(name)}{path}",
        socket=socket,
        timeout=_CALL_S,
        body=body,
        most=_LARGEST_CALL,
    )
    if answer.status >= 400:
        from homey_tokend import failures  # noqa: PLC0415  only when it is needed

        if failures.is_our_own(answer):
            raise failures.failure(answer)
    return answer


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
            exits.USAGE,
            "With --homey NAME.",
        )
    return names[0]


def document(answer: Answer) -> dict[str, object]:
    """An answer's JSON object.

    Raises:
        ClientError: It is none.
    """
    import json  # noqa: PLC0415  a token needs none

    try:
        found = json.loads(answer.body)
    except ValueError as error:
        raise unusable("the answer is no JSON") from error
    if not isinstance(found, dict):
        raise unusable("the answer is no JSON object")
    return found


def quoted(text: str) -> str:
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
    from homey_tokend import durations  # noqa: PLC0415  most ask without a wait

    try:
        return min(durations.seconds(str(wait)), _LONGEST_WAIT_S)
    except ValueError as error:
        raise ClientError(f"wait: {error}", exits.USAGE) from error
