"""What is known of one sink. Pure: one method per event, each returns a new state."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

from homey_tokend.core.errors import IllegalEvent, TokendError
from homey_tokend.core.failure import Failure, failure_of
from homey_tokend.core.tokens import DeliveryResult


@dataclass(frozen=True, slots=True)
class SinkState:
    """One sink: the newest generation it has, its failures since, what it remembers.

    ``checked_at``: when it was last looked at. ``unsure``: whether it was not seen
    yet by the keeper that runs now. ``drifts`` counts how often it held something else
    than was written.
    """

    generation: int | None = None
    delivered_at: datetime | None = None
    failure: Failure | None = None
    failed_generation: int | None = None
    memory: Mapping[str, str] = field(default_factory=dict)
    checked_at: datetime | None = None
    unsure: bool = False
    drifts: int = 0

    @property
    def rejected(self) -> bool:
        """Whether a person is needed before it takes a token."""
        return self.failure is not None and self.failure.trouble.action_needed

    def delivered(self, generation: int, delivered: DeliveryResult, at: datetime) -> "SinkState":
        """It has this generation now; never an older one than it had."""
        if self.generation is not None and generation < self.generation:
            raise IllegalEvent("a sink never goes back to an older token")
        return SinkState(
            generation=generation,
            delivered_at=at,
            memory=delivered.memory,
            drifts=self.drifts,
        )

    def undelivered(
        self, generation: int, error: TokendError, *, at: datetime, random: float
    ) -> "SinkState":
        """It did not take this generation."""
        again = self.failure is not None and self.failed_generation == generation
        count = self.failure.trouble.count + 1 if again and self.failure else 1
        return replace(
            self,
            failure=failure_of(error, at=at, count=count, random=random),
            failed_generation=generation,
        )

    def put_in_place(self) -> "SinkState":
        """A keeper begins with it, after a restart or with another configuration.

        Nobody knows whether it still holds what was written, in the form that is wanted
        now; and a person may have mended what was refused: then it is tried at once.
        """
        failed = None if self.rejected else self.failed_generation
        return replace(self, unsure=True, checked_at=None, failed_generation=failed)

    def checked(self, generation: int, at: datetime) -> "SinkState":
        """It was looked at, and holds this generation."""
        self._has(generation)
        return replace(self, checked_at=at, unsure=False)

    def not_seen(self, generation: int, at: datetime) -> "SinkState":
        """It could not be looked at: that says nothing of what it holds."""
        self._has(generation)
        return replace(self, checked_at=at)

    def drifted(self, generation: int) -> "SinkState":
        """It had this generation and holds something else: it lacks the token again."""
        self._has(generation)
        return replace(self, generation=None, checked_at=None, unsure=False, drifts=self.drifts + 1)

    def outdated(self, generation: int) -> "SinkState":
        """What it was told of this generation is right no more: it lacks the token again."""
        if self.generation != generation:
            return self
        return replace(self, generation=None, checked_at=None, unsure=False)

    def _has(self, generation: int) -> None:
        if self.generation != generation:
            raise IllegalEvent("this says something of a token that the sink has no more")

    def loaded(self, now: datetime) -> "SinkState":
        """As it came from the disk: no wait from a clock ahead."""
        return replace(
            self,
            delivered_at=min(self.delivered_at, now) if self.delivered_at else None,
            failure=self.failure.not_after(now) if self.failure else None,
        )
