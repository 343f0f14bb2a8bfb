"""Problem documents (RFC 9457): the error responses of the daemon."""

import json
import math
from datetime import datetime, timedelta
from http import HTTPStatus

from aiohttp import web

from homey_tokend.core.policy import REJECTIONS
from homey_tokend.core.status import View
from homey_tokend.core.timefmt import relative, rough_duration

#: When to ask again if the next attempt is not known: soon, but not in a busy loop.
_RETRY_UNKNOWN_S = 10
#: Characters of a name that are repeated to the client that sent it.
_MAX_NAME = 64
_CONTENT_TYPE = "application/problem+json"


class Problem(Exception):
    """A problem document as the answer to a request.

    Args:
        status: The HTTP status.
        name: The last part of the problem's ``type``, which never changes its meaning.
        detail: What is wrong with this request.
        kind: A stable name of the reason, for a failure its kind in ``core.errors``; None derives
            it from the name.
        retry_after: Whole seconds until asking again can help, or None.
        more: Further members of the document.
    """

    def __init__(
        self,
        status: int,
        name: str,
        detail: str,
        *,
        kind: str | None = None,
        retry_after: int | None = None,
        more: dict[str, object] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.name = name
        self.detail = detail
        self.kind = kind or name.replace("-", "_")
        self.retry_after = retry_after
        self.more = more or {}

    def response(self) -> web.Response:
        """Return the response, which no cache may store."""
        return web.Response(
            status=self.status,
            body=self._body(),
            content_type=_CONTENT_TYPE,
            headers=self._headers(),
        )

    def last_response(self, *, with_body: bool = True) -> bytes:
        """Return the response as it is sent, after which the connection is closed."""
        body = self._body()
        headers = {
            "Content-Type": _CONTENT_TYPE,
            "Content-Length": str(len(body)),
            **self._headers(),
            "Connection": "close",
        }
        lines = [f"HTTP/1.1 {self.status} {HTTPStatus(self.status).phrase}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        return "\r\n".join([*lines, "", ""]).encode() + (body if with_body else b"")

    def _headers(self) -> dict[str, str]:
        headers = {"Cache-Control": "no-store"}
        if self.retry_after is not None:
            headers["Retry-After"] = str(self.retry_after)
        allow = self.more.get("allow")
        if isinstance(allow, str):
            headers["Allow"] = allow
        return headers

    def _body(self) -> bytes:
        document: dict[str, object] = {
            "type": f"urn:homey-tokend:problem:{self.name}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "kind": self.kind,
            **self.more,
        }
        if self.retry_after is not None:
            document["retry_after"] = self.retry_after
        return json.dumps(document).encode() + b"\n"


def unknown_homey(name: str, known: list[str]) -> Problem:
    """Return 404: no Homey of this name is configured."""
    detail = f"no Homey is named {name[:_MAX_NAME]!r}; known: {', '.join(known)}"
    return Problem(404, "unknown-homey", detail, more={"homeys": known})


def homey_required(known: list[str]) -> Problem:
    """Return 400: several Homeys are configured and the request names none."""
    detail = f"several Homeys are configured, and the request names none: {', '.join(known)}"
    return Problem(400, "homey-required", detail, more={"homeys": known})


def method_not_allowed(method: str, allow: str) -> Problem:
    """Return 405 with the methods that are allowed."""
    detail = f"{method[:16]} is not allowed here; allowed: {allow}"
    return Problem(405, "method-not-allowed", detail, more={"allow": allow})


def no_token(view: View, now: datetime) -> Problem:
    """Return 503: no valid token is held; why, and when the next attempt is made."""
    return _unavailable(view, now, "no-valid-token", f"there is no valid token for {view.name}")


def not_refreshed(view: View, now: datetime) -> Problem:
    """Return 503: the requested refresh failed."""
    return _unavailable(view, now, "not-refreshed", "the token was not refreshed")


def too_soon(view: View, at: datetime, why: str, now: datetime) -> Problem:
    """Return 429: why no refresh starts before this instant, and what starts one earlier."""
    wait = seconds_until(at, now)
    if view.next_reason in REJECTIONS and view.next_at is not None and view.next_at < at:
        then = (
            f"the daemon tries by itself {relative(view.next_at, now)}, "
            "and at once when the value is corrected"
        )
    else:
        then = f"possible again in {rough_duration(timedelta(seconds=wait))}"
    detail = f"{why}; {then}"
    return Problem(429, "too-soon", detail, retry_after=wait, more={"homey": view.name})


def not_ready(missing: list[View], now: datetime, *, in_full: bool) -> Problem:
    """Return 503: some Homeys have no valid token.

    Args:
        missing: Those Homeys.
        now: The time.
        in_full: Whether errors are shown with messages and remedies: these contain paths and the
            names of hosts, which are not for everybody on the TCP port.
    """
    names = [view.name for view in missing]
    errors: dict[str, dict[str, str]] = {}
    for view in missing:
        if (error := view.last_error) is not None:
            errors[view.name] = {"kind": error.kind, "step": error.step}
            if in_full:
                errors[view.name] |= {"message": error.message, "remedy": error.remedy}
    return Problem(
        503,
        "not-ready",
        f"there is no valid token for {', '.join(names)}",
        retry_after=min(seconds_to_next_try(view, now) for view in missing),
        more={"homeys": names, "errors": errors},
    )


def seconds_until(at: datetime, now: datetime) -> int:
    """Return the whole seconds until an instant, rounded up, at least 1 (RFC 9110, 10.2.3)."""
    return max(1, math.ceil((at - now).total_seconds()))


def seconds_to_next_try(view: View, now: datetime) -> int:
    """Return the whole seconds until asking again can help."""
    if view.refreshing:
        return 1
    at = view.next_at or view.sign_in_blocked_until
    return _RETRY_UNKNOWN_S if at is None else seconds_until(at, now)


def _unavailable(view: View, now: datetime, name: str, what: str) -> Problem:
    error = view.last_error
    more: dict[str, object] = {"homey": view.name, "health": str(view.health)}
    if error is None:
        why, kind = _pending(view, now), "no_token"
        more |= {"step": "", "remedy": "", "action_needed": False}
    else:
        why, kind = error.message, error.kind
        more |= {
            "step": error.step,
            "remedy": error.remedy,
            "action_needed": error.action_needed,
        }
    retry_after = seconds_to_next_try(view, now)
    return Problem(503, name, f"{what}: {why}", kind=kind, retry_after=retry_after, more=more)


def _pending(view: View, now: datetime) -> str:
    if view.refreshing:
        return "the sign-in is under way"
    if view.next_at is None or view.next_at <= now:
        return "the sign-in is about to begin"
    return f"the next sign-in is in {seconds_until(view.next_at, now)} s ({view.next_reason})"
