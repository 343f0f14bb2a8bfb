"""The state of one Homey: one method for each event, which returns a new state.

All changes of the state are in this file, those of its sinks in ``sink``. An illegal event
raises ``IllegalEvent`` and changes nothing. Randomness comes in as a number, so that a
result can be reproduced.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from homey_tokend.core.account import Rejection
from homey_tokend.core.errors import (
    IllegalEvent,
    ProtocolChanged,
    Rejected,
    SignInExpired,
    TokendError,
)
from homey_tokend.core.failure import Failure, LastError, failure_of, last_error_of
from homey_tokend.core.sink import SinkState
from homey_tokend.core.timeline import shift
from homey_tokend.core.tokens import Bearer, DeliveryResult, Token

#: A token that was issued further ahead of our clock counts as "from the future".
FUTURE_TOLERANCE = timedelta(minutes=5)
#: Expiries that differ by no more count as the same: Date headers have whole seconds.
SAME_EXPIRY = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class RefreshRequest:
    """A request for a newer token; void after ``until``.

    ``forced``: a person requests it, and the next attempt is not delayed by earlier failures.
    """

    until: datetime
    forced: bool = False


@dataclass(frozen=True, slots=True)
class HomeyState:
    """The state of one Homey.

    ``generation`` is the highest so far. ``fraction`` is the share of the token's lifetime
    after which it is renewed, random for each token. ``loaded_offset`` is how far the wall
    clock was ahead of the timeline when the token was placed on it (see ``loaded``); None for a
    token that this process got. ``revoked``: the Homey rejected the current token.
    ``last_verification_at`` includes verifications that failed; ``failed_verifications`` counts
    those since the last success. ``cloudid`` identifies the Homey that this state is about;
    empty in the state of an early version. ``refreshes`` counts successes since the state file
    was created.
    """

    name: str
    generation: int = 0
    token: Token | None = None
    fraction: float = 0.5
    loaded_offset: timedelta | None = None
    revoked: bool = False
    verified_at: datetime | None = None
    last_verification_at: datetime | None = None
    failed_verifications: int = 0
    url: str | None = None
    account: str = ""
    cloudid: str = ""
    attempted_at: datetime | None = None
    failure: Failure | None = None
    rejection: Rejection | None = None
    request: RefreshRequest | None = None
    refreshes: int = 0
    sinks: Mapping[str, SinkState] = field(default_factory=dict)

    # --- queries ---

    def usable(self, now: datetime) -> Token | None:
        """Return the current token unless it has expired, was revoked or is from the future."""
        token = self.token
        if token is None or self.revoked or not token.valid(now) or self.from_the_future(now):
            return None
        return token

    def should_renew_at(self, token: Token) -> datetime:
        """Return when ``fraction`` of the token's lifetime has passed."""
        return min(token.issued_at + token.life * self.fraction, token.must_renew_at)

    def must_renew(self, now: datetime) -> bool:
        """Return whether there is no usable token, or one that expires soon."""
        token = self.usable(now)
        return token is None or now >= token.must_renew_at

    def from_the_future(self, now: datetime) -> bool:
        """Return whether the current token was issued after ``now``: a clock is or was wrong."""
        return self.token is not None and self.token.issued_at > now + FUTURE_TOLERANCE

    def holds(self, generation: int) -> bool:
        """Return whether the current token has this generation."""
        return self.token is not None and self.token.generation == generation

    def held(self, generation: int) -> Token:
        """Return the current token, which must have this generation.

        Raises:
            IllegalEvent: There is no token, or one of another generation.
        """
        if self.token is None or self.token.generation != generation:
            raise IllegalEvent("the result is about a token that is no longer current")
        return self.token

    def sink(self, target: str) -> SinkState:
        """Return the state of a sink, initial for a new one."""
        return self.sinks.get(target, SinkState())

    # --- a refresh ---

    def requested(self, until: datetime, *, forced: bool, at: datetime) -> "HomeyState":
        """Record a request for a newer token, combined with one that is still open."""
        if self.request is not None and at < self.request.until:
            until, forced = max(until, self.request.until), forced or self.request.forced
        return replace(self, request=RefreshRequest(until, forced))

    def attempted(self, at: datetime) -> "HomeyState":
        """Record that an attempt starts; it uses up a forced request."""
        request = replace(self.request, forced=False) if self.request else None
        return replace(self, attempted_at=at, request=request)

    def renewed(self, bearer: Bearer, *, since: int, at: datetime, fraction: float) -> "HomeyState":
        """Store a new bearer with the next generation.

        Args:
            bearer: The new bearer.
            since: The latest generation when the attempt started.
            at: The current time.
            fraction: The share of its lifetime after which it is renewed.

        Raises:
            IllegalEvent: There is a newer generation by now, so the result is stale.
        """
        if since != self.generation:
            raise IllegalEvent("the result is stale: there is a newer generation")
        token = Token(
            value=bearer.value,
            generation=self.generation + 1,
            url=bearer.url,
            issued_at=bearer.issued_at,
            expires_at=bearer.expires_at,
            expiry_reported=bearer.expiry_reported,
        )
        return replace(
            self,
            generation=token.generation,
            token=token,
            fraction=fraction,
            loaded_offset=None,
            revoked=False,
            verified_at=at if bearer.verified else None,
            last_verification_at=at,
            failed_verifications=0,
            url=bearer.discovered_url or self.url,
            failure=None,
            rejection=None,
            request=None,
            refreshes=self.refreshes + 1,
        )

    def failed(self, error: TokendError, *, at: datetime, random: float) -> "HomeyState":
        """Record a failed attempt; the current token, if any, stays.

        A sign-in that expires twice in a row at the same step is not accidental
        (``docs/wire.md``, classification of responses: consent 403).
        """
        before = self.failure.last_error if self.failure else None
        count = before.count + 1 if before else 1
        if isinstance(error, SignInExpired) and before and _same(before, error):
            error = ProtocolChanged(
                f"{error.message}, repeatedly", step=error.step, status=error.status
            )
        failure = failure_of(error, at=at, count=count, random=random)
        return replace(self, failure=failure)

    def rejected(
        self, error: Rejected, *, digest: str, at: datetime, random: float
    ) -> "HomeyState":
        """Record that this Homey's client, consent or login was rejected: a person has to act."""
        before = self.rejection if self.rejection and self.rejection.digest == digest else None
        count = before.last_error.count + 1 if before else 1
        rejection = Rejection(digest, last_error_of(error, at, count))
        return replace(self.failed(error, at=at, random=random), rejection=rejection)

    def with_account(self, key: str) -> "HomeyState":
        """Set the key of the account that the credentials belong to."""
        return replace(self, account=key)

    def with_cloudid(self, cloudid: str) -> "HomeyState":
        """Set the configured Homey; if it is another one, keep only what counts across Homeys.

        The token and the address of the previous Homey must not be used for this one.
        """
        if self.cloudid in {"", cloudid}:
            return replace(self, cloudid=cloudid)
        return HomeyState(
            self.name,
            generation=self.generation,
            account=self.account,
            cloudid=cloudid,
            refreshes=self.refreshes,
        )

    def with_url(self, url: str) -> "HomeyState":
        """Set the token's address; the Homey's sessions do not depend on it."""
        return replace(self, token=replace(self.token, url=url)) if self.token else self

    # --- the verification ---

    def verified(self, generation: int, at: datetime, expires_at: datetime | None) -> "HomeyState":
        """Record that the Homey accepts the token, until ``expires_at`` if it reports an expiry.

        A different expiry is delivered to the sinks, too. Within ``SAME_EXPIRY`` the known one
        stays, so that it does not drift with each verification.

        Raises:
            IllegalEvent: The generation is not the current one.
        """
        token, sinks = self.held(generation), self.sinks
        if expires_at is not None and expires_at > token.issued_at:
            if abs(expires_at - token.expires_at) > SAME_EXPIRY:
                token = replace(token, expires_at=expires_at)
                sinks = {key: one.outdated(generation) for key, one in sinks.items()}
            token = replace(token, expiry_reported=True)
        return replace(
            self,
            token=token,
            verified_at=at,
            last_verification_at=at,
            failed_verifications=0,
            sinks=sinks,
        )

    def verification_failed(self, generation: int, at: datetime) -> "HomeyState":
        """Record that the token could not be verified, which says nothing about its validity."""
        self.held(generation)
        return replace(
            self, last_verification_at=at, failed_verifications=self.failed_verifications + 1
        )

    def was_revoked(self, generation: int, at: datetime) -> "HomeyState":
        """Record that the Homey rejects the token; it is no longer served."""
        self.held(generation)
        return replace(self, revoked=True, last_verification_at=at)

    def unverified(self, generation: int) -> "HomeyState":
        """Mark the token as not verified, so that it is verified at once."""
        self.held(generation)
        return replace(self, verified_at=None, last_verification_at=None, failed_verifications=0)

    # --- sinks ---

    def delivered(
        self, target: str, generation: int, delivered: DeliveryResult, at: datetime
    ) -> "HomeyState":
        """Record that a sink has this generation; raise IllegalEvent if it has a newer one."""
        return self._with_sink(target, self.sink(target).delivered(generation, delivered, at))

    def delivery_failed(
        self, target: str, generation: int, error: TokendError, *, at: datetime, random: float
    ) -> "HomeyState":
        """Record that a delivery failed."""
        sink = self.sink(target).delivery_failed(generation, error, at=at, random=random)
        return self._with_sink(target, sink)

    def checked(self, target: str, generation: int, at: datetime) -> "HomeyState":
        """Record that a sink was checked and has this generation."""
        return self._with_sink(target, self.sink(target).checked(generation, at))

    def check_failed(self, target: str, generation: int, at: datetime) -> "HomeyState":
        """Record that a sink could not be checked, which says nothing about its content."""
        return self._with_sink(target, self.sink(target).check_failed(generation, at))

    def drifted(self, target: str, generation: int) -> "HomeyState":
        """Record that a sink's content differs: the token is delivered again."""
        return self._with_sink(target, self.sink(target).drifted(generation))

    def outdated(self, target: str, generation: int) -> "HomeyState":
        """Record that a sink has an outdated expiry: the token is delivered again."""
        return self._with_sink(target, self.sink(target).outdated(generation))

    # --- clocks and restarts ---

    def keeper_started(self) -> "HomeyState":
        """Record the start of a keeper: its sinks must be checked."""
        return replace(self, sinks={key: one.keeper_started() for key, one in self.sinks.items()})

    def clock_set(self, offset: timedelta) -> "HomeyState":
        """Record that the wall clock was set, and is now ``offset`` ahead of the timeline.

        Instants that this process measured do not change. The instants of a loaded token were
        measured with a wall clock that may have been wrong, so its expiry can become earlier,
        but never later.
        """
        if self.token is None or self.loaded_offset is None or offset <= self.loaded_offset:
            return self
        token = shift(self.token, self.loaded_offset - offset)
        return replace(self, token=token, loaded_offset=offset)

    def loaded(self, now: datetime, offset: timedelta | None = timedelta(0)) -> "HomeyState":
        """Return the state after loading: nothing running, and no wait measured with a wrong clock.

        The token counts as unverified, so that the Homey is asked for its validity and expiry.

        Args:
            now: The current time.
            offset: How far the wall clock is ahead of the timeline; None if the position of the
                instants on it is known, because they are from the same boot.
        """
        return replace(
            self,
            loaded_offset=offset,
            request=None,
            verified_at=None,
            last_verification_at=None,
            failed_verifications=0,
            failure=self.failure.not_after(now) if self.failure else None,
            rejection=self.rejection.not_after(now) if self.rejection else None,
            sinks={target: sink.loaded(now) for target, sink in self.sinks.items()},
        )

    def _with_sink(self, target: str, sink: SinkState) -> "HomeyState":
        return replace(self, sinks={**self.sinks, target: sink})


def _same(before: LastError, error: SignInExpired) -> bool:
    """Return whether the previous failure was of the same kind and step."""
    kinds = {SignInExpired.kind, ProtocolChanged.kind}
    return before.kind in kinds and before.step == error.step
