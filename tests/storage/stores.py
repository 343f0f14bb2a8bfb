"""A store that plays a disk, and a ledger over it."""

import asyncio

from homey_tokend.core.errors import StateUnusable
from homey_tokend.core.secret import Secret
from homey_tokend.storage.document import StateDocument, from_json, to_json
from homey_tokend.storage.store import StateStore
from tests.support.clock import NOON


class FakeStore:
    """``ports.Store`` in memory; ``trouble`` fails a write, ``hang`` never ends it."""

    def __init__(self, blob: bytes | None = None) -> None:
        self.blob = blob
        self.aside: list[bytes | None] = []
        self.trouble = ""
        self.hang = False
        self.saves = 0

    async def load(self) -> bytes | None:
        if self.trouble:
            raise StateUnusable(self.trouble)
        return self.blob

    async def save(self, blob: bytes) -> None:
        self.saves += 1
        if self.hang:
            await asyncio.Event().wait()
        if self.trouble:
            raise StateUnusable(self.trouble)
        await asyncio.sleep(0)
        self.blob = blob

    async def set_aside(self) -> str:
        if self.trouble:
            raise StateUnusable(self.trouble)
        self.aside.append(self.blob)
        self.blob = None
        return "state.json.damaged"

    @property
    def book(self) -> StateDocument:
        assert self.blob is not None
        return from_json(self.blob)


def ledger_over(store: FakeStore, hidden: list[Secret] | None = None) -> StateStore:
    hide = (hidden if hidden is not None else []).append
    return StateStore(store, salt=lambda: "5a17", hide=hide, write_deadline_s=0.05)


async def loaded(book: StateDocument) -> tuple[StateStore, FakeStore]:
    store = FakeStore(to_json(book))
    ledger = ledger_over(store)
    await ledger.load(NOON)
    return ledger, store
