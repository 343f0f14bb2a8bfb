"""A state store with a disk that a test controls."""

from homey_tokend.core.secret import Secret
from homey_tokend.runtime.clock import SteadyClock
from homey_tokend.storage.document import StateDocument, to_json
from homey_tokend.storage.store import StateStore
from tests.support.clock import FakeClock
from tests.support.store import FakeStore


def store_over(disk: FakeStore, secrets: list[Secret] | None = None) -> StateStore:
    """A store that is not loaded yet."""
    register = (secrets if secrets is not None else []).append
    clock = SteadyClock(FakeClock())
    return StateStore(
        disk, clock, salt=lambda: "5a17", register_secret=register, write_deadline_s=0.05
    )


async def loaded(document: StateDocument) -> tuple[StateStore, FakeStore]:
    """A store that has loaded this document, and its disk."""
    disk = FakeStore(to_json(document))
    store = store_over(disk)
    await store.load()
    return store, disk
