"""Answers those who ask a keeper for a newer token: starts or joins one refresh, and waits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from homey_tokend import policy
from homey_tokend.accounts import Accounts
from homey_tokend.keeper import Asked, Keeper
from homey_tokend.model import Refreshed, View
from homey_tokend.ports import Clock
from homey_tokend.state import Wish

#: How long does a wish stand at least, so that the attempt for it can begin?
_WISH_LEAST = timedelta(seconds=10)
_PERSON_LEAST = timedelta(minutes=1)


class Reception:
    """For one keeper; any number of askers share its refreshes."""

    def __init__(self, keeper: Keeper, accounts: Accounts, clock: Clock) -> None:
        self._keeper = keeper
        self._accounts = accounts
        self._clock = clock

    async def token_for(self, min_ttl: timedelta, wait: timedelta) -> View:
        """A token with ``min_ttl`` left if it can be had within ``wait``; else what is held.

        A ``min_ttl`` beyond a fresh token's life and a token that is still young
        start nothing. Nothing here passes policy's spacing.
        """
        now = self._clock.now()
        if self._enough(min_ttl, now):
            return self._keeper.view
        token = self._keeper.state.usable(now)
        if token is not None and (min_ttl > token.life or now < policy.young_until(token)):
            return self._keeper.view
        self._keeper.post(Asked(now + max(wait, _WISH_LEAST), forced=False))
        await self._wait(wait, lambda: self._enough(min_ttl, self._clock.now()), now + wait)
        return self._keeper.view

    async def refresh(self, wait: timedelta) -> Refreshed:
        """A person asks: join the refresh under way, or start one where that is allowed."""
        keeper, now = self._keeper, self._clock.now()
        before, finished = keeper.state.generation, keeper.finished
        if not keeper.facts.renewing:
            free_at = self._free_at(now)
            if free_at > now:
                return Refreshed(keeper.view, done=False, too_soon=free_at)
            if self._refused(now):
                await self._accounts.was_forced(keeper.account_key, now)
            keeper.post(Asked(now + max(wait, _PERSON_LEAST), forced=True))
        await self._wait(wait, lambda: keeper.finished > finished, None)
        return Refreshed(keeper.view, done=keeper.state.generation > before)

    # --- questions ---

    def _enough(self, min_ttl: timedelta, now: datetime) -> bool:
        token = self._keeper.state.usable(now)
        return token is not None and token.left(now) >= min_ttl

    def _refused(self, now: datetime) -> bool:
        keeper = self._keeper
        account = self._accounts.state(keeper.account_key)
        return policy.next_attempt(keeper.state, account, keeper.facts, now, keeper.plan).held

    def _free_at(self, now: datetime) -> datetime:
        """When a person's refresh may start: not right after another, twice a day if refused."""
        keeper = self._keeper
        state, account = keeper.state, self._accounts.state(keeper.account_key)
        token = state.usable(now)
        free = policy.young_until(token) if token else now
        if state.attempted_at is not None and state.attempted_at <= now:
            life = token.life if token else keeper.plan.lifetime
            free = max(free, state.attempted_at + policy.young_span(life))
        if self._refused(now):
            free = max(free, account.may_force_at(now))
        forced = replace(state, wish=Wish(datetime.max.replace(tzinfo=now.tzinfo), forced=True))
        return max(free, policy.next_attempt(forced, account, keeper.facts, now, keeper.plan).at)

    async def _wait(
        self, wait: timedelta, done: Callable[[], bool], deadline: datetime | None
    ) -> None:
        """Until ``done``, the wait is over, or no attempt is to come before ``deadline``."""
        try:
            async with asyncio.timeout(max(wait.total_seconds(), 0)):
                while not done() and not self._keeper.ended:
                    view = await self._keeper.next_view()
                    if deadline is not None and _hopeless(view, deadline):
                        return
        except TimeoutError:
            return


def _hopeless(view: View, deadline: datetime) -> bool:
    return not view.refreshing and view.next_at is not None and view.next_at > deadline
