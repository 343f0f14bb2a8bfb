"""A state in memory, on a disk that can be full, hang or fail silently."""

import asyncio

from homey_tokend.core.errors import StateUnusable
from homey_tokend.storage.document import StateDocument, from_json
from homey_tokend.storage.reserve import StateInReserve


class FakeStore:
    """``ports.Store``: what was saved last is what is loaded.

    Args:
        blob: What is there at the start.
    """

    def __init__(self, blob: bytes | None = None) -> None:
        self.blob = blob
        self.saves = 0
        #: Why nothing can be written (or read, or moved), while it is set.
        self.full = ""
        #: Whether it is kept nevertheless, in a reserve.
        self.has_reserve = False
        self.unreadable = ""
        self.unmovable = ""
        #: Whether a save never returns.
        self.hangs = False
        #: Raised by a save: an error that a store should not raise.
        self.bug: Exception | None = None
        self.aside: list[bytes | None] = []

    async def load(self) -> bytes | None:
        if self.unreadable:
            raise StateUnusable(self.unreadable)
        return self.blob

    async def save(self, blob: bytes) -> None:
        self.saves += 1
        if self.bug is not None:
            raise self.bug
        if self.hangs:
            await asyncio.Event().wait()
        if self.full and self.has_reserve:
            self.blob = blob
            raise StateInReserve(self.full)
        if self.full:
            raise StateUnusable(self.full)
        await asyncio.sleep(0)
        self.blob = blob

    async def set_aside(self) -> str:
        if self.unmovable:
            raise StateUnusable(self.unmovable)
        self.aside.append(self.blob)
        self.blob = None
        return "state.json.damaged-1"

    @property
    def document(self) -> StateDocument:
        """Return the stored state."""
        assert self.blob is not None
        return from_json(self.blob)
