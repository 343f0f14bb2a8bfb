"""The one place that holds the Book and writes it down.

Keepers and accounts hand in their new state and wait until it is on the disk. A
disk that fails does not stop the daemon: it is told once, and kept in memory.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime

import structlog

from homey_tokend.core.account import AccountState
from homey_tokend.core.errors import StateUnusable
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.ports import BlobStore
from homey_tokend.core.secret import Secret
from homey_tokend.storage import document as books
from homey_tokend.storage.document import StateDocument

log = structlog.get_logger()
_WRITE_DEADLINE_S = 5.0


class StateStore:
    """Holds the Book over a Store.

    Args:
        store: Where it is kept.
        salt: Makes the salt of a new Book.
        hide: Told of every secret that is read from the Store.
        write_deadline_s: How long one write may take before the daemon goes on without it.
    """

    def __init__(
        self,
        store: BlobStore,
        *,
        salt: Callable[[], str],
        hide: Callable[[Secret], None] = lambda _secret: None,
        write_deadline_s: float = _WRITE_DEADLINE_S,
    ) -> None:
        self._store = store
        self._salt = salt
        self._hide = hide
        self._write_deadline_s = write_deadline_s
        self._book = StateDocument(salt="")
        self._writable = True

    @property
    def book(self) -> StateDocument:
        """The Book as it is now."""
        return self._book

    async def load(self, now: datetime) -> None:
        """Read the Book; what cannot be used is set aside and a new one begun."""
        try:
            blob = await self._store.load()
            book = books.from_json(blob) if blob is not None else StateDocument(salt=self._salt())
        except StateUnusable as error:
            await self._set_aside(error)
            book = StateDocument(salt=self._salt())
        self._book = replace(
            book,
            homeys={name: state.loaded(now) for name, state in book.homeys.items()},
            accounts={key: state.not_after(now) for key, state in book.accounts.items()},
        )
        for state in self._book.homeys.values():
            if state.token:
                self._hide(state.token.value)
        for token in self._book.refresh_tokens.values():
            self._hide(token)

    async def _set_aside(self, error: StateUnusable) -> None:
        try:
            kept_as = await self._store.set_aside()
        except StateUnusable as failure:
            kept_as = f"not kept: {failure.message}"
        log.error("state.set_aside", reason=error.message, kept_as=kept_as)

    def homey(self, name: str) -> HomeyState:
        """What is known of a Homey; nothing yet for a new one."""
        return self._book.homeys.get(name) or HomeyState(name)

    def account(self, key: str) -> AccountState:
        """What is known of an account; nothing yet for a new one."""
        return self._book.accounts.get(key) or AccountState()

    def refresh_token(self, name: str) -> Secret | None:
        """The OAuth refresh token of a Homey, where one is kept."""
        return self._book.refresh_tokens.get(name)

    async def keep_homey(self, state: HomeyState) -> None:
        """Write a Homey's new state down."""
        self._book = books.with_homey(self._book, state)
        await self._write()

    async def keep_accounts(self, states: Mapping[str, AccountState]) -> None:
        """Write the accounts' new states down, by their keys: all of them in force at once."""
        self._book = books.with_accounts(self._book, states)
        await self._write()

    async def keep_refresh_token(self, name: str, token: Secret | None) -> None:
        """Write a Homey's OAuth refresh token down, or strike it out."""
        kept = {key: one for key, one in self._book.refresh_tokens.items() if key != name}
        if token is not None:
            kept[name] = token
        self._book = replace(self._book, refresh_tokens=kept)
        await self._write()

    async def forget(self, name: str) -> None:
        """Strike out a Homey that is configured no more, its token included."""
        self._book = books.without_homey(self._book, name)
        await self._write()

    def note(self, state: HomeyState) -> None:
        """Remember a state that needs no write of its own; the next write has it."""
        self._book = books.with_homey(self._book, state)

    async def catch_up(self) -> None:
        """Write again where that has failed: what is known must not wait for the next event."""
        if not self._writable:
            await self._write()

    async def _write(self) -> None:
        try:
            async with asyncio.timeout(self._write_deadline_s):
                await self._store.save(books.to_json(self._book))
        except (StateUnusable, TimeoutError) as error:
            if self._writable:
                reason = error.message if isinstance(error, StateUnusable) else "the disk hangs"
                log.error("state.write_failed", reason=reason)
            self._writable = False
            return
        if not self._writable:
            log.info("state.write_recovered")
        self._writable = True
