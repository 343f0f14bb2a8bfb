"""The state of the simulated cloud: its account, its Homeys and the tokens it issued."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from homey_tokend.simulator.homey_state import HomeySession, SimulatedHomey, create_homey
from homey_tokend.simulator.random_values import RandomValues
from homey_tokend.simulator.settings import Settings

#: Seconds after its end for which a session is still listed.
_LISTED_AFTER_END = 86_400


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What a code or token stands for.

    Args:
        expires_at: Seconds since the epoch; None: never.
        resource: The ``resource`` field of the consent, "" where none was chosen.
        audience: Audience of a delegation token.
    """

    expires_at: float | None
    resource: str = ""
    audience: str = ""

    def is_expired(self, now: float) -> bool:
        """Return whether it is past its end."""
        return self.expires_at is not None and self.expires_at < now


class TokenStore:
    """The issued tokens of one type, expired ones included."""

    #: More than a test issues within a token's life, few enough for days of a demo.
    CAPACITY = 5_000

    def __init__(self) -> None:
        self._issued: OrderedDict[str, IssuedToken] = OrderedDict()

    def add(self, token: str, issued: IssuedToken) -> None:
        """Add a token; beyond the capacity the oldest one is dropped."""
        self._issued[token] = issued
        if len(self._issued) > self.CAPACITY:
            self._issued.popitem(last=False)

    def find(self, token: str) -> IssuedToken | None:
        """Return an issued token, expired or not; None for an unknown one."""
        return self._issued.get(token)

    def remove(self, token: str) -> None:
        """Revoke one token."""
        self._issued.pop(token, None)

    def clear(self) -> None:
        """Revoke all tokens."""
        self._issued.clear()

    def __iter__(self) -> Iterator[str]:
        return iter(self._issued)


@dataclass(slots=True)
class CloudState:
    """The state that requests and tests can change.

    Args:
        settings: Settings of the simulator.
        now: Returns seconds since the epoch.
    """

    settings: Settings
    now: Callable[[], float] = time.time
    origin: str = ""
    password: str = field(init=False)
    random: RandomValues = field(init=False)
    homeys: dict[str, SimulatedHomey] = field(init=False)
    user_id: str = field(init=False)
    consented: bool = False
    last_totp_step: int | None = None
    user_tokens: TokenStore = field(default_factory=TokenStore)
    codes: TokenStore = field(default_factory=TokenStore)
    access_tokens: TokenStore = field(default_factory=TokenStore)
    refresh_tokens: TokenStore = field(default_factory=TokenStore)
    delegation_tokens: TokenStore = field(default_factory=TokenStore)

    def __post_init__(self) -> None:
        self.password = self.settings.password
        self.random = RandomValues(self.settings.seed)
        self.user_id = self.random.hex(24)
        homeys = (create_homey(number + 1, self.random) for number in range(self.settings.homeys))
        self.homeys = {homey.cloudid: homey for homey in homeys}

    def issue(self, store: TokenStore, lifetime: float | None, resource: str = "") -> str:
        """Issue a code or token of 40 hex digits; ``lifetime`` in seconds, None: for ever."""
        token = self.random.hex(40)
        expires_at = None if lifetime is None else self.now() + lifetime
        store.add(token, IssuedToken(expires_at, resource))
        return token

    def open_session(self, homey: SimulatedHomey) -> HomeySession:
        """Open a session at a Homey, and drop those that ended long ago."""
        now = self.now()
        for bearer, session in list(homey.sessions.items()):
            if session.expires_at + _LISTED_AFTER_END < now:
                del homey.sessions[bearer]
        opened = HomeySession(
            id=self.random.uuid(),
            bearer=self.random.bearer(),
            scopes=self.settings.switches.scopes,
            created_at=now,
            expires_at=now + self.settings.session_lifetime,
            last_used=now,
        )
        homey.sessions[opened.bearer] = opened
        return opened

    def live_session(self, homey: SimulatedHomey, bearer: str) -> HomeySession | None:
        """Return the session of a bearer that the Homey accepts now, else None."""
        session = homey.sessions.get(bearer)
        return session if session and self.now() < session.expires_at else None

    def end_sessions(self, cloudid: str | None = None) -> None:
        """End the sessions of one Homey, or of all.

        Raises:
            KeyError: There is no such Homey.
        """
        for homey in self.homeys.values() if cloudid is None else (self.homeys[cloudid],):
            homey.sessions.clear()

    def end_access(self) -> None:
        """Revoke all access, refresh and user tokens, as a changed password may do."""
        for store in (self.access_tokens, self.refresh_tokens, self.user_tokens):
            store.clear()

    def homey_url(self, cloudid: str) -> str:
        """Return the address of a Homey; all have a path on the one port."""
        return f"{self.origin}/homey/{cloudid}"
