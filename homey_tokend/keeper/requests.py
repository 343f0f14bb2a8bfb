"""Handle requests for a newer token: start or join a refresh, and wait for it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homey_tokend.core import policy
from homey_tokend.core.decision import Constraint
from homey_tokend.core.errors import SecretUnavailable
from homey_tokend.core.homey import HomeyState, RefreshRequest
from homey_tokend.core.messages import RefreshRequested, VerificationRequested
from homey_tokend.core.ports import Clock
from homey_tokend.core.status import RefreshResult, View
from homey_tokend.core.timefmt import rough_duration
from homey_tokend.core.tokens import young_span
from homey_tokend.keeper.keeper import Keeper
from homey_tokend.storage.store import StateStore

#: The minimum time that a request is open, so that an attempt for it can start.
_REQUEST_LEAST = timedelta(seconds=10)
_PERSON_LEAST = timedelta(minutes=1)
#: How long the result of a verification is used again if another call is rejected. Some paths of
#: a Homey may answer 401 to a valid token, and a script that calls one in a loop must not cause a
#: verification each time.
_CONFIRMED_S = 30.0
_TRIES_USED = "both manual tries of today are used"


class RefreshRequests:
    """Request refreshes of one keeper and wait for them; all callers share one refresh."""

    def __init__(self, keeper: Keeper, store: StateStore, clock: Clock) -> None:
        self._keeper = keeper
        self._store = store
        self._clock = clock
        #: Whether a forced attempt is just being recorded.
        self._forcing = False
        #: The generation that was verified on request, and until when that counts, by ``elapsed``.
        self._confirmed = 0, 0.0

    async def token_for(self, min_ttl: timedelta, wait: timedelta) -> View:
        """Wait at most ``wait`` for a token with ``min_ttl`` left, and return the latest view.

        A refresh is requested for it, unless ``min_ttl`` exceeds the lifetime of a token, or the
        current token was issued just now. Policy decides when the attempt starts.
        """
        keeper, now = self._keeper, self._clock.now()
        if self._enough(min_ttl, now):
            return keeper.view
        token = keeper.state.usable(now)
        if token is not None and (min_ttl > token.life or now < token.young_until):
            return keeper.view
        until = now + max(wait, _REQUEST_LEAST)
        keeper.post(RefreshRequested(until, forced=False, than=keeper.state.generation))
        await self._wait(wait, lambda: self._enough(min_ttl, self._clock.now()), now + wait)
        return keeper.view

    async def refresh(self, wait: timedelta) -> RefreshResult:
        """Refresh on a person's request: join the running refresh, or start one if that is allowed."""
        keeper, now = self._keeper, self._clock.now()
        before, finished = keeper.state.generation, keeper.activity.refreshes
        if not (keeper.activity.refreshing or keeper.forced_refresh_pending or self._forcing):
            free = self._free(now)
            if free.at > now:
                return RefreshResult(keeper.view, done=False, too_soon=free.at, why=free.why)
            if self._rejected(now):
                self._forcing = True  # other requests join it while the record is written
                try:
                    key = keeper.account_key
                    account = self._store.account(key).was_forced(now)
                    await self._store.keep_account(key, account)
                finally:
                    self._forcing = False
            until = now + max(wait, _PERSON_LEAST)
            keeper.post(RefreshRequested(until, forced=True, than=before))
        await self._wait(wait, lambda: keeper.activity.refreshes > finished, None)
        return RefreshResult(keeper.view, done=keeper.state.generation > before)

    async def token_rejected(self, generation: int, wait: timedelta) -> View:
        """Handle a Homey's rejection of this generation, and return the latest view within ``wait``.

        1. If there is a newer generation, return it.
        2. If the token was just verified on request, the 401 has another cause: return it.
        3. Otherwise verify the token; it stays if it is valid, or if that remains unknown.
        4. If it is invalid, wait for the new one, which policy starts.
        """
        keeper, now = self._keeper, self._clock.now()
        if keeper.state.generation > generation or self._is_confirmed(generation):
            return keeper.view
        before, verifying = keeper.activity.verifications, keeper.state.usable(now) is not None
        if verifying:
            keeper.post(VerificationRequested(generation))

        def verified() -> bool:
            return not verifying or keeper.activity.verifications > before

        def good() -> bool:
            return verifying and verified() and keeper.state.usable(self._clock.now()) is not None

        def done() -> bool:
            return good() or keeper.state.generation > generation

        await self._wait(wait, done, now + wait, patient=lambda: not verified())
        if good() and keeper.state.generation == generation and keeper.state.verified_at:
            self._confirmed = generation, self._clock.elapsed() + _CONFIRMED_S
        return keeper.view

    def _is_confirmed(self, generation: int) -> bool:
        confirmed, until = self._confirmed
        return confirmed == generation and self._clock.elapsed() < until

    # --- queries ---

    def _enough(self, min_ttl: timedelta, now: datetime) -> bool:
        token = self._keeper.state.usable(now)
        return token is not None and token.left(now) >= min_ttl

    def _rejected(self, now: datetime) -> bool:
        keeper = self._keeper
        account = self._store.account(keeper.account_key)
        return policy.is_rejected(keeper.state, account, keeper.activity, now)

    def _free(self, now: datetime) -> Constraint:
        """Return when a person's refresh may start: not just after another, twice a day if rejected."""
        keeper = self._keeper
        state, account = keeper.state, self._store.account(keeper.account_key)
        token = state.usable(now)
        constraints = []
        if token is not None:
            age = rough_duration(now - token.issued_at)
            constraints.append(Constraint(token.young_until, f"the token is only {age} old"))
        # An attempt that was blocked, or for which a credential was missing, sent no password, so
        # the next one need not wait.
        tried = keeper.activity.blocked is None and not _lacked_a_value(state)
        if tried and state.attempted_at is not None and state.attempted_at <= now:
            life = token.life if token else keeper.settings.lifetime
            at = state.attempted_at + young_span(life)
            ago = rough_duration(now - state.attempted_at)
            constraints.append(Constraint(at, f"the last attempt was {ago} ago"))
        if self._rejected(now):
            constraints.append(Constraint(account.may_force_at(now), _TRIES_USED))
        forced = replace(
            state, request=RefreshRequest(datetime.max.replace(tzinfo=UTC), forced=True)
        )
        attempt = policy.next_attempt(forced, account, keeper.activity, now, keeper.settings)
        return max([*constraints, attempt], key=lambda one: one.at)

    async def _wait(
        self,
        wait: timedelta,
        done: Callable[[], bool],
        deadline: datetime | None,
        *,
        patient: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait until ``done``, at most ``wait``, and not if the next attempt is after ``deadline``.

        While ``patient`` returns True, ``deadline`` is ignored.
        """
        try:
            async with asyncio.timeout(max(wait.total_seconds(), 0)):
                while not done() and not self._keeper.ended:
                    view = await self._keeper.next_view()
                    if deadline is not None and not patient() and _too_late(view, deadline):
                        return
        except TimeoutError:
            return


def _lacked_a_value(state: HomeyState) -> bool:
    return state.failure is not None and state.failure.last_error.kind == SecretUnavailable.kind


def _too_late(view: View, deadline: datetime) -> bool:
    return not view.refreshing and view.next_at is not None and view.next_at > deadline
