"""What the doors show of one Homey."""

import enum
from dataclasses import dataclass
from datetime import datetime

from homey_tokend.core.errors import needs_action
from homey_tokend.core.tokens import Token


class Health(enum.StrEnum):
    """How a Homey's keeping stands, for status, metrics and people."""

    #: A valid token is held and nothing is wrong.
    OK = "ok"
    #: No token yet, the first attempt is under way.
    STARTING = "starting"
    #: A valid token is held, and something failed: a refresh, the proof or a sink.
    TROUBLED = "troubled"
    #: A valid token is held that ends soon (the must-renew window), and refreshing fails.
    DEGRADED = "degraded"
    #: No valid token is held.
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Trouble:
    """The last failure as it is shown: our own words, nothing secret."""

    at: datetime
    kind: str
    step: str
    message: str
    remedy: str
    status: int | None = None
    count: int = 1

    @property
    def action_needed(self) -> bool:
        """Whether it needs a person."""
        return needs_action(self.kind)


@dataclass(frozen=True, slots=True)
class SinkView:
    """One sink as status shows it."""

    target: str
    generation: int | None
    delivered_at: datetime | None
    trouble: Trouble | None
    retry_at: datetime | None
    drifts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """What the doors may show of one Homey: an immutable snapshot.

    ``next_at`` and ``next_reason`` are policy's words on what is waited for.
    ``outage_at`` is the outage forecast: when the held token ends if nothing gets better.
    ``sign_in_blocked_until`` is set while sign-ins are held back after a refusal.
    """

    name: str
    health: Health
    url: str
    token: Token | None
    verified_at: datetime | None
    refreshing: bool
    renew_at: datetime | None
    next_at: datetime | None
    next_reason: str
    trouble: Trouble | None
    outage_at: datetime | None
    sign_in_blocked_until: datetime | None
    refreshes: int
    sinks: tuple[SinkView, ...] = ()


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """The answer to a person's ``refresh``.

    ``done``: a newer token than at the time of asking is held. ``too_soon``: nothing was
    started; ask again at this instant. Neither: it is still under way or has failed
    (``view.trouble`` tells).
    """

    view: View
    done: bool
    too_soon: datetime | None = None
