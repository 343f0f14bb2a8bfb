"""Scripted trouble: what a fault is, and which one a request meets.

A fault either *bends* the world (the request is then answered as the bent world
answers) or *replaces* the answer. A request meets every bending fault that fits
it, in order, and the first replacing one; faults behind that one do not count it.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

#: Kinds that bend the world, each with what it does.
BENDING = {
    "delay": "waits `seconds`, then goes on",
    "revoke": "ends all sessions of the Homey (of all Homeys at the cloud's steps)",
    "revoke_access": "ends all access and refresh tokens",
    "otp_required": "login asks for a one-time code, as with two-factor authentication",
    "direct_code": "authorise redirects with the code at once, without a form",
    "access_denied": "consent is answered as though the person pressed Deny",
    "unchanged": "a variable's PUT answers 200 and changes nothing",
}

#: Kinds that replace the answer, each with what it does.
REPLACING = {
    "status": "an error with `status`, in the form of the step's host",
    "text": "`body` as plain text",
    "html": "a page where JSON belongs, as a captive portal gives",
    "json": "`body` as JSON, whatever its type",
    "too_many_requests": "429 with the text that Athom and Homeys send",
    "mesh_node_offline": "the cloud cannot reach the Homey",
    "missing_scopes": "403 Missing Scopes",
    "csrf_mismatch": "403 invalid csrf token",
    "error_redirect": "302 to the redirect URI with `error`, `description` and `code=<status>`",
    "redirect": "a redirect to `location`, a host that is not ours",
    "reset": "the connection is reset, no answer",
    "hang": "no answer for `seconds`, else until the simulator stops; then the connection closes",
    "cut": "the connection closes after `bytes` of the body, else after half of it",
    "drip": "the body comes one octet every `seconds`",
    "huge": "a JSON text of `bytes`",
    "gzip_bomb": "a JSON text of `bytes` behind a small gzip body",
    "long_header": "a header of `bytes`",
}

#: Everything that a faults file may say as ``kind``.
KINDS = {**BENDING, **REPLACING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One entry of a faults file; ``docs/simulator.md`` describes each key.

    Args:
        kind: Of ``KINDS``.
        steps: Names of ``steps.STEPS``; empty: any.
        homey: A cloudid, or a number counted from 1; None: any.
        method: ``PUT`` ...; None: any.
        after: How many fitting requests pass unharmed first.
        times: How many requests meet it; None: all.
        start: Seconds since the simulator's start from which on it holds (``from``).
        until: Seconds since the start at which it ends.
        carried_out: The request is carried out before its answer is replaced.
        status: HTTP status, where the kind has one.
        error: Id of an error.
        description: Text of an error.
        body: Body of ``text`` and ``json``.
        retry_after: Seconds, a text that is sent as it is, or ``date+N`` for an
            HTTP date N seconds ahead.
        seconds: Of ``delay``, ``hang``, ``drip``.
        size: Octets of ``cut``, ``huge``, ``gzip_bomb``, ``long_header`` (``bytes``).
        location: Of ``redirect``.
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


class Asked(NamedTuple):
    """What of a request decides which faults it meets.

    Args:
        step: Its name.
        method: ``GET`` ...
        homey: Cloudid and number of the Homey that is asked, or nothing.
    """

    step: str
    method: str = "GET"
    homey: tuple[str, int] | tuple[()] = ()


@dataclass(slots=True)
class _Script:
    fault: Fault
    seen: int = field(default=0)
    met: int = field(default=0)


class FaultBook:
    """The faults of a running simulator, and how often each was met.

    Args:
        faults: In order of precedence.
    """

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._scripts = [_Script(fault) for fault in faults]

    def add(self, fault: Fault) -> None:
        """Add a fault behind the others."""
        self._scripts.append(_Script(fault))

    def clear(self) -> None:
        """Forget all faults."""
        self._scripts.clear()

    def meet(self, asked: Asked, elapsed: float) -> list[Fault]:
        """Give the faults that one request meets, and count it.

        Args:
            asked: What of the request counts.
            elapsed: Seconds since the start.

        Returns:
            Bending faults, and at most one replacing fault at the end.
        """
        met: list[Fault] = []
        for script in self._scripts:
            if not _fits(script.fault, asked, elapsed) or not _counts(script):
                continue
            met.append(script.fault)
            if script.fault.kind in REPLACING:
                break
        return met


def _fits(fault: Fault, asked: Asked, elapsed: float) -> bool:
    if fault.steps and asked.step not in fault.steps:
        return False
    if fault.method is not None and fault.method != asked.method:
        return False
    if fault.homey is not None and fault.homey not in asked.homey:
        return False
    return fault.start <= elapsed and (fault.until is None or elapsed < fault.until)


def _counts(script: _Script) -> bool:
    script.seen += 1
    if script.seen <= script.fault.after:
        return False
    if script.fault.times is not None and script.met >= script.fault.times:
        return False
    script.met += 1
    return True
