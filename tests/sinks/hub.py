"""A Homey in memory with the transport's interface; it implements the protocol and uses none of our code."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import unquote

from homey_tokend.core.http_types import Repeat, Request, Response, Step

_AT = datetime(2026, 1, 2, tzinfo=UTC)


def answer(status: int, body: object = "", *headers: tuple[str, str]) -> Response:
    """Return a response; a str or bytes body is sent as it is, anything else as JSON."""
    if isinstance(body, str):
        raw = body.encode()
    else:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, headers, raw, _AT, _AT)


@dataclass
class FakeHub:
    """A Homey with logic variables; ``script`` responses come first, one per request.

    ``slash``: whether a PUT is found with a slash at the end ("either", "yes",
    "no", "never"). ``lists``: whether the list is an array. ``deaf``: 200, and
    nothing changes. ``spells`` changes the spelling of new names.
    """

    base: str
    bearer: str
    variables: dict[str, dict[str, object]] = field(default_factory=dict)
    scopes: frozenset[str] = frozenset({"homey.logic", "homey.logic.readonly"})
    slash: str = "either"
    lists: bool = False
    deaf: bool = False
    script: list[Response] = field(default_factory=list)
    seen: list[tuple[str, str]] = field(default_factory=list)

    def add(self, key: str, name: str, kind: str = "string", value: object = "old") -> None:
        """Add a variable."""
        self.variables[key] = {"id": key, "name": name, "type": kind, "value": value}

    async def send(self, request: Request) -> Response:
        """Respond as a Homey does, and check the request."""
        assert request.step is Step.VARIABLE
        assert request.form is None
        assert request.query == ()
        assert request.url.startswith(self.base + "/api/manager/logic/variable")
        path = request.url[len(self.base) :]
        self.seen.append((request.method, path))
        if self.script:
            return self.script.pop(0)
        if request.bearer is None or request.bearer.reveal() != self.bearer:
            return answer(401, {"error": "invalid_token"})
        scope = "homey.logic.readonly" if request.method == "GET" else "homey.logic"
        if scope not in self.scopes:
            return answer(403, {"error": "Missing Scopes"})
        return self._route(request, path.removeprefix("/api/manager/logic/variable"))

    def _route(self, request: Request, rest: str) -> Response:
        if request.method == "GET" and rest == "":
            assert request.json is None
            every = list(self.variables.values()) if self.lists else self.variables
            return answer(200, every)
        if request.method == "POST" and rest == "":
            assert request.repeat is Repeat.UNSENT
            return self._create(request.json)
        assert request.method in {"GET", "PUT"}
        assert request.repeat is Repeat.SAFE
        return self._one(rest, request.json if request.method == "PUT" else None)

    def _create(self, body: object) -> Response:
        assert isinstance(body, dict)
        assert set(body) == {"name", "type", "value"}
        key = f"made-{len(self.variables) + 1}"
        self.variables[key] = {"id": key, **body}
        return answer(200, self.variables[key])

    def _one(self, rest: str, body: object) -> Response:
        slashed = rest.endswith("/")
        key = unquote(rest.strip("/"))
        fits = self.slash in ("either", "yes" if slashed else "no")
        if key not in self.variables or not fits:
            return answer(404, {"error": "Not Found"})
        variable = self.variables[key]
        # Only a flat body of the right type changes anything: docs/wire.md D.
        if isinstance(body, dict) and variable["type"] == "string" and not self.deaf:
            variable["value"] = body.get("value", variable["value"])
        return answer(200, variable)
