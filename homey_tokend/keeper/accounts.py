"""The accounts that sign-ins go out to: one password at a time, each written down first."""

import asyncio
from collections import defaultdict
from datetime import datetime, timedelta

from homey_tokend.core.account import AccountState
from homey_tokend.core.status import Trouble
from homey_tokend.storage.store import StateStore


class Accounts:
    """The only writer of the AccountStates; keys are ``digests.Digests.account``."""

    def __init__(self, ledger: StateStore) -> None:
        self._ledger = ledger
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    def lock(self, key: str) -> asyncio.Lock:
        """Held around a login: one password of an account under way at a time."""
        return self._locks[key]

    def state(self, key: str) -> AccountState:
        """What is known of an account."""
        return self._ledger.account(key)

    async def signing_in(self, key: str, at: datetime, one_time_step: int | None) -> None:
        """Write down that a password is about to go out.

        Raises:
            IllegalEvent: this one-time step was used already.
        """
        await self._keep(key, self.state(key).signing_in(at, one_time_step))

    async def not_judged(self, key: str) -> None:
        """The sign-in under way got no judgement: it does not count."""
        await self._keep(key, self.state(key).not_judged())

    async def rejected(self, key: str, digest: str, trouble: Trouble) -> None:
        """The login rejected these values."""
        await self._keep(key, self.state(key).rejected(digest, trouble))

    async def accepted(self, key: str, digest: str) -> None:
        """The login took these values."""
        state, accepted = self.state(key), self.state(key).accepted(digest)
        if accepted != state:
            await self._keep(key, accepted)

    async def was_forced(self, key: str, at: datetime) -> None:
        """A person forced a try while the account was rejected."""
        await self._keep(key, self.state(key).was_forced(at))

    async def shifted(self, by: timedelta) -> None:
        """The wall clock was set by ``by``: for all at once, so that no event comes between."""
        known = self._ledger.book.accounts
        if known:
            await self._ledger.keep_accounts({key: one.shifted(by) for key, one in known.items()})

    async def catch_up(self) -> None:
        """What could not be written down of the accounts, and all else: see ``StateStore.catch_up``."""
        await self._ledger.catch_up()

    async def _keep(self, key: str, state: AccountState) -> None:
        await self._ledger.keep_accounts({key: state})
