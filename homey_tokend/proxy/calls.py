"""One call through the forwarding door: what it is, how long it may take, and how it fails."""

from dataclasses import dataclass, field
from datetime import timedelta

import structlog
from aiohttp import web

from homey_tokend.http.errors import describe_error
from homey_tokend.proxy.body import RequestBody, bad_body, stalled_body
from homey_tokend.proxy.limiter import LimiterSettings
from homey_tokend.server.problems import Problem

_log = structlog.get_logger()

#: Sending these twice does what sending them once does (RFC 9110, 9.2.2).
_IDEMPOTENT = frozenset({"GET", "HEAD", "PUT", "DELETE", "OPTIONS"})


@dataclass(frozen=True, slots=True)
class ProxyLimits:
    """How long a call may take.

    Args:
        connect: A connection (TCP, TLS).
        silence: Nothing from the Homey, or nothing of the caller's body.
        whole: All of one call, once it has its turn; before that, a short body.
        refresh: A refresh, where the Homey refuses the token or none is held.
        again: A wait that the Homey asks for with 429; longer ones are the caller's.
        line: How many at once.
    """

    connect: timedelta = timedelta(seconds=10)
    silence: timedelta = timedelta(seconds=30)
    whole: timedelta = timedelta(minutes=15)
    refresh: timedelta = timedelta(seconds=30)
    again: timedelta = timedelta(seconds=10)
    line: LimiterSettings = field(default_factory=LimiterSettings)


@dataclass(slots=True)
class ProxyCall:
    """One request as it goes to the Homey, once or again; ``response`` once ours has begun."""

    request: web.Request
    homey: str
    target: str
    body: RequestBody
    response: web.StreamResponse | None = None

    @property
    def may_wait(self) -> bool:
        """Whether it may be sent again after a 429."""
        return self.request.method in _IDEMPOTENT and self.body.kept is not None


def gateway_timeout(homey: str, reason: str) -> Problem:
    """504: no answer came in time."""
    return Problem(504, "timeout", f"{homey}: {reason}", kind="timeout", more={"homey": homey})


def bad_gateway(homey: str, reason: str) -> Problem:
    """502: no answer came, or none that can be passed on."""
    return Problem(
        502, "unreachable", f"{homey}: {reason}", kind="unreachable", more={"homey": homey}
    )


def failed_call(
    call: ProxyCall, error: BaseException, address: str, limits: ProxyLimits
) -> Problem:
    """What an error amid a call is for the caller: the fault of one side, in plain words."""
    if call.body.broken:
        return bad_body()
    if isinstance(error, TimeoutError) and call.body.awaited:
        return stalled_body(limits.silence.total_seconds())
    reason = describe_error(error, address)
    _log.info("call.failed", homey=call.homey, reason=reason, cause=type(error).__name__)
    if isinstance(error, TimeoutError):
        return gateway_timeout(call.homey, reason)
    return bad_gateway(call.homey, reason)
