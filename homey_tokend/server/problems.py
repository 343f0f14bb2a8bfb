"""Answers that say what is wrong, as problem documents (RFC 9457)."""

import json
import math
from datetime import datetime
from http import HTTPStatus

from aiohttp import web

from homey_tokend.core.status import View

#: When to ask again where nobody knows the next try: soon, and not in a hot loop.
_RETRY_UNKNOWN_S = 10
#: How much of a name that a client sent is told back to it.
_NAME_CUT = 64


class Problem(Exception):
    """An answer other than the one asked for.

    Args:
        status: The HTTP status.
        name: The last part of the problem's ``type``, which never changes its meaning.
        detail: What is wrong with this request, in plain words.
        kind: A stable name of the reason; for failures the ``kind`` of ``errors.py``.
        retry_after: Whole seconds until asking again can help, or None.
        more: Further members of the document.
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        kind: str,
        retry_after: int | None = None,
        more: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.kind = kind
        self.retry_after = retry_after
        self.more = more or {}

    def response(self) -> web.Response:
        """The answer itself, never stored by a cache."""
        document: dict[str, object] = {
            "type": f"urn:homey-tokend:problem:{self.name}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "kind": self.kind,
            **self.more,
        }
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
            headers["Retry-After"] = str(self.retry_after)
        allow = self.more.get("allow")
        if isinstance(allow, str):
            headers["Allow"] = allow
        return web.Response(
            status=self.status,
            body=json.dumps(document).encode() + b"\n",
            content_type="application/problem+json",
            headers=headers,
        )


def unknown_homey(name: str, known: list[str]) -> Problem:
    """404: no Homey of this name is configured; the known ones are told."""
    return Problem(
        404,
        "unknown-homey",
        f"no Homey is named {name[:_NAME_CUT]!r}; known: {', '.join(known)}",
        kind="unknown_homey",
        more={"homeys": known},
    )


def homey_required(known: list[str]) -> Problem:
    """400: several Homeys are configured and none was named."""
    return Problem(
        400,
        "homey-required",
        f"several Homeys are configured, name one: {', '.join(known)}",
        kind="homey_required",
        more={"homeys": known},
    )


def no_token(view: View, now: datetime) -> Problem:
    """503: no valid token is held; why, and when the next try is made."""
    return _unavailable(view, now, "no-valid-token", f"no valid token is held for {view.name}")


def not_refreshed(view: View, now: datetime) -> Problem:
    """503: the refresh that was asked for has failed."""
    return _unavailable(view, now, "not-refreshed", f"the token of {view.name} was not refreshed")


def too_soon(view: View, at: datetime, now: datetime) -> Problem:
    """429: a refresh is not started again before this instant."""
    wait = seconds_until(at, now)
    return Problem(
        429,
        "too-soon",
        f"{view.name} is refreshed again in {wait} s at the earliest",
        kind="too_soon",
        retry_after=wait,
        more={"homey": view.name},
    )


def seconds_until(at: datetime, now: datetime) -> int:
    """Whole seconds from now to an instant, rounded up, at least 1 (RFC 9110, 10.2.3)."""
    return max(1, math.ceil((at - now).total_seconds()))


def seconds_to_next_try(view: View, now: datetime) -> int:
    """Whole seconds until asking again can help."""
    if view.refreshing:
        return 1
    at = view.next_at or view.sign_in_blocked_until
    return _RETRY_UNKNOWN_S if at is None else seconds_until(at, now)


def _waited_for(view: View, now: datetime) -> str:
    if view.refreshing:
        return "the sign-in is under way"
    if view.next_at is None or view.next_at <= now:
        return "the sign-in is about to begin"
    return f"the next sign-in is in {seconds_until(view.next_at, now)} s ({view.next_reason})"


def _unavailable(view: View, now: datetime, name: str, what: str) -> Problem:
    trouble = view.trouble
    more: dict[str, object] = {"homey": view.name, "health": str(view.health)}
    if trouble is None:
        why, kind = _waited_for(view, now), "no_token"
        more |= {"step": "", "remedy": ""}
    else:
        why, kind = trouble.message, trouble.kind
        more |= {"step": trouble.step, "remedy": trouble.remedy}
    return Problem(
        503,
        name,
        f"{what}: {why}",
        kind=kind,
        retry_after=seconds_to_next_try(view, now),
        more=more,
    )
