"""A caller's body on its way to the Homey: short ones are kept for a second try, others stream."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Self

from aiohttp import web

from homey_tokend.server.problems import Problem

#: How long may a body be to be kept? Whatever a Homey is told by hand is below; pictures are not.
MAX_BUFFERED = 64 * 1024


class RequestBody:
    """One request's body.

    ``kept`` is all of it, or None where it streams: then it can be sent once only.
    ``length`` is what the caller told, if it did. ``broken`` tells that the caller's
    side failed while it was sent, ``awaited`` that the caller's next bytes are
    being waited for.
    """

    def __init__(self, request: web.BaseRequest, silence: timedelta) -> None:
        self.kept: bytes | None = b""
        self.length = request.content_length
        self.broken = False
        self.awaited = False
        self._head = b""
        self._content = request.content
        self._silence_s = silence.total_seconds()

    @classmethod
    async def of(cls, request: web.BaseRequest, silence: timedelta, whole: timedelta) -> Self:
        """Read a body as far as it is kept.

        Args:
            request: The request.
            silence: How long the caller may say nothing amid its body.
            whole: How long all that is kept may take: a byte now and then is no silence.

        Raises:
            Problem: 408 ``body-timeout``, or 400 ``bad-body``.
        """
        body = cls(request, silence)
        if request.can_read_body:
            try:
                async with asyncio.timeout(whole.total_seconds()):
                    await body._read()
            except TimeoutError:
                raise endless_body(whole.total_seconds()) from None
        return body

    async def _read(self) -> None:
        if self.length is not None and self.length > MAX_BUFFERED:
            self.kept = None
            return
        parts: list[bytes] = []
        size = 0
        while size <= MAX_BUFFERED:
            part = await self._next()
            if not part:
                self.kept = b"".join(parts)
                self.length = size
                return
            parts.append(part)
            size += len(part)
        self.kept, self._head = None, b"".join(parts)

    async def _next(self) -> bytes:
        """The caller's next bytes, empty at the end."""
        try:
            async with asyncio.timeout(self._silence_s):
                return await self._content.readany()
        except TimeoutError:
            problem = stalled_body(self._silence_s)
        except Exception:  # noqa: BLE001  whatever aiohttp makes of broken framing: it is the caller's
            problem = bad_body()
        raise problem

    async def stream(self, put_off: Callable[[], None]) -> AsyncIterator[bytes]:
        """Give what was read already, then the rest as it comes.

        Args:
            put_off: Called with every piece that gets on.
        """
        part = self._head or await self._piece()
        while part:
            put_off()
            yield part
            part = await self._piece()
        put_off()

    async def _piece(self) -> bytes:
        self.awaited = True
        try:
            part = await self._content.readany()
        except Exception:
            self.broken = True
            raise
        self.awaited = False
        return part


def stalled_body(seconds: float) -> Problem:
    """408: the caller announced a body and sent nothing for so long."""
    return Problem(
        408,
        "body-timeout",
        f"the request's body did not come: nothing for {seconds:g} s",
        kind="body_timeout",
    )


def endless_body(seconds: float) -> Problem:
    """408: the caller sends a byte now and then, and comes to no end."""
    return Problem(
        408,
        "body-timeout",
        f"the request's body did not end within {seconds:g} s",
        kind="body_timeout",
    )


def bad_body() -> Problem:
    """400: the framing of the request's body is broken."""
    return Problem(
        400, "bad-body", "the request's body cannot be read: its framing is broken", kind="bad_body"
    )
