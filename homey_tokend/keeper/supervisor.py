"""Run all keepers, and serve their tokens (``ports.TokenProvider``)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import structlog

from homey_tokend.core.status import RefreshResult, View
from homey_tokend.core.timeline import shift
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.requests import RefreshRequests
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.storage.store import StateStore

log = structlog.get_logger()
T = TypeVar("T")


class Supervisor:
    """Run the keepers and serve their tokens.

    Args:
        keepers: The keepers by name, in the order of the configuration.
        store: The shared state.
        clock: Time.
        alive: Returns whether event loop and scheduler run.
    """

    def __init__(
        self,
        keepers: Mapping[str, Keeper],
        store: StateStore,
        clock: SteadyClock,
        alive: Callable[[], bool],
    ) -> None:
        self.keepers = dict(keepers)
        self._requests = {
            name: RefreshRequests(keeper, store, clock) for name, keeper in keepers.items()
        }
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._store = store
        self._clock = clock
        self._alive = alive
        #: The views as converted to a wall clock that was set: original, offset, result.
        self._shown: dict[str, tuple[View, timedelta, View]] = {}

    async def run(self) -> None:
        """Run all keepers until cancelled; if one fails with a bug, all end, and systemd restarts."""
        for name in self.keepers:
            self._begin(name)
        try:
            while True:
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait(), name="supervisor:changed")
                try:
                    await asyncio.wait(
                        {changed, *self._tasks.values()}, return_when=asyncio.FIRST_COMPLETED
                    )
                finally:
                    changed.cancel()
                for task in self._tasks.values():
                    if task.done():
                        task.result()
        finally:
            tasks, self._tasks = self._tasks, {}
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    async def put(self, name: str, make: Callable[[], Awaitable[Keeper]]) -> None:
        """Add a Homey, or replace its keeper.

        ``make`` is called after the old keeper has ended and written its state; until then its
        last view is served.
        """
        await self._end(name)
        keeper = await make()
        self.keepers[name] = keeper
        self._requests[name] = RefreshRequests(keeper, self._store, self._clock)
        self._begin(name)

    async def remove(self, name: str) -> None:
        """Remove a Homey."""
        await self._end(name)
        del self.keepers[name], self._requests[name]
        self._shown.pop(name, None)

    def reorder(self, names: Sequence[str]) -> None:
        """Set the order of the Homeys."""
        self.keepers = {name: self.keepers[name] for name in names}

    async def settled(self) -> None:
        """Wait until each keeper has been settled once, including those that a reload adds meanwhile."""
        settled: set[Keeper] = set()
        while waited_for := [one for one in self.keepers.values() if one not in settled]:
            quiet = asyncio.create_task(waited_for[0].settled.wait(), name="supervisor:quiet")
            changed = asyncio.create_task(self._changed.wait(), name="supervisor:changed")
            try:
                await asyncio.wait({quiet, changed}, return_when=asyncio.FIRST_COMPLETED)
                if quiet.done():
                    settled.add(waited_for[0])
            finally:
                quiet.cancel()
                changed.cancel()

    async def on_heartbeat(self) -> None:
        """Look for a set clock, changed credentials, and a disk that works again."""
        set_by = self._clock.update()
        if set_by:
            log.warning("clock.set", by_s=round(set_by.total_seconds()))
            for keeper in self.keepers.values():
                keeper.clock_changed()
        for keeper in self.keepers.values():
            if keeper.view.sign_in_blocked_until is not None:
                keeper.read_credentials()
            keeper.wake()
        # Last, because a disk that hangs delays what follows.
        before = self._store.error
        await self._store.retry_write()
        if (before is None) != (self._store.error is None):
            for keeper in self.keepers.values():
                keeper.wake()  # its view shows it

    def _begin(self, name: str) -> None:
        run = self.keepers[name].run()
        self._tasks[name] = asyncio.create_task(run, name=f"keeper:{name}")
        self._changed.set()

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        self._changed.set()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    # --- ports.TokenProvider ---

    def names(self) -> Sequence[str]:
        """Return the Homeys in the order of the configuration."""
        return tuple(self.keepers)

    def view(self, name: str) -> View:
        """Return the latest view of a Homey, by the wall clock; KeyError for an unknown one."""
        view, offset = self.keepers[name].view, self._clock.offset
        if not offset:
            return view
        known = self._shown.get(name)
        if known is None or known[0] is not view or known[1] != offset:
            known = self._shown[name] = view, offset, shift(view, offset)
        return known[2]

    def now(self) -> datetime:
        """Return the time to compare a view's instants with: the wall clock as of the last heartbeat."""
        return self._clock.now() + self._clock.offset

    def alive(self) -> bool:
        """Return whether event loop and scheduler run."""
        return self._alive()

    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View:
        """See ``RefreshRequests.token_for``; KeyError for an unknown Homey."""
        return self._by_wall(await self._requests[name].token_for(min_ttl, wait))

    async def refresh(self, name: str, wait: timedelta) -> RefreshResult:
        """See ``RefreshRequests.refresh``; KeyError for an unknown Homey."""
        return self._by_wall(await self._requests[name].refresh(wait))

    async def token_rejected(self, name: str, generation: int, wait: timedelta) -> View:
        """See ``RefreshRequests.token_rejected``; KeyError for an unknown Homey."""
        return self._by_wall(await self._requests[name].token_rejected(generation, wait))

    def _by_wall(self, value: T) -> T:
        return shift(value, self._clock.offset)
