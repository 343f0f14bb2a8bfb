"""The body of a request on its way to the Homey: a short one is kept for a retry, others stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Self

from aiohttp import web

from homey_tokend.server.problems import Problem

#: The most bytes of a body that is kept: what people send to a Homey is shorter, pictures are
#: longer.
MAX_BUFFERED = 64 * 1024


class RequestBody:
    """The body of one request.

    ``buffered`` is all of it, or None if it streams and can be sent only once. ``length`` is
    what the client announced, if it did. ``broken`` is true once reading from the client failed
    while the body was sent, ``waiting`` while the client's next bytes are awaited.
    """

    def __init__(self, request: web.BaseRequest, silence: timedelta) -> None:
        self.buffered: bytes | None = b""
        self.length = request.content_length
        self.broken = False
        self.waiting = False
        self._head = b""
        self._content = request.content
        self._silence_s = silence.total_seconds()

    @classmethod
    async def read(cls, request: web.BaseRequest, silence: timedelta, total: timedelta) -> Self:
        """Read a body as far as it is kept.

        ``silence`` is how long the client may send nothing within its body, ``total`` how long
        all that is kept may take, however often a byte comes.

        Raises:
            Problem: 408 ``body-timeout``, or 400 ``bad-body``.
        """
        body = cls(request, silence)
        if request.can_read_body:
            try:
                async with asyncio.timeout(total.total_seconds()):
                    await body._buffer()
            except TimeoutError:
                seconds = total.total_seconds()
                raise _timeout(f"did not end within {seconds:g} s") from None
        return body

    async def _buffer(self) -> None:
        if self.length is not None and self.length > MAX_BUFFERED:
            self.buffered = None
            return
        data = bytearray()
        while len(data) <= MAX_BUFFERED:
            part = await self._next()
            if not part:
                self.buffered = bytes(data)
                self.length = len(data)
                return
            data += part
        self.buffered, self._head = None, bytes(data)

    async def _next(self) -> bytes:
        """Return the client's next bytes, empty at the end."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await self._content.readany()
        except TimeoutError:
            problem = stalled_body(self._silence_s)
        except Exception:  # noqa: BLE001  aiohttp has several for broken framing, the client's fault
            problem = bad_body()
        raise problem

    async def stream(self, on_progress: Callable[[], None]) -> AsyncIterator[bytes]:
        """Yield what was read already, then the rest; ``on_progress`` is called for each piece."""
        part = self._head or await self._piece()
        while part:
            on_progress()
            yield part
            part = await self._piece()
        on_progress()

    async def _piece(self) -> bytes:
        self.waiting = True
        try:
            part = await self._content.readany()
        except Exception:
            self.broken = True
            raise
        self.waiting = False
        return part


def stalled_body(seconds: float) -> Problem:
    """Return 408: the client announced a body and sent nothing for so long."""
    return _timeout(f"did not come: nothing for {seconds:g} s")


def bad_body() -> Problem:
    """Return 400: the framing of the request's body is broken."""
    return Problem(400, "bad-body", "the request's body cannot be read: its framing is broken")


def _timeout(what: str) -> Problem:
    return Problem(408, "body-timeout", f"the request's body {what}")
