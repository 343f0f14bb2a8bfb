"""Calls through the forwarding door, counted by how they ended and how long they took."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from homey_tokend.core.ports import Clock
from homey_tokend.server.metrics import Metrics
from homey_tokend.server.problems import Problem

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

#: The answer broke off, or the caller left before its end.
_BROKEN_OFF = "aborted"
#: Names that callers invent make no labels.
_NOT_COUNTED = "unknown-homey"


def count_calls(forward: _Handler, counts: Metrics, clock: Clock) -> _Handler:
    """A handler that forwards, and counts each call of a Homey that there is.

    Args:
        forward: The forwarding door (``Forwarder.answer``).
        counts: Where calls are counted: by the class of the Homey's status (``2xx``), by the name
            of our problem where the Homey's answer was not passed on, or as ``aborted``.
        clock: How long a call took.
    """

    async def answer(request: web.Request) -> web.StreamResponse:
        begun = clock.monotonic()
        outcome = _BROKEN_OFF
        try:
            response = await forward(request)
            if not _gone(request):
                outcome = f"{response.status // 100}xx"
        except Problem as problem:
            outcome = problem.name
            raise
        finally:
            if outcome != _NOT_COUNTED:
                counts.called(request.match_info["name"], outcome, clock.monotonic() - begun)
        return response

    return answer


def _gone(request: web.Request) -> bool:
    """Whether the connection to the caller was closed while its answer was under way."""
    return request.transport is None or request.transport.is_closing()
