"""What takes time: each errand in a task of its own, and back with an event.

Nothing is decided and nothing remembered here; an errand is given all that it needs
to know.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import structlog

from homey_tokend.athom import verify_bearer
from homey_tokend.athom.run import run_flow
from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.errors import TokendError, Transient
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.ports import CheckableSink
from homey_tokend.core.tokens import Delivery, Token
from homey_tokend.keeper.dependencies import Dependencies
from homey_tokend.keeper.messages import (
    CheckFinished,
    CredentialsRead,
    DeliveryFinished,
    Message,
    RefreshFinished,
    VerificationFinished,
)
from homey_tokend.keeper.sign_in import Refresher

log = structlog.get_logger()
#: How long may one delivery take, whatever the sink does?
DELIVERY_DEADLINE_S = 120.0


class Jobs:
    """One keeper's.

    Args:
        homey: The Homey's name.
        refresher: Its way to a new bearer.
        hands: What the errands are run with.
        post: Takes what an errand brings back.
    """

    def __init__(
        self, homey: str, refresher: Refresher, hands: Dependencies, post: Callable[[Message], None]
    ) -> None:
        self._homey = homey
        self._refresher = refresher
        self._hands = hands
        self._post = post
        self._tasks: set[asyncio.Task[None]] = set()

    async def stop(self) -> None:
        """End all that are under way."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # --- each errand ---

    def renew(self, state: HomeyState, facts: Activity, plan: RefreshSettings) -> None:
        """Attempt to get a new bearer."""
        failed = RefreshFinished(state.generation, _internal())
        self._spawn(self._renew(state, facts, plan), failed=failed)

    def reread(self) -> None:
        """Read the sign-in values anew."""
        self._spawn(self._reread(), failed=CredentialsRead(changed=False))

    def prove(self, token: Token) -> None:
        """Ask the Homey whether it takes the token."""
        self._spawn(self._prove(token), failed=VerificationFinished(token.generation, _internal()))

    def deliver(self, target: str, delivery: Delivery) -> None:
        """Write the token to a sink."""
        failed = DeliveryFinished(target, delivery.token.generation, _internal())
        self._spawn(self._deliver(target, delivery), failed=failed)

    def check(self, target: str, delivery: Delivery) -> None:
        """Look whether a sink still holds the token."""
        failed = CheckFinished(target, delivery.token.generation, _internal())
        self._spawn(self._check(target, delivery), failed=failed)

    # --- how it is run ---

    def _spawn(self, work: Coroutine[Any, Any, Message], *, failed: Message) -> None:
        task = asyncio.create_task(self._report(work, failed), name=f"{self._homey}:{failed}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _report(self, work: Coroutine[Any, Any, Message], failed: Message) -> None:
        """Post what the work returns; a bug in it becomes a failure, not a dead keeper."""
        event = failed
        try:
            event = await work
        except Exception:
            log.exception("internal.error", homey=self._homey)
        finally:
            # Even where the log fails: a keeper that waits for an outcome would wait for ever.
            self._post(event)

    async def _renew(self, state: HomeyState, facts: Activity, plan: RefreshSettings) -> Message:
        try:
            return RefreshFinished(
                state.generation, await self._refresher.attempt(state, facts, plan)
            )
        except TokendError as error:
            return RefreshFinished(state.generation, error)

    async def _reread(self) -> Message:
        try:
            return CredentialsRead(await self._refresher.read_values())
        except TokendError as error:
            log.debug("credentials.unreadable", homey=self._homey, reason=error.message)
            return CredentialsRead(changed=False)

    async def _prove(self, token: Token) -> Message:
        question = verify_bearer(token.url, token.value, issued_at=token.issued_at)
        try:
            return VerificationFinished(
                token.generation, await run_flow(question, self._hands.transport)
            )
        except TokendError as error:
            return VerificationFinished(token.generation, error)

    async def _deliver(self, target: str, delivery: Delivery) -> Message:
        generation = delivery.token.generation
        try:
            async with asyncio.timeout(DELIVERY_DEADLINE_S):
                return DeliveryFinished(
                    target, generation, await self._hands.sinks[target].write(delivery)
                )
        except TimeoutError:
            error: TokendError = Transient(f"the sink took longer than {DELIVERY_DEADLINE_S:.0f} s")
        except TokendError as failure:
            error = failure
        return DeliveryFinished(target, generation, error)

    async def _check(self, target: str, delivery: Delivery) -> Message:
        sink, in_place = self._hands.sinks[target], True
        try:
            async with asyncio.timeout(DELIVERY_DEADLINE_S):
                if isinstance(sink, CheckableSink):
                    in_place = await sink.check(delivery)
        except TimeoutError:
            error: TokendError = Transient("the sink could not be looked at in time")
            return CheckFinished(target, delivery.token.generation, error)
        except TokendError as failure:
            return CheckFinished(target, delivery.token.generation, failure)
        return CheckFinished(target, delivery.token.generation, in_place)


def _internal() -> TokendError:
    return TokendError("an internal error; the log has its traceback", remedy="Please report it.")
