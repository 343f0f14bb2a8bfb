"""Responses with a body that may be long."""

import json
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

NO_STORE = {"Cache-Control": "no-store"}
#: Bytes of a body that are written at once.
AT_ONCE = 16 * 1024


def body_response(body: bytes, headers: Mapping[str, str], *, status: int = 200) -> web.Response:
    """Return a response whose body is sent as fast as the client reads it.

    A body given as bytes is copied for each client that does not read.
    """
    if len(body) <= AT_ONCE:
        return web.Response(status=status, body=body, headers=headers)
    length = {"Content-Length": str(len(body))}
    return web.Response(status=status, body=_pieces(body), headers={**headers, **length})


async def _pieces(body: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(body), AT_ONCE):
        yield body[start : start + AT_ONCE]


def json_response(document: object, *, status: int = 200) -> web.Response:
    """Return a JSON document that no cache may store."""
    headers = {"Content-Type": "application/json", **NO_STORE}
    return body_response(json.dumps(document).encode() + b"\n", headers, status=status)
