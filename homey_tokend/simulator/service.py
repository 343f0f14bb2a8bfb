"""The way of one request: written down, past the faults, to its handler, and logged."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import Any

from aiohttp import web

from homey_tokend.simulator import trouble
from homey_tokend.simulator.call import Call
from homey_tokend.simulator.faults import BENDING, Asked, FaultBook
from homey_tokend.simulator.journal import KEEP, Entry, entry_of
from homey_tokend.simulator.replies import Refusal
from homey_tokend.simulator.routes import Route
from homey_tokend.simulator.world import World

#: Is given one mapping per answered request; it must not block.
Log = Callable[[Mapping[str, object]], None]


class Service:
    """Answers requests.

    Args:
        world: What requests change.
        book: Scripted trouble.
        journal: Where every request is written down; cut when it grows too long.
        log: Told of every answered request, or None.
    """

    def __init__(
        self, world: World, book: FaultBook, journal: list[Entry], log: Log | None
    ) -> None:
        self._world, self._book, self._journal, self._log = world, book, journal, log
        self._started_at = 0.0
        self._ended = asyncio.Event()

    def begin(self) -> None:
        """Count the seconds of faults from now on."""
        self._started_at = self._world.now()
        self._ended.clear()

    def end(self) -> None:
        """Cut every wait short, so that nothing hangs when the server stops."""
        self._ended.set()

    def door(self, route: Route) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Make aiohttp's handler for one line of the table."""

        async def door(request: web.Request) -> web.StreamResponse:
            entry = await entry_of(request, route.step, self._world.now())
            self._write_down(entry)
            try:
                response = await self._answer(route, Call(request, entry, self._world))
                entry.status = None if _is_aborted(request, response) else response.status
            except ConnectionError:
                # The client had enough of a long answer: nothing went wrong here.
                return web.Response()
            finally:
                if self._log is not None:
                    self._log(entry.as_log())
            return response

        return door

    async def stamp(self, _: web.Request, response: web.StreamResponse) -> None:
        """Put the simulator's own time on every answer."""
        skew = self._world.settings.switches.clock_skew
        response.headers["Date"] = formatdate(self._world.now() + skew, usegmt=True)

    async def _answer(self, route: Route, call: Call) -> web.StreamResponse:
        async def carry() -> web.Response:
            try:
                return await route.handler(call)
            except Refusal as refusal:
                return refusal.response

        where = (call.homey.cloudid, call.homey.number) if call.homey else ()
        asked = Asked(route.step, call.entry.method, where)
        elapsed = self._world.now() - self._started_at
        for fault in self._book.meet(asked, elapsed):
            call.entry.faults.append(fault.kind)
            if fault.kind not in BENDING:
                return await trouble.replace(fault, call, self._idle, carry)
            await trouble.bend(fault, call, self._idle)
        return await carry()

    async def _idle(self, seconds: float | None) -> None:
        """Wait some seconds, or (None) only for the end; the end cuts every wait short."""
        waits: set[asyncio.Future[Any]] = {asyncio.ensure_future(self._ended.wait())}
        if seconds is not None:
            waits.add(asyncio.ensure_future(self._world.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    def _write_down(self, entry: Entry) -> None:
        self._journal.append(entry)
        if len(self._journal) > KEEP:
            del self._journal[: KEEP // 10]


def _is_aborted(request: web.Request, response: web.StreamResponse) -> bool:
    gone = request.transport is None or request.transport.is_closing()
    return gone and not response.prepared
