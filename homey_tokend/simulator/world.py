"""The state of the pretend cloud: who signed in, what was given out, until when."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from homey_tokend.simulator.chance import Chance
from homey_tokend.simulator.household import Homey, Session, furnished
from homey_tokend.simulator.settings import Settings

T = TypeVar("T")


@dataclass(slots=True)
class Kept(Generic[T]):
    """A value that was given out, and the instant it dies (None: never)."""

    value: T
    expires_at: float | None

    def is_old(self, now: float) -> bool:
        """Tell whether it is past its end."""
        return self.expires_at is not None and self.expires_at < now


class Shelf(Generic[T]):
    """What was given out, by its secret; the oldest leaves when it grows too long."""

    #: More than any test gives out within a life, little enough for days of a demo.
    LENGTH = 5_000

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Kept[T]] = OrderedDict()

    def put(self, key: str, value: T, expires_at: float | None) -> None:
        """Remember a value until ``expires_at``; it can still be told apart as old later."""
        self._kept[key] = Kept(value, expires_at)
        if len(self._kept) > self.LENGTH:
            self._kept.popitem(last=False)

    def find(self, key: str) -> Kept[T] | None:
        """Give what is remembered, old or not; None for what was never given out."""
        return self._kept.get(key)

    def drop(self, key: str) -> None:
        """Forget one value."""
        self._kept.pop(key, None)

    def clear(self) -> None:
        """Forget all."""
        self._kept.clear()


@dataclass(frozen=True, slots=True)
class Grant:
    """What a code or an OAuth token stands for.

    Args:
        client_id: The client it was given to.
        resource: The consent's ``resource`` field, "" where none was chosen.
    """

    client_id: str
    resource: str = ""


@dataclass(slots=True)
class World:
    """Everything that requests and tests can change.

    Args:
        settings: What was told at the start.
        now: Seconds since the epoch.
        sleep: Waits that many seconds.
    """

    settings: Settings
    now: Callable[[], float] = time.time
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    origin: str = ""
    password: str = field(init=False)
    chance: Chance = field(init=False)
    homeys: dict[str, Homey] = field(init=False)
    user_id: str = field(init=False)
    consented: bool = False
    last_totp_step: int | None = None
    user_tokens: Shelf[str] = field(default_factory=Shelf)
    codes: Shelf[Grant] = field(default_factory=Shelf)
    access: Shelf[Grant] = field(default_factory=Shelf)
    refresh: Shelf[Grant] = field(default_factory=Shelf)
    delegations: Shelf[tuple[str, Grant]] = field(default_factory=Shelf)

    def __post_init__(self) -> None:
        self.password = self.settings.password
        self.chance = Chance(self.settings.seed)
        self.user_id = self.chance.hex(24)
        homeys = (furnished(at, self.chance) for at in range(1, self.settings.homeys + 1))
        self.homeys = {homey.cloudid: homey for homey in homeys}

    def open_session(self, homey: Homey) -> Session:
        """Log in at a Homey; sessions long past their end are swept away."""
        now = self.now()
        for old in [one for one in homey.sessions.values() if one.expires_at < now - 86_400]:
            del homey.sessions[old.bearer]
        session = Session(
            id=self.chance.uuid(),
            bearer=self.chance.bearer(),
            scopes=self.settings.switches.scopes,
            created_at=now,
            expires_at=now + self.settings.session_lifetime,
            last_used=now,
        )
        homey.sessions[session.bearer] = session
        return session

    def live_session(self, homey: Homey, bearer: str) -> Session | None:
        """Give the session of a bearer that is good at this Homey now, else None."""
        session = homey.sessions.get(bearer)
        return session if session and self.now() < session.expires_at else None

    def end_sessions(self, cloudid: str | None = None) -> None:
        """End the sessions of one Homey, or of all."""
        for homey in self.some_homeys(cloudid):
            homey.sessions.clear()

    def end_access(self) -> None:
        """End all access, refresh and user tokens, as a changed password may do."""
        for shelf in (self.access, self.refresh, self.user_tokens):
            shelf.clear()

    def some_homeys(self, cloudid: str | None = None) -> Iterator[Homey]:
        """Give one Homey, or all.

        Raises:
            KeyError: Where there is no such Homey.
        """
        yield from self.homeys.values() if cloudid is None else (self.homeys[cloudid],)

    def homey_url(self, cloudid: str) -> str:
        """Give the address of a Homey; all live under a path of the one port."""
        return f"{self.origin}/homey/{cloudid}"
