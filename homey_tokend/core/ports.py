"""The interfaces of everything outside the core that the keepers use."""

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
    """An event about refreshing, and the current token if it is valid."""

    event: TokenRenewed | RefreshFailed | RefreshRecovered
    token: Token | None


class Clock(Protocol):
    """Time and randomness.

    ``now`` is aware, in UTC. ``monotonic`` and ``elapsed`` are seconds by clocks that nobody
    sets; ``elapsed`` includes the time of a suspend. ``random`` is in [0, 1). ``boot_id``
    identifies the boot that ``elapsed`` counts from; empty if it is unknown.
    """

    def now(self) -> datetime: ...
    def monotonic(self) -> float: ...
    def elapsed(self) -> float: ...
    def random(self) -> float: ...
    def boot_id(self) -> str: ...
    async def sleep(self, seconds: float) -> None: ...


class Scheduler(Protocol):
    """Call ``wake`` at an instant; a later call of ``wake_at`` with the same name replaces it."""

    def wake_at(self, name: str, at: datetime, wake: Callable[[], None]) -> None: ...
    def forget(self, name: str) -> None: ...


class Transport(Protocol):
    """Send one request and return its response, whatever its status.

    Raises:
        Unreachable: No response came within the allowed tries and time.
        UnreadableResponse: It is not HTTP, too large or cannot be decoded.
        ProtocolChanged: There are too many redirects.
    """

    async def send(self, request: Request) -> Response: ...


class CredentialSource(Protocol):
    """Read the credentials of one Homey.

    Raises:
        SecretUnavailable: One of them cannot be read.
    """

    async def read(self) -> Credentials: ...


class Sink(Protocol):
    """A place where each new token is written.

    ``target`` identifies it: unique within a Homey, and safe to log. ``reports_expiry``: the
    token's expiry is written, too, by the wall clock. ``write`` raises Transient or SinkFailed
    (it is repeated) or Rejected (a person has to act).
    """

    @property
    def target(self) -> str: ...
    @property
    def reports_expiry(self) -> bool: ...
    async def write(self, delivery: Delivery) -> DeliveryResult: ...


@runtime_checkable
class CheckableSink(Sink, Protocol):
    """A sink that can be checked without writing.

    ``check`` returns whether it still has the delivery's token; if that is not visible, True.
    It raises the same errors as ``write``.
    """

    async def check(self, delivery: Delivery) -> bool: ...


@runtime_checkable
class ProbedSink(Sink, Protocol):
    """A sink that can check at the start whether it is writable; errors as of ``write``."""

    async def probe(self) -> None: ...


class Notifier(Protocol):
    """A command or variable that is notified about failed refreshes and recoveries.

    A notification is not sent if its ``summary`` is empty or that of the one before. ``notify``
    raises the same errors as a sink's ``write``.
    """

    @property
    def target(self) -> str: ...
    def summary(self, notification: Notification) -> str: ...
    async def notify(self, notification: Notification) -> None: ...


class BlobStore(Protocol):
    """Keep one blob across restarts; it is replaced as a whole.

    ``set_aside`` keeps an unusable blob under another name, which it returns.

    Raises:
        StateUnusable: It cannot be read, written or renamed; ``storage.reserve.StateInReserve``
            if it is on the disk nevertheless.
    """

    async def load(self) -> bytes | None: ...
    async def save(self, blob: bytes) -> None: ...
    async def set_aside(self) -> str: ...


class TokenProvider(Protocol):
    """What the server uses of the keepers. All raise KeyError for an unknown name.

    ``view`` never waits. ``token_for`` waits at most ``wait`` for a token with ``min_ttl``
    left, starts or joins a refresh for it, and returns the latest view in any case. ``refresh``
    starts or joins a refresh that a person requests. ``token_rejected`` is called if a Homey
    rejects a generation: the token is verified at once, and replaced if it is invalid; it
    returns the latest view within ``wait``. ``alive``: whether event loop and scheduler run.
    """

    def names(self) -> Sequence[str]: ...
    def view(self, name: str) -> View: ...
    def now(self) -> datetime: ...
    def alive(self) -> bool: ...
    async def token_for(self, name: str, min_ttl: timedelta, wait: timedelta) -> View: ...
    async def refresh(self, name: str, wait: timedelta) -> RefreshResult: ...
    async def token_rejected(self, name: str, generation: int, wait: timedelta) -> View: ...
