"""All keepers together: what the doors ask (``ports.Desk``), and what the heartbeat tells."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from homey_tokend.core.ports import Clock
from homey_tokend.core.status import RefreshResult, View
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.requests import RefreshRequests
from homey_tokend.runtime.clock import SteadyClock

log = structlog.get_logger()


class Supervisor:
    """Runs the keepers; answers the doors.

    Args:
        keepers: By name, in the order of the configuration.
        accounts: The accounts they share.
        clock: Time.
        alive: Whether loop and schedule turn.
    """

    def __init__(
        self,
        keepers: Mapping[str, Keeper],
        accounts: Accounts,
        clock: Clock,
        alive: Callable[[], bool],
    ) -> None:
        self._keepers = dict(keepers)
        self._receptions = {
            name: RefreshRequests(keeper, accounts, clock) for name, keeper in keepers.items()
        }
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._accounts = accounts
        self._clock = SteadyClock.over(clock)
        self._alive = alive

    async def run(self) -> None:
        """Run all keepers until cancelled; a bug in one ends all, for systemd to start anew."""
        for name in self._keepers:
            self._begin(name)
        try:
            while True:
                self._changed.clear()
                changed = asyncio.create_task(self._changed.wait(), name="fleet:changed")
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

    def _begin(self, name: str) -> None:
        run = self._keepers[name].run()
        self._tasks[name] = asyncio.create_task(run, name=f"keeper:{name}")
        self._changed.set()

    async def put(self, name: str, make: Callable[[], Awaitable[Keeper]]) -> None:
        """Add a Homey, or put a new keeper in the place of its old one.

        The old one's last view is served until the new one, made when the old one
        has written its last word, stands in its place.
        """
        await self._end(name)
        keeper = await make()
        if name in self._keepers:
            keeper.inherit(self._keepers[name].clock_sets)
        self._keepers[name] = keeper
        self._receptions[name] = RefreshRequests(keeper, self._accounts, self._clock)
        self._begin(name)

    async def remove(self, name: str) -> None:
        """Keep a Homey no longer."""
        await self._end(name)
        del self._keepers[name], self._receptions[name]

    def order(self, names: Sequence[str]) -> None:
        """Show the Homeys in this order from now on."""
        self._keepers = {name: self._keepers[name] for name in names}

    def keeper(self, name: str) -> Keeper:
        """The keeper of a Homey; KeyError for an unknown one."""
        return self._keepers[name]

    async def _end(self, name: str) -> None:
        task = self._tasks.pop(name, None)
        self._changed.set()
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def settled(self) -> None:
        """Wait until each keeper had a moment with nothing due and nothing under way.

        A reload meanwhile puts other keepers in the place of some: then those are waited for.
        """
        settled: set[Keeper] = set()
        while waited_for := [one for one in self._keepers.values() if one not in settled]:
            quiet = asyncio.create_task(waited_for[0].settled.wait(), name="fleet:quiet")
            changed = asyncio.create_task(self._changed.wait(), name="fleet:changed")
            try:
                await asyncio.wait({quiet, changed}, return_when=asyncio.FIRST_COMPLETED)
                if quiet.done():
                    settled.add(waited_for[0])
            finally:
                quiet.cancel()
                changed.cancel()

    async def beat(self) -> None:
        """The heartbeat: was the clock set, were rejected values changed, is there room again?"""
        set_by = self._clock.adopt()
        if set_by:
            log.warning("clock.set", by_s=round(set_by.total_seconds()))
            # Before anything is awaited: nobody compares the new time with instants of the old.
            for keeper in self._keepers.values():
                keeper.clock_was_set(set_by)
            await self._accounts.shifted(set_by)
        for keeper in self._keepers.values():
            if keeper.view.sign_in_blocked_until is not None:
                keeper.look_for_new_values()
            keeper.ring()
        # Last: a disk that hangs keeps the next beat waiting, and nobody else.
        await self._accounts.catch_up()

    # --- ports.Desk ---

    def names(self) -> Sequence[str]:
        """The Homeys, in the order of the configuration."""
        return tuple(self._keepers)

    def view(self, name: str) -> View:
        """The newest snapshot of a Homey; KeyError for an unknown one."""
        return self._keepers[name].view

    def now(self) -> datetime:
        """The time that validity is judged by."""
        return self._clock.now()

    def alive(self) -> bool:
        """Whether loop and schedule turn."""
        return self._alive()

    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View:
        """See ``RefreshRequests.token_for``; KeyError for an unknown Homey."""
        return await self._receptions[name].token_for(min_ttl, wait)

    async def refresh(self, name: str, wait: timedelta) -> RefreshResult:
        """See ``RefreshRequests.refresh``; KeyError for an unknown Homey."""
        return await self._receptions[name].refresh(wait)

    async def refuted(self, name: str, generation: int, wait: timedelta) -> View:
        """See ``RefreshRequests.refuted``; KeyError for an unknown Homey."""
        return await self._receptions[name].refuted(generation, wait)
