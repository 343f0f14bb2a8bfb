"""The interfaces that the core requires of its surroundings."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from homey_tokend.core.events import RefreshFailed, RefreshRecovered, TokenRenewed
from homey_tokend.core.http_types import Request, Response
from homey_tokend.core.secret import Credentials
from homey_tokend.core.status import RefreshResult, View
from homey_tokend.core.tokens import Delivery, DeliveryResult, Token


@dataclass(frozen=True, slots=True)
class Notification:
    """The state of refreshing, and the current valid token, if there is one."""

    event: TokenRenewed | RefreshFailed | RefreshRecovered
    token: Token | None


class Clock(Protocol):
    """Time and randomness.

    ``now`` is aware UTC. ``monotonic`` and ``elapsed`` count seconds and are never
    set; ``elapsed`` alone continues during suspend. ``random`` is in [0, 1).
    ``boot_id`` names the boot that ``elapsed`` counts from; empty where it is unknown.
    """

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def elapsed(self) -> float: ...
    def random(self) -> float: ...
    def boot_id(self) -> str: ...
    async def sleep(self, seconds: float) -> None: ...


class Scheduler(Protocol):
    """Wake a keeper at an instant: one per name, the latest counts."""

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None: ...
    def forget(self, name: str) -> None: ...


class Transport(Protocol):
    """Send one request and return its response, whatever the status.

    Raises:
        Unreachable: no answer came within the tries and the time allowed.
        ProtocolChanged: an answer beyond every bound (too large, a redirect elsewhere).
    """

    async def send(self, request: Request) -> Response: ...


class CredentialSource(Protocol):
    """Read the credentials of one Homey.

    Raises:
        SecretUnavailable: one of them cannot be had.
    """

    async def read(self) -> Credentials: ...


class Sink(Protocol):
    """A place where each new token is written.

    ``target`` names it, is unique within a Homey and safe to log. ``reports_end``: it
    tells when the token ends, by the wall clock. Raises
    Transient, SinkFailed (tried again) or Rejected (a person is needed).
    """

    @property
    def target(self) -> str: ...
    @property
    def reports_end(self) -> bool: ...
    async def write(self, delivery: Delivery) -> DeliveryResult: ...


@runtime_checkable
class CheckableSink(Sink, Protocol):
    """A sink that can be checked without writing.

    ``check`` tells whether it still holds the delivery's token; what cannot be
    seen counts as yes. Raises like ``write``.
    """

    async def check(self, delivery: Delivery) -> bool: ...


@runtime_checkable
class ProbedSink(Sink, Protocol):
    """A sink that can check at the start whether it could be written. Raises like ``write``."""

    async def probe(self) -> None: ...


class Notifier(Protocol):
    """Somebody outside who is notified about refreshing, besides getting the token.

    ``summary`` is what it would tell, for comparing: the same twice in a row is sent
    once, "" is nothing. ``notify`` tells it. Raises like a sink's ``write``.
    """

    @property
    def target(self) -> str: ...
    def summary(self, notification: Notification) -> str: ...
    async def notify(self, notification: Notification) -> None: ...


class BlobStore(Protocol):
    """Keep one blob across restarts, completely or not at all.

    Raises:
        StateUnusable: it cannot be read or written.
    """

    async def load(self) -> bytes | None: ...
    async def save(self, blob: bytes) -> None: ...
    async def set_aside(self) -> str: ...


class TokenProvider(Protocol):
    """What the listeners may ask of the keepers. An unknown name is a KeyError.

    ``view`` never waits. ``token_for`` waits at most ``wait`` for a token with
    ``min_ttl`` left, starting or joining one refresh, and returns the newest
    view either way. ``refresh`` joins the refresh under way or starts one.
    ``token_rejected`` is for a generation that a Homey rejected: it is verified at once,
    and refreshed if it is dead; returns the newest view within ``wait``.
    ``alive`` tells whether event loop and scheduler run.
    """

    def names(self) -> Sequence[str]: ...
    def view(self, name: str) -> View: ...
    def now(self) -> datetime: ...
    def alive(self) -> bool: ...
    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View: ...
    async def refresh(self, name: str, wait: timedelta) -> RefreshResult: ...
    async def token_rejected(self, name: str, generation: int, wait: timedelta) -> View: ...
