"""What happens to a Homey's token, as values: told to whoever listens, and never with the token."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SignIn:
    """A password is about to go out for this Homey."""

    homey: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Renewed:
    """A fresh token is held and served; ``proved``: the Homey took it."""

    homey: str
    at: datetime
    generation: int
    fingerprint: str
    issued_at: datetime
    expires_at: datetime
    proved: bool


@dataclass(frozen=True, slots=True)
class Failed:
    """A refresh failed, for the ``failures``-th time in a row.

    ``refused``: a person is needed. ``next_try`` and ``token_dies_at`` are None
    where there is none.
    """

    homey: str
    at: datetime
    kind: str
    step: str
    message: str
    remedy: str
    refused: bool
    failures: int
    next_try: datetime | None
    token_dies_at: datetime | None


@dataclass(frozen=True, slots=True)
class Recovered:
    """The first refresh that went well after so many that failed."""

    homey: str
    at: datetime
    failures: int


@dataclass(frozen=True, slots=True)
class Revoked:
    """The Homey takes the held token no longer: it was thrown away."""

    homey: str
    at: datetime
    generation: int


@dataclass(frozen=True, slots=True)
class Delivered:
    """A sink has the token of this generation."""

    homey: str
    at: datetime
    sink: str
    generation: int


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A sink did not take the token; ``refused``: a person is needed."""

    homey: str
    at: datetime
    sink: str
    generation: int
    kind: str
    message: str
    remedy: str
    refused: bool


Happened = SignIn | Renewed | Failed | Recovered | Revoked | Delivered | Undelivered
Tell = Callable[[Happened], None]


def nobody(_happened: Happened) -> None:
    """Nobody is told."""
