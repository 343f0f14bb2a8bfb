"""One call through the API proxy: what it is, how long it may take, and how it fails."""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aiohttp import web

from homey_tokend.http.errors import describe_error
from homey_tokend.proxy.body import RequestBody, bad_body, stalled_body
from homey_tokend.proxy.limiter import LimiterSettings
from homey_tokend.server.problems import Problem

_log = structlog.get_logger()

#: Sending these twice has the effect of sending them once (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """How long a call may take.

    Args:
        connect: To connect (TCP, TLS).
        silence: Without a byte from the Homey, or of the request's body.
        total: All of one call once it is under way; before that, a short body.
        refresh: A refresh, where the Homey rejects the token or none is held.
        retry_after: The longest wait before a retry that the Homey requests with 429.
        queue: How many at once.
    """

    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=30)
    total: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(seconds=30)
    retry_after: timedelta = timedelta(seconds=10)
    queue: LimiterSettings = field(default_factory=LimiterSettings)


@dataclass(slots=True)
class ProxyCall:
    """One request for the Homey; ``response`` is ours once it has begun."""

    request: web.Request
    homey: str
    target: str
    body: RequestBody
    response: web.StreamResponse | None = None

    @property
    def may_repeat(self) -> bool:
        """Return whether it may be sent again after a 429."""
        return self.request.method in _IDEMPOTENT and self.body.buffered is not None


def gateway_timeout(homey: str, reason: str) -> Problem:
    """Return 504: no answer came in time."""
    return Problem(504, "timeout", f"{homey}: {reason}", more={"homey": homey})


def bad_gateway(homey: str, reason: str, remedy: str = "") -> Problem:
    """Return 502: no answer came, or none that can be passed on."""
    more: dict[str, object] = {"homey": homey}
    if remedy:
        more["remedy"] = remedy
    return Problem(502, "unreachable", f"{homey}: {reason}", more=more)


def failed_call(
    call: ProxyCall, error: BaseException, address: str, limits: ProxyLimits, remedy: str = ""
) -> Problem:
    """Return the problem for an error during a call: the client's fault, or the Homey's."""
    if call.body.broken:
        return bad_body()
    if isinstance(error, TimeoutError) and call.body.waiting:
        return stalled_body(limits.silence.total_seconds())
    reason = describe_error(error, address)
    cause = type(error).__name__
    _log.info("call.failed", homey=call.homey, reason=reason, remedy=remedy, cause=cause)
    if isinstance(error, TimeoutError):
        return gateway_timeout(call.homey, reason)
    return bad_gateway(call.homey, reason, remedy)
