"""What the simulator saw: raw facts of each request, for tests to assert on."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from homey_tokend.simulator.household import timestamp

#: A demo that runs for days must not grow without end.
KEEP = 10_000


@dataclass(slots=True, kw_only=True)
class Entry:
    """One request as it came over the wire.

    Args:
        step: Its name, of ``steps.STEPS``.
        homey: The cloudid in its path, or None.
        method: ``GET`` ...
        path: As sent, still encoded, without the query.
        query: Decoded; of repeated names the first.
        headers: Names in lower case; of repeated names the first.
        body: The raw octets.
        at: When it came, seconds since the epoch on the simulator's clock.
        status: The answer's status; None while there is none or it was withheld.
        faults: Kinds of the faults that it met.
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

    def as_log(self) -> dict[str, object]:
        """Give what a log line tells: no query, no header and no body, they hold secrets."""
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
        """The media type without its parameters, "" where none was sent."""
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
        """The value of a JSON body, None for any other body or a broken one."""
        if self.content_type != "application/json":
            return None
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    @property
    def fields(self) -> Mapping[str, Any]:
        """What Express calls ``req.body``: form fields or the members of a JSON object."""
        value = self.json
        return value if isinstance(value, dict) else self.form

    @property
    def cookies(self) -> dict[str, str]:
        """The cookies sent; a part without ``=`` is ignored, as npm ``cookie`` does."""
        parts = (part.partition("=") for part in self.headers.get("cookie", "").split(";"))
        return {name.strip(): value.strip() for name, equals, value in parts if equals}


async def entry_of(request: web.Request, step: str, now: float) -> Entry:
    """Read a request whole and write down its facts."""
    headers = {name.lower(): value for name, value in reversed(list(request.headers.items()))}
    return Entry(
        step=step,
        homey=request.match_info.get("cloudid"),
        method=request.method,
        path=request.raw_path.partition("?")[0],
        query=dict(reversed(list(request.query.items()))),
        headers=headers,
        body=await request.read(),
        at=now,
    )
