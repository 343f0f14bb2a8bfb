"""A cloud on loopback that sends one given answer, and the right ones otherwise."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from types import TracebackType
from typing import Self

CLOUDID = "5a0000000000000000000001"
REDIRECT = "http://localhost/callback"
_BEARER = f"{'1' * 8}-aaaa:{'2' * 8}-bbbb:{'d' * 40}"

#: The right answers by the end of the path: status, headers, body.
_Answer = tuple[int, list[str], bytes]
RIGHT: dict[str, _Answer] = {
    "/login": (200, [], json.dumps({"token": "header.user.token"}).encode()),
    "/oauth2/authorise": (200, ["Set-Cookie: _csrf=s3cr3t; Path=/"], b'<form><input type="hidden" name="_csrf" value="tok-en_1"></form>'),
    "/authorise": (302, [f"Location: {REDIRECT}?code={'c0' * 20}"], b"Found."),
    "/oauth2/token": (200, [], json.dumps({"access_token": "ac" * 20, "expires_in": 3660, "refresh_token": "be" * 20}).encode()),
    "/user/me": (200, [], json.dumps({"homeys": [{"_id": CLOUDID, "name": "Home", "remoteUrl": "http://127.0.0.1:{port}"}]}).encode()),
    "/delegation/token": (200, [], b'"header.delegation.token"'),
    "/users/login": (200, [], json.dumps(_BEARER).encode()),
    "/session/me": (200, ["Date: Sun, 01 Mar 2026 12:00:00 GMT"], json.dumps({"createdAt": "2026-03-01T12:00:00.000Z", "expiresAt": "2026-03-02T12:00:00.000Z"}).encode()),
}  # fmt: skip


class Cloud:
    """One server for all hosts.

    Args:
        answer: The answer to one of the requests; the same request gets it each time.
        index: The number of that request.
        stays: Whether the connection stays open after that answer.
    """

    def __init__(self, answer: bytes, index: int, *, stays: bool) -> None:
        self._answer, self._index, self._stays = answer, index, stays
        self.requests: list[str] = []

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            request = await _read(reader)
            self.requests.append(request)
            chosen = list(dict.fromkeys(self.requests)).index(request) == self._index
            writer.write(self._answer if chosen else self._right(request))
            await writer.drain()
            if chosen and self._stays:
                await reader.read()
        writer.close()

    def _right(self, request: str) -> bytes:
        path = request.partition(" ")[2].partition("?")[0]
        # The longest end first: /oauth2/authorise before /authorise.
        known = max((each for each in RIGHT if path.endswith(each)), key=len, default="")
        status, headers, body = RIGHT.get(known, (404, [], b"{}"))
        body = body.replace(b"{port}", str(self._port).encode())
        return encoded(status, [*headers, f"Content-Length: {len(body)}"], body)


def encoded(status: int, headers: Sequence[str], body: bytes) -> bytes:
    """Return an answer."""
    lines = [f"HTTP/1.1 {status} Because", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


async def _read(reader: asyncio.StreamReader) -> str:
    """Read a request, and return its method and target."""
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    await reader.readexactly(length)
    method, target, _ = head.decode("latin-1").split(" ", 2)
    return f"{method} {target}"
