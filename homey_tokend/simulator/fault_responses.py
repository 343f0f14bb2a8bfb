"""Apply faults: modify how a request is handled, or replace its response."""

import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate

from aiohttp import web

from homey_tokend.simulator.accounts import error_redirect
from homey_tokend.simulator.faults import Fault
from homey_tokend.simulator.homey import missing_scopes, offline
from homey_tokend.simulator.requests import RequestContext
from homey_tokend.simulator.responses import (
    error,
    express_error,
    html_response,
    json_response,
    redirect,
    text_response,
)

#: Handles the request as if there were no replacing fault.
Handle = Callable[[], Awaitable[web.Response]]

_MIB = 1 << 20
_CHUNK = 64 * 1024


async def modify(fault: Fault, context: RequestContext) -> None:
    """Apply a modifying fault to one request."""
    if fault.kind == "delay":
        await context.pause(fault.seconds)
    elif fault.kind == "revoke":
        context.state.end_sessions(context.homey.cloudid if context.homey else None)
    elif fault.kind == "revoke_access":
        context.state.end_access()
    else:
        context.modifiers.add(fault.kind)


async def replace(fault: Fault, context: RequestContext, handle: Handle) -> web.StreamResponse:
    """Respond as a replacing fault describes, or not at all."""
    if fault.kind in _DISTORTED:
        return await _DISTORTED[fault.kind](fault, context, await handle())
    if fault.carried_out:
        await handle()
    if fault.kind in _STREAMED:
        return await _STREAMED[fault.kind](fault, context)
    response = _WHOLE[fault.kind](fault, context)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = _retry_after(fault.retry_after, context.state.now())
    return response


def _retry_after(value: float | str, now: float) -> str:
    """Format seconds, an HTTP date ``date+N`` ahead, or a text as it is."""
    if isinstance(value, str):
        word, plus, ahead = value.partition("+")
        return formatdate(now + float(ahead), usegmt=True) if word == "date" and plus else value
    return str(int(value)) if value == int(value) else str(value)


# --- whole responses ----------------------------------------------------------


def _status(fault: Fault, _: RequestContext) -> web.Response:
    status = fault.status or 503
    default = "server_error" if status >= 500 else "invalid_request"
    return error(status, fault.error or default, fault.description).response


def _error_redirect(fault: Fault, context: RequestContext) -> web.Response:
    id_ = fault.error or "invalid_request"
    return error_redirect(context, id_, fault.description or id_, fault.status)


_PORTAL = (
    "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in to go on</body></html>"
)

_WHOLE: dict[str, Callable[[Fault, RequestContext], web.Response]] = {
    "status": _status,
    "text": lambda fault, _: text_response(str(fault.body), fault.status or 500),
    "html": lambda fault, _: html_response(fault.body or _PORTAL, fault.status or 200),
    "json": lambda fault, _: json_response(fault.body, fault.status or 200),
    "too_many_requests": lambda fault, _: text_response("Too many requests", fault.status or 429),
    "mesh_node_offline": lambda fault, _: offline(fault.status or 404).response,
    "missing_scopes": lambda _fault, _: missing_scopes().response,
    "csrf_mismatch": lambda _fault, _: express_error(403, "ForbiddenError: invalid csrf token"),
    "error_redirect": _error_redirect,
    "redirect": lambda fault, _: redirect(
        fault.location or "https://portal.invalid/", fault.status or 302
    ),
}


# --- no response, or a very long one ------------------------------------------


async def _reset(_fault: Fault, context: RequestContext) -> web.StreamResponse:
    transport = context.request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # Lingering for zero seconds makes the kernel send RST without a FIN before it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _hang(fault: Fault, context: RequestContext) -> web.StreamResponse:
    await context.pause(fault.seconds)
    return await _reset(fault, context)


async def _huge(fault: Fault, context: RequestContext) -> web.StreamResponse:
    size = fault.size or 64 * _MIB
    response = _json_stream()
    response.content_length = size
    return await _send(response, context, _json_text(size))


async def _gzip_bomb(fault: Fault, context: RequestContext) -> web.StreamResponse:
    response = _json_stream()
    response.headers["Content-Encoding"] = "gzip"
    return await _send(response, context, _gzipped(_json_text(fault.size or 50 * _MIB)))


def _json_stream() -> web.StreamResponse:
    return web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})


async def _json_text(size: int) -> AsyncIterator[bytes]:
    yield b'"'
    for start in range(0, size - 2, _CHUNK):
        yield b"0" * min(_CHUNK, size - 2 - start)
    yield b'"'


async def _gzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    compressor = zlib.compressobj(wbits=31)
    async for part in parts:
        yield compressor.compress(part)
    yield compressor.flush()


async def _send(
    response: web.StreamResponse, context: RequestContext, parts: AsyncIterator[bytes]
) -> web.StreamResponse:
    # A client may be done with the response before the handler is.
    context.received.status = response.status
    await response.prepare(context.request)
    async for part in parts:
        await response.write(part)
    return response


_STREAMED: dict[str, Callable[[Fault, RequestContext], Awaitable[web.StreamResponse]]] = {
    "reset": _reset,
    "hang": _hang,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
}


# --- the true response, distorted ---------------------------------------------


async def _cut(fault: Fault, context: RequestContext, true: web.Response) -> web.StreamResponse:
    async def beginning() -> AsyncIterator[bytes]:
        yield _body(true)[: len(_body(true)) // 2 if fault.size is None else fault.size]

    response = await _send(_copy(true), context, beginning())
    if context.request.transport is not None:
        context.request.transport.close()
    return response


async def _drip(fault: Fault, context: RequestContext, true: web.Response) -> web.StreamResponse:
    async def drops() -> AsyncIterator[bytes]:
        for octet in _body(true):
            yield bytes([octet])
            await context.pause(fault.seconds)

    return await _send(_copy(true), context, drops())


async def _long_header(fault: Fault, _: RequestContext, true: web.Response) -> web.StreamResponse:
    true.headers["X-Filler"] = "x" * (fault.size or 64 * 1024)
    return true


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _copy(true: web.Response) -> web.StreamResponse:
    response = web.StreamResponse(status=true.status, headers=true.headers)
    response.content_length = len(_body(true))
    return response


_DISTORTED: dict[
    str, Callable[[Fault, RequestContext, web.Response], Awaitable[web.StreamResponse]]
] = {"cut": _cut, "drip": _drip, "long_header": _long_header}
