"""Scripted faults, and which of them apply to a request.

A fault either *modifies* how a request is handled or *replaces* its response. All matching
modifying faults apply to a request, up to the first matching replacing one; faults after that one
do not count the request.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

#: Names of requests in log, request log and fault file. The first nine are the steps of the
#: sign-in and the sink; the others are further requests to a Homey.
STEPS = (
    "login",
    "authorise",
    "consent",
    "token",
    "user",
    "delegation",
    "homey_login",
    "session",
    "variable",
    "ping",
    "devices",
    "other",
)

_RESPONSE = ("status", "retry_after", "carried_out")

#: Kinds that modify how a request is handled, each with its own keys in a fault file.
#: docs/simulator.md describes what each does.
MODIFYING: dict[str, tuple[str, ...]] = {
    "delay": ("seconds",),
    "revoke": (),
    "revoke_access": (),
    "otp_required": (),
    "direct_code": (),
    "access_denied": (),
    "unchanged": (),
}

#: Kinds that replace the response, each with its own keys.
REPLACING: dict[str, tuple[str, ...]] = {
    "status": (*_RESPONSE, "error", "description"),
    "text": (*_RESPONSE, "body"),
    "html": (*_RESPONSE, "body"),
    "json": (*_RESPONSE, "body"),
    "too_many_requests": _RESPONSE,
    "mesh_node_offline": _RESPONSE,
    "missing_scopes": ("retry_after", "carried_out"),
    "csrf_mismatch": ("retry_after", "carried_out"),
    "error_redirect": (*_RESPONSE, "error", "description"),
    "redirect": (*_RESPONSE, "location"),
    "reset": ("carried_out",),
    "hang": ("seconds", "carried_out"),
    "cut": ("bytes",),
    "drip": ("seconds",),
    "huge": ("bytes", "carried_out"),
    "gzip_bomb": ("bytes", "carried_out"),
    "long_header": ("bytes",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of a fault file; ``docs/simulator.md`` describes each key.

    Args:
        steps: The key ``step``; empty: any.
        start: The key ``from``, seconds since the simulator's start.
        size: The key ``bytes``, octets.
    """

    kind: str
    steps: tuple[str, ...] = ()
    homey: str | int | None = None
    method: str | None = None
    after: int = 0
    times: int | None = None
    start: float = 0.0
    until: float | None = None
    carried_out: bool = False
    status: int | None = None
    error: str | None = None
    description: str | None = None
    body: Any = None
    retry_after: float | str | None = None
    seconds: float | None = None
    size: int | None = None
    location: str | None = None

    def matches(
        self, step: str, method: str, homey: tuple[str, int] | tuple[()], elapsed: float
    ) -> bool:
        """Return whether a request, described as in ``ActiveFaults.apply``, is affected."""
        return (
            (not self.steps or step in self.steps)
            and self.method in {None, method}
            and (self.homey is None or self.homey in homey)
            and self.start <= elapsed
            and (self.until is None or elapsed < self.until)
        )


@dataclass(slots=True)
class _Count:
    fault: Fault
    matched: int = 0

    def next(self) -> bool:
        """Count a matching request, and return whether the fault applies to it."""
        self.matched += 1
        number, times = self.matched - self.fault.after, self.fault.times
        return number > 0 and (times is None or number <= times)


class ActiveFaults:
    """The faults of a running simulator, in order of precedence."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._counts = [_Count(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Add a fault after the others."""
        self._counts.append(_Count(fault))

    def clear(self) -> None:
        """Remove all faults."""
        self._counts.clear()

    def apply(
        self,
        step: str,
        method: str = "GET",
        homey: tuple[str, int] | tuple[()] = (),
        elapsed: float = 0,
    ) -> list[Fault]:
        """Count one request, and return the faults that apply to it.

        Args:
            step: Name of the request.
            method: ``GET`` ...
            homey: Cloudid and number of the Homey in the path, or nothing.
            elapsed: Seconds since the simulator's start.

        Returns:
            Modifying faults, and at most one replacing fault at the end.
        """
        applied: list[Fault] = []
        for count in self._counts:
            if count.fault.matches(step, method, homey, elapsed) and count.next():
                applied.append(count.fault)
                if count.fault.kind in REPLACING:
                    break
        return applied
