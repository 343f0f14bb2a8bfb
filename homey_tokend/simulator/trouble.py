"""Carries out faults: bends the world before a request, or replaces its answer."""

import socket
import struct
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from email.utils import formatdate

from aiohttp import web

from homey_tokend.simulator.accounts import error_redirect
from homey_tokend.simulator.call import Call
from homey_tokend.simulator.faults import Fault
from homey_tokend.simulator.homey import missing_scopes, offline
from homey_tokend.simulator.replies import (
    as_html,
    as_json,
    as_text,
    error_body,
    express_error,
    redirect,
)

#: Waits some seconds, or until the simulator stops (None: only for that).
Idle = Callable[[float | None], Awaitable[None]]
#: Handles the request as though there were no replacing fault.
Carry = Callable[[], Awaitable[web.Response]]

_MIB = 1 << 20
_SLICE = 64 * 1024


async def bend(fault: Fault, call: Call, idle: Idle) -> None:
    """Bend the world for one request; what handlers look at is left in ``call.bent``."""
    if fault.kind == "delay":
        await idle(fault.seconds)
    elif fault.kind == "revoke":
        call.world.end_sessions(call.homey.cloudid if call.homey else None)
    elif fault.kind == "revoke_access":
        call.world.end_access()
    else:
        call.bent.add(fault.kind)


async def replace(fault: Fault, call: Call, idle: Idle, carry: Carry) -> web.StreamResponse:
    """Answer otherwise than the request deserves, or not at all."""
    if fault.kind in _DISTORTING:
        return await _DISTORTING[fault.kind](fault, call, idle, await carry())
    if fault.carried_out:
        await carry()
    if fault.kind in _BREAKING:
        return await _BREAKING[fault.kind](fault, call, idle)
    response = _ANSWERS[fault.kind](fault, call)
    if fault.retry_after is not None:
        response.headers["Retry-After"] = _retry_after(fault.retry_after, call.world.now())
    return response


def _retry_after(asked: float | str, now: float) -> str:
    """Write seconds, an HTTP date ``date+N`` ahead, or a text as it is."""
    if isinstance(asked, str):
        word, plus, ahead = asked.partition("+")
        return formatdate(now + float(ahead), usegmt=True) if word == "date" and plus else asked
    return str(int(asked)) if asked == int(asked) else str(asked)


# --- whole answers ------------------------------------------------------------


def _status(fault: Fault, _: Call) -> web.Response:
    status = fault.status or 503
    error = fault.error or ("server_error" if status >= 500 else "invalid_request")
    return as_json(error_body(status, error, fault.description or error), status)


def _error_redirect(fault: Fault, call: Call) -> web.Response:
    error = fault.error or "invalid_request"
    return error_redirect(call, error, fault.description or error, fault.status)


_PORTAL = (
    "<!DOCTYPE html><html><head><title>Welcome</title></head><body>Log in to go on</body></html>"
)

_ANSWERS: dict[str, Callable[[Fault, Call], web.Response]] = {
    "status": _status,
    "text": lambda fault, _: as_text(str(fault.body), fault.status or 500),
    "html": lambda fault, _: as_html(fault.body or _PORTAL, fault.status or 200),
    "json": lambda fault, _: as_json(fault.body, fault.status or 200),
    "too_many_requests": lambda fault, _: as_text("Too many requests", fault.status or 429),
    "mesh_node_offline": lambda fault, _: offline(fault.status or 404).response,
    "missing_scopes": lambda _fault, _: missing_scopes().response,
    "csrf_mismatch": lambda _fault, _: express_error(403, "ForbiddenError: invalid csrf token"),
    "error_redirect": _error_redirect,
    "redirect": lambda fault, _: redirect(
        fault.location or "https://portal.invalid/", fault.status or 302
    ),
}


# --- no answer, or one without an end -----------------------------------------


async def _reset(_fault: Fault, call: Call, _: Idle) -> web.StreamResponse:
    return _aborted(call)


async def _hang(fault: Fault, call: Call, idle: Idle) -> web.StreamResponse:
    await idle(fault.seconds)
    return _aborted(call)


def _aborted(call: Call) -> web.Response:
    transport = call.request.transport
    if transport is not None:
        connection = transport.get_extra_info("socket")
        # Lingering for zero seconds makes the kernel send RST, and no FIN before it.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def _huge(fault: Fault, call: Call, _: Idle) -> web.StreamResponse:
    size = fault.size or 64 * _MIB
    response = _json_stream()
    response.content_length = size
    return await _streamed(response, call, _json_text(size))


async def _gzip_bomb(fault: Fault, call: Call, _: Idle) -> web.StreamResponse:
    response = _json_stream()
    response.headers["Content-Encoding"] = "gzip"
    return await _streamed(response, call, _gzipped(_json_text(fault.size or 50 * _MIB)))


def _json_stream() -> web.StreamResponse:
    return web.StreamResponse(headers={"Content-Type": "application/json; charset=utf-8"})


async def _json_text(size: int) -> AsyncIterator[bytes]:
    yield b'"'
    for start in range(0, size - 2, _SLICE):
        yield b"0" * min(_SLICE, size - 2 - start)
    yield b'"'


async def _gzipped(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    async for part in parts:
        yield packer.compress(part)
    yield packer.flush()


async def _begun(response: web.StreamResponse, call: Call) -> None:
    """Send the head; a client may be done with the body before the handler is."""
    call.entry.status = response.status
    await response.prepare(call.request)


async def _streamed(
    response: web.StreamResponse, call: Call, parts: AsyncIterator[bytes]
) -> web.StreamResponse:
    await _begun(response, call)
    async for part in parts:
        await response.write(part)
    return response


_BREAKING: dict[str, Callable[[Fault, Call, Idle], Awaitable[web.StreamResponse]]] = {
    "reset": _reset,
    "hang": _hang,
    "huge": _huge,
    "gzip_bomb": _gzip_bomb,
}


# --- the true answer, distorted -----------------------------------------------


async def _cut(fault: Fault, call: Call, _: Idle, true: web.Response) -> web.StreamResponse:
    body = _body(true)
    response = _again(true)
    await _begun(response, call)
    await response.write(body[: len(body) // 2 if fault.size is None else fault.size])
    if call.request.transport is not None:
        call.request.transport.close()
    return response


async def _drip(fault: Fault, call: Call, idle: Idle, true: web.Response) -> web.StreamResponse:
    response = _again(true)
    await _begun(response, call)
    for octet in _body(true):
        await response.write(bytes([octet]))
        await idle(fault.seconds)
    return response


async def _long_header(
    fault: Fault, _: Call, _idle: Idle, true: web.Response
) -> web.StreamResponse:
    true.headers["X-Filler"] = "x" * (fault.size or 64 * 1024)
    return true


def _body(response: web.Response) -> bytes:
    return response.body if isinstance(response.body, bytes) else b""


def _again(true: web.Response) -> web.StreamResponse:
    response = web.StreamResponse(status=true.status, headers=true.headers)
    response.content_length = len(_body(true))
    return response


_DISTORTING: dict[
    str, Callable[[Fault, Call, Idle, web.Response], Awaitable[web.StreamResponse]]
] = {"cut": _cut, "drip": _drip, "long_header": _long_header}
