"""What a keeper works with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from homey_tokend.core import events
from homey_tokend.core.ports import Clock, Notifier, Scheduler, Sink, Transport
from homey_tokend.keeper.accounts import Accounts
from homey_tokend.storage.store import StateStore


@dataclass(frozen=True, slots=True)
class Dependencies:
    """One keeper's; all but the sinks and the listeners are shared with the others."""

    clock: Clock
    schedule: Scheduler
    transport: Transport
    accounts: Accounts
    ledger: StateStore
    sinks: Mapping[str, Sink] = field(default_factory=dict)
    listeners: Mapping[str, Notifier] = field(default_factory=dict)
    tell: events.Emit = events.ignore_event
