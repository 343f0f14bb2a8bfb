"""The state document, in memory and on the disk.

Keepers and sign-ins pass their new state and wait until it is on the disk. If the disk fails,
this is logged once, and the daemon continues with the state in memory.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta

import structlog

from homey_tokend.core import policy
from homey_tokend.core.account import AccountState
from homey_tokend.core.errors import StateUnusable
from homey_tokend.core.failure import LastError, last_error_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.ports import BlobStore
from homey_tokend.core.secret import Secret
from homey_tokend.core.timeline import shift
from homey_tokend.runtime.clock import JUMP, SteadyClock
from homey_tokend.storage import document as documents
from homey_tokend.storage.document import ClockReading, StateDocument
from homey_tokend.storage.reserve import StateInReserve

log = structlog.get_logger()
WRITE_DEADLINE_S = 5.0


class StateStore:
    """Keep the state document, and write it to a BlobStore.

    Args:
        blobs: Where the document is kept.
        clock: Time.
        salt: Returns a salt for a new document.
        register_secret: Called with each secret in the document.
        write_deadline_s: The longest time that the daemon waits for one write.
    """

    def __init__(
        self,
        blobs: BlobStore,
        clock: SteadyClock,
        *,
        salt: Callable[[], str],
        register_secret: Callable[[Secret], None] = lambda _secret: None,
        write_deadline_s: float = WRITE_DEADLINE_S,
    ) -> None:
        self._blobs = blobs
        self._clock = clock
        self._salt = salt
        self._register_secret = register_secret
        self._write_deadline_s = write_deadline_s
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._started = clock.now()
        self._tried = False
        #: Why the state file cannot be written, while it cannot.
        self.error: LastError | None = None
        self._is_recorded = False
        self.document = StateDocument(salt="")

    async def load(self) -> None:
        """Read the document; if it is unusable, set it aside and start a new one."""
        try:
            blob = await self._blobs.load()
            document = documents.from_json(blob) if blob is not None else self._new()
        except StateUnusable as error:
            await self._set_aside(error)
            document = self._new()
        by = self._distance(document.clock)
        document = shift(document, by or timedelta(0))
        now, offset = self._clock.now(), self._clock.offset if by is None else None
        self.document = replace(
            document,
            homeys={name: one.loaded(now, offset) for name, one in document.homeys.items()},
            accounts={key: one.not_after(now) for key, one in document.accounts.items()},
        )
        for state in document.homeys.values():
            if state.token:
                self._register_secret(state.token.value)
        for token in document.refresh_tokens.values():
            self._register_secret(token)

    def _distance(self, stored: ClockReading | None) -> timedelta | None:
        """Return how far the stored instants are from the timeline; None if unknown.

        It is known within one boot, from the seconds since the boot, even if the wall clock was
        set.
        """
        elapsed, boot_id = self._clock.elapsed(), self._clock.boot_id()
        if stored is None or not boot_id or stored.boot_id != boot_id or stored.elapsed > elapsed:
            return None
        by = self._clock.now() - timedelta(seconds=elapsed - stored.elapsed) - stored.wall
        return by if abs(by) >= JUMP else timedelta(0)

    def _new(self) -> StateDocument:
        return StateDocument(salt=self._salt())

    async def _set_aside(self, error: StateUnusable) -> None:
        try:
            kept_as = await self._blobs.set_aside()
        except StateUnusable as failure:
            kept_as = f"not kept: {failure.message}"
        log.error("state.set_aside", reason=error.message, kept_as=kept_as)

    @property
    def accounts(self) -> Mapping[str, AccountState]:
        """Return the accounts by key (``Digests.account``)."""
        return self.document.accounts

    def homey(self, name: str) -> HomeyState:
        """Return the state of a Homey, empty for a new one."""
        return self.document.homeys.get(name) or HomeyState(name)

    def account(self, key: str) -> AccountState:
        """Return the state of an account, empty for a new one."""
        return self.document.accounts.get(key) or AccountState()

    def account_lock(self, key: str) -> asyncio.Lock:
        """Return the lock that allows one login of an account at a time."""
        return self._locks[key]

    def refresh_token(self, name: str) -> Secret | None:
        """Return the OAuth refresh token of a Homey, if there is one."""
        return self.document.refresh_tokens.get(name)

    async def keep_homey(self, state: HomeyState, *, write: bool = True) -> None:
        """Store a Homey's new state; without ``write`` the next write includes it."""
        self.document = documents.with_homey(self.document, state)
        if write:
            await self._write()

    async def keep_account(self, key: str, state: AccountState) -> None:
        """Store an account's new state on the disk."""
        self.document = documents.with_accounts(self.document, {key: state})
        await self._write()

    async def record_sign_in(self, key: str, state: AccountState) -> None:
        """Store an account's state with a sign-in that is about to be sent.

        Raises:
            StateUnusable: It cannot be recorded, and so it must not be sent yet.
        """
        before, now = self.account(key), self._clock.now()
        await self.keep_account(key, state)
        error = self.error
        if (
            error is None
            or self._is_recorded
            or now >= policy.unrecorded_sign_in_at(before, self._started)
        ):
            return
        unsent = replace(
            self.account(key), sign_ins=before.sign_ins, one_time_steps=before.one_time_steps
        )
        self.document = documents.with_accounts(self.document, {key: unsent})
        raise StateUnusable(
            f"{error.message}; until sign-ins can be recorded there, at most one an hour is sent",
            remedy=error.remedy,
        )

    async def keep_refresh_token(self, name: str, token: Secret | None) -> None:
        """Store a Homey's OAuth refresh token on the disk; None removes it."""
        kept = {key: one for key, one in self.document.refresh_tokens.items() if key != name}
        if token is not None:
            kept[name] = token
        self.document = replace(self.document, refresh_tokens=kept)
        await self._write()

    async def forget(self, name: str) -> None:
        """Remove a Homey that is no longer configured, with its token."""
        self.document = documents.without_homey(self.document, name)
        await self._write()

    async def retry_write(self) -> None:
        """Write if the last write failed or there was none, without waiting for the next event."""
        if self.error is not None or not self._tried:
            await self._write()

    def _by_wall(self) -> StateDocument:
        """Return the document for the disk, with instants by the wall clock."""
        clock = self._clock
        wall = clock.now() + clock.offset
        reading = ClockReading(clock.boot_id(), wall, clock.elapsed())
        return replace(shift(self.document, clock.offset), clock=reading)

    async def _write(self) -> None:
        self._tried = True
        try:
            async with asyncio.timeout(self._write_deadline_s):
                await self._blobs.save(documents.to_json(self._by_wall()))
        except StateUnusable as error:
            self._failed(error)
        except TimeoutError:
            self._failed(
                StateUnusable(
                    "the disk hangs",
                    remedy="Is it on a network file system that does not respond?",
                )
            )
        else:
            if self.error is not None:
                log.info("state.write_recovered")
            self.error = None

    def _failed(self, error: StateUnusable) -> None:
        self._is_recorded = isinstance(error, StateInReserve)
        if self.error is None:
            log.error("state.write_failed", reason=error.message, remedy=error.remedy)
        count = self.error.count + 1 if self.error else 1
        self.error = last_error_of(error, self._clock.now(), count)
