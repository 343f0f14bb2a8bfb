"""The state of one sink: one method for each event, which returns a new state.

Most raise ``IllegalEvent`` if the sink does not have the generation that the event is about.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from homey_tokend.core.errors import IllegalEvent, TokendError
from homey_tokend.core.failure import Failure, failure_of
from homey_tokend.core.tokens import DeliveryResult


@dataclass(frozen=True, slots=True)
class SinkState:
    """The state of one sink: the generation it has, its failures since, and its memory.

    ``checked_at`` includes checks that failed. ``unchecked``: the current keeper has not
    checked it successfully yet. ``drifts`` counts how often its content differed from what was
    written.
    """

    generation: int | None = None
    delivered_at: datetime | None = None
    failure: Failure | None = None
    failed_generation: int | None = None
    memory: Mapping[str, str] = field(default_factory=dict)
    checked_at: datetime | None = None
    unchecked: bool = False
    drifts: int = 0

    @property
    def rejected(self) -> bool:
        """Return whether a person has to act before a delivery can succeed."""
        return self.failure is not None and self.failure.last_error.action_needed

    def delivered(self, generation: int, delivered: DeliveryResult, at: datetime) -> "SinkState":
        """Record that it has this generation; raise IllegalEvent if it has a newer one."""
        if self.generation is not None and generation < self.generation:
            raise IllegalEvent("the sink has a newer token")
        return SinkState(
            generation=generation,
            delivered_at=at,
            memory=delivered.memory,
            drifts=self.drifts,
        )

    def delivery_failed(
        self, generation: int, error: TokendError, *, at: datetime, random: float
    ) -> "SinkState":
        """Record that a delivery of this generation failed."""
        again = self.failure is not None and self.failed_generation == generation
        count = self.failure.last_error.count + 1 if again and self.failure else 1
        return replace(
            self,
            failure=failure_of(error, at=at, count=count, random=random),
            failed_generation=generation,
        )

    def keeper_started(self) -> "SinkState":
        """Record the start of a keeper, after a restart or with another configuration.

        Its content may have been lost, or be in a format that is no longer configured. If a
        delivery was rejected, a person may have fixed the cause, so it is repeated at once.
        """
        failed = None if self.rejected else self.failed_generation
        return replace(self, unchecked=True, checked_at=None, failed_generation=failed)

    def checked(self, generation: int, at: datetime) -> "SinkState":
        """Record that it was checked and has this generation."""
        self._has(generation)
        return replace(self, checked_at=at, unchecked=False)

    def check_failed(self, generation: int, at: datetime) -> "SinkState":
        """Record that it could not be checked, which says nothing about its content."""
        self._has(generation)
        return replace(self, checked_at=at, unchecked=True)

    def drifted(self, generation: int) -> "SinkState":
        """Record that its content differs: the token is delivered again."""
        self._has(generation)
        return replace(
            self, generation=None, checked_at=None, unchecked=False, drifts=self.drifts + 1
        )

    def outdated(self, generation: int) -> "SinkState":
        """Record that its expiry is outdated: the token is delivered again."""
        if self.generation != generation:
            return self
        return replace(self, generation=None, checked_at=None, unchecked=False)

    def _has(self, generation: int) -> None:
        if self.generation != generation:
            raise IllegalEvent("the result is about a token that the sink no longer has")

    def loaded(self, now: datetime) -> "SinkState":
        """Return the state after loading: no wait measured with a wrong clock."""
        return replace(
            self,
            delivered_at=min(self.delivered_at, now) if self.delivered_at else None,
            failure=self.failure.not_after(now) if self.failure else None,
        )
