"""Answers those who ask a keeper for a newer token: starts or joins one refresh, and waits."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from homey_tokend.core import attempts
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.homey import HomeyState, RefreshRequest
from homey_tokend.core.lifetime import young_span, young_until
from homey_tokend.core.ports import Clock
from homey_tokend.core.status import RefreshResult, View
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.keeper.messages import RefreshRequested, VerificationRequested

#: How long does a wish stand at least, so that the attempt for it can begin?
_WISH_LEAST = timedelta(seconds=10)
_PERSON_LEAST = timedelta(minutes=1)
#: How long does a proof answer those who say that the token is rejected? Some paths of a Homey
#: may answer 401 to a good token, and a script that asks one in a loop must not have it proved
#: each time.
_CLEARED_S = 30.0


class RefreshRequests:
    """For one keeper; any number of askers share its refreshes."""

    def __init__(self, keeper: Keeper, accounts: Accounts, clock: Clock) -> None:
        self._keeper = keeper
        self._accounts = accounts
        self._clock = clock
        #: Whether a person's try is just being counted.
        self._forcing = False
        #: The generation that was proved on demand, and until when that is believed: by the
        #: clock that nobody sets.
        self._cleared = 0, 0.0

    async def token_for(self, min_ttl: timedelta, wait: timedelta) -> View:
        """A token with ``min_ttl`` left if it can be had within ``wait``; else what is held.

        A ``min_ttl`` beyond a fresh token's life and a token that is still young
        start nothing. Nothing here passes policy's spacing.
        """
        now = self._clock.now()
        if self._enough(min_ttl, now):
            return self._keeper.view
        token = self._keeper.state.usable(now)
        if token is not None and (min_ttl > token.life or now < young_until(token)):
            return self._keeper.view
        self._keeper.post(
            RefreshRequested(
                now + max(wait, _WISH_LEAST), forced=False, than=self._keeper.state.generation
            )
        )
        await self._wait(wait, lambda: self._enough(min_ttl, self._clock.now()), now + wait)
        return self._keeper.view

    async def refresh(self, wait: timedelta) -> RefreshResult:
        """A person asks: join the refresh under way, or start one where that is allowed."""
        keeper, now = self._keeper, self._clock.now()
        before, finished = keeper.state.generation, keeper.finished
        if not (keeper.facts.renewing or keeper.person_waits or self._forcing):
            free_at = self._free_at(now)
            if free_at > now:
                return RefreshResult(keeper.view, done=False, too_soon=free_at)
            if self._rejected(now):
                self._forcing = True  # who asks while that is written down joins
                try:
                    await self._accounts.was_forced(keeper.account_key, now)
                finally:
                    self._forcing = False
            keeper.post(RefreshRequested(now + max(wait, _PERSON_LEAST), forced=True, than=before))
        await self._wait(wait, lambda: keeper.finished > finished, None)
        return RefreshResult(keeper.view, done=keeper.state.generation > before)

    async def refuted(self, generation: int, wait: timedelta) -> View:
        """A Homey rejected this generation: prove it at once, and where it is dead await the next.

        1. A newer one is held: it is the answer.
        2. The token was proved on demand just now: the 401 meant something else.
        3. Else it is proved; while that says that it is good, or nothing, it stays.
        4. A dead one is replaced as policy allows; waited for is the time given.
        """
        keeper, now = self._keeper, self._clock.now()
        if keeper.state.generation > generation or self._is_cleared(generation):
            return keeper.view
        before, proving = keeper.proofs, keeper.state.usable(now) is not None
        if proving:
            keeper.post(VerificationRequested(generation))

        def proved() -> bool:
            return not proving or keeper.proofs > before

        def good() -> bool:
            return proving and proved() and keeper.state.usable(self._clock.now()) is not None

        def done() -> bool:
            return good() or keeper.state.generation > generation

        await self._wait(wait, done, now + wait, patient=lambda: not proved())
        if good() and keeper.state.generation == generation and keeper.state.verified_at:
            self._cleared = generation, self._clock.elapsed() + _CLEARED_S
        return keeper.view

    def _is_cleared(self, generation: int) -> bool:
        of, until = self._cleared
        return of == generation and self._clock.elapsed() < until

    # --- questions ---

    def _enough(self, min_ttl: timedelta, now: datetime) -> bool:
        token = self._keeper.state.usable(now)
        return token is not None and token.left(now) >= min_ttl

    def _rejected(self, now: datetime) -> bool:
        keeper = self._keeper
        account = self._accounts.state(keeper.account_key)
        return attempts.is_rejected(keeper.state, account, keeper.facts, now)

    def _free_at(self, now: datetime) -> datetime:
        """When a person's refresh may start: not right after another, twice a day if rejected."""
        keeper = self._keeper
        state, account = keeper.state, self._accounts.state(keeper.account_key)
        token = state.usable(now)
        free = young_until(token) if token else now
        # An attempt that ran into a closed gate, or lacked a value to sign in with, sent no
        # password: it is none to wait after.
        tried = keeper.facts.closed is None and not _lacked_a_value(state)
        if tried and state.attempted_at is not None and state.attempted_at <= now:
            life = token.life if token else keeper.plan.lifetime
            free = max(free, state.attempted_at + young_span(life))
        if self._rejected(now):
            free = max(free, account.may_force_at(now))
        forced = replace(
            state, wish=RefreshRequest(datetime.max.replace(tzinfo=now.tzinfo), forced=True)
        )
        return max(free, attempts.next_attempt(forced, account, keeper.facts, now, keeper.plan).at)

    async def _wait(
        self,
        wait: timedelta,
        done: Callable[[], bool],
        deadline: datetime | None,
        *,
        patient: Callable[[], bool] = lambda: False,
    ) -> None:
        """Until ``done``, the wait is over, or no attempt is to come before ``deadline``.

        While it is ``patient`` it waits whatever the next attempt is planned for.
        """
        try:
            async with asyncio.timeout(max(wait.total_seconds(), 0)):
                while not done() and not self._keeper.ended:
                    view = await self._keeper.next_view()
                    if deadline is not None and not patient() and _hopeless(view, deadline):
                        return
        except TimeoutError:
            return


def _lacked_a_value(state: HomeyState) -> bool:
    return state.failure is not None and state.failure.trouble.kind == SecretUnavailable.kind


def _hopeless(view: View, deadline: datetime) -> bool:
    return not view.refreshing and view.next_at is not None and view.next_at > deadline
