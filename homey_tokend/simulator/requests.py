"""A request as it was received, and the context of its handler."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from homey_tokend.simulator.homey_state import SimulatedHomey, timestamp
from homey_tokend.simulator.settings import Settings, Switches
from homey_tokend.simulator.state import CloudState


@dataclass(slots=True, kw_only=True)
class ReceivedRequest:
    """The raw data of one request, for the assertions of tests.

    Args:
        step: Its name, one of ``faults.STEPS``.
        homey: The cloudid in its path, or None.
        method: ``GET`` ...
        path: As sent, still encoded, without the query.
        query: Decoded; the first of repeated names.
        headers: Names in lower case; the first of repeated names.
        body: The raw octets.
        at: When it arrived, in seconds since the epoch on the simulator's clock.
        status: Status of the response; None before it, or if a fault suppressed it.
        faults: Kinds of the faults that applied to it.
    """

    step: str
    homey: str | None
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes
    at: float
    status: int | None = None
    faults: list[str] = field(default_factory=list)

    def log_fields(self) -> dict[str, object]:
        """Return the fields of a log line, without query, headers and body: they hold secrets."""
        return {
            "at": timestamp(self.at),
            "step": self.step,
            "homey": self.homey,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "faults": self.faults,
        }

    @property
    def content_type(self) -> str:
        """The media type without its parameters, "" if none was sent."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def form(self) -> dict[str, str]:
        """The fields of a form body; empty for any other body."""
        if self.content_type != "application/x-www-form-urlencoded":
            return {}
        pairs = parse_qsl(self.body.decode("utf-8", "replace"), keep_blank_values=True)
        return dict(reversed(pairs))

    @property
    def json(self) -> Any:
        """The value of a JSON body; None for any other body or a malformed one."""
        if self.content_type != "application/json":
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        """What Express calls ``req.body``: form fields, or the members of a JSON object."""
        value = self.json
        return value if isinstance(value, dict) else self.form

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies sent; a part without ``=`` is ignored, as npm ``cookie`` does."""
        parts = (part.partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, equals, value in parts if equals}


async def receive(request: web.Request, step: str, now: float) -> ReceivedRequest:
    """Read a request to its end."""
    headers = {name.lower(): value for name, value in reversed(list(request.headers.items()))}
    return ReceivedRequest(
        step=step,
        homey=request.match_info.get("cloudid"),
        method=request.method,
        path=request.raw_path.partition("?")[0],
        query=dict(reversed(list(request.query.items()))),
        headers=headers,
        body=await request.read(),
        at=now,
    )


@dataclass(slots=True)
class RequestContext:
    """The context of a request's handler.

    Args:
        request: aiohttp's request.
        received: The request as it was received.
        state: The state that it reads and changes.
        pause: Waits some seconds, or without a limit (None); the simulator's stop ends every wait.
        modifiers: Kinds of the modifying faults that applied.
    """

    request: web.Request
    received: ReceivedRequest
    state: CloudState
    pause: Callable[[float | None], Awaitable[None]]
    modifiers: set[str] = field(default_factory=set)

    @property
    def settings(self) -> Settings:
        """Settings of the simulator."""
        return self.state.settings

    @property
    def switches(self) -> Switches:
        """Variations of the protocol."""
        return self.state.settings.switches

    @property
    def homey(self) -> SimulatedHomey | None:
        """The Homey in the path; None for an unknown one and at the cloud's hosts."""
        return self.state.homeys.get(self.received.homey or "")


Handler = Callable[[RequestContext], Awaitable[web.Response]]
