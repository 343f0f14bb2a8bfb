"""What a keeper works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homey_tokend.core import events
from homey_tokend.core.ports import Clock, Listener, Schedule, Sink, Transport
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.storage.store import Ledger


@dataclass(frozen=True, slots=True)
class Hands:
    """One keeper's; all but the sinks and the listeners are shared with the others."""

    clock: Clock
    schedule: Schedule
    transport: Transport
    accounts: Accounts
    ledger: Ledger
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    tell: events.Tell = events.nobody
