"""What kind of request goes through the forwarding door: methods, and no change of protocol."""

from aiohttp import web

from homey_tokend.server.problems import Problem

#: TRACE is not among them: its answer would show the bearer (RFC 9110, 9.3.8).
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
#: Offers that may be passed over, for the caller can do without: HTTP/2, as curl --http2 makes it.
_PASSED_OVER = frozenset({"", "h2c"})


def check_request(request: web.Request) -> None:
    """Refuse what is not passed on.

    Raises:
        Problem: 405 ``method-not-allowed``, or 501 ``no-upgrade``.
    """
    if request.method not in METHODS:
        allow = ", ".join(METHODS)
        raise Problem(
            405,
            "method-not-allowed",
            f"{request.method[:16]} is not forwarded; allowed: {allow}",
            kind="method_not_allowed",
            more={"allow": allow},
        )
    if not _PASSED_OVER.issuperset(_upgrades(request)):
        raise Problem(
            501,
            "no-upgrade",
            "websockets and other upgrades are not forwarded; "
            "take the token and connect to the Homey's own url",
            kind="no_upgrade",
        )


def _upgrades(request: web.Request) -> set[str]:
    """The protocols that the caller would change to (RFC 9110, 7.8)."""
    told = ",".join(request.headers.getall("Upgrade", ()))
    return {name.strip().lower() for name in told.split(",")}
