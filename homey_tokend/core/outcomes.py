"""The outcome of a message: new state and activity, events, and whether the state is saved.

Pure, so that each outcome can be tested as a value. A message about an older token changes only
the activity.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings
from homey_tokend.core.errors import (
    AccountRejected,
    BearerRejected,
    IllegalEvent,
    Rejected,
    TokendError,
)
from homey_tokend.core.events import (
    DeliveryFailed,
    Event,
    Level,
    LogEntry,
    RefreshFailed,
    RefreshRecovered,
    TokenDelivered,
    TokenRenewed,
    TokenRevoked,
)
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.messages import (
    CheckFinished,
    ClockChanged,
    CredentialsRead,
    DeliveryFinished,
    Message,
    RefreshFinished,
    RefreshRequested,
    VerificationFinished,
    VerificationRequested,
)
from homey_tokend.core.policy import next_attempt
from homey_tokend.core.tokens import Bearer, DeliveryResult


@dataclass(frozen=True, slots=True)
class Change:
    """The outcome of a message. ``save``: the state must be on the disk before others see it."""

    state: HomeyState
    activity: Activity
    events: tuple[Event | LogEntry, ...] = ()
    save: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """The other inputs of an outcome: accounts by key, settings, time and a random number."""

    accounts: Mapping[str, AccountState]
    settings: RefreshSettings
    now: datetime
    random: float


def apply(state: HomeyState, activity: Activity, message: Message, context: Context) -> Change:
    """Apply a message; an illegal event is logged as ``outcome.dropped``."""
    activity = _ended(activity, message)
    try:
        return _outcome(state, activity, message, context)
    except IllegalEvent as error:
        return Change(
            state, activity, (_log(state, context, Level.INFO, "outcome.dropped", error),)
        )


def _ended(activity: Activity, message: Message) -> Activity:
    """Return the activity without the job that has finished with this message."""
    match message:
        case RefreshFinished(result=result, sign_in=sign_in):
            return replace(
                activity,
                refreshing=False,
                forced=False,
                blocked=result if isinstance(result, Constraint) else None,
                sign_in=sign_in,
                refreshes=activity.refreshes + 1,
            )
        case CredentialsRead(changed, sign_in):
            blocked = None if changed else activity.blocked
            return replace(activity, reading=False, blocked=blocked, sign_in=sign_in)
        case VerificationFinished():
            return replace(activity, verifying=False, verifications=activity.verifications + 1)
        case DeliveryFinished(target=target) | CheckFinished(target=target):
            return replace(activity, delivering=activity.delivering - {target})
        case _:
            return activity


def _outcome(state: HomeyState, activity: Activity, message: Message, context: Context) -> Change:
    match message:
        case RefreshFinished():
            return _refreshed(state, activity, message, context)
        case VerificationFinished():
            return _verified(state, activity, message, context)
        case DeliveryFinished():
            return _delivered(state, activity, message, context)
        case CheckFinished():
            return _checked(state, activity, message, context)
        case _:
            return _noted(state, activity, message, context)


def _noted(
    state: HomeyState,
    activity: Activity,
    message: RefreshRequested | VerificationRequested | ClockChanged | CredentialsRead,
    context: Context,
) -> Change:
    match message:
        case RefreshRequested(until, forced, than):
            if state.generation <= than:  # otherwise the request is already fulfilled
                state = state.requested(until, forced=forced, at=context.now)
            return Change(state, activity)
        case VerificationRequested(generation):
            return Change(state.unverified(generation), activity)
        case ClockChanged(offset):
            return _clock_changed(state, activity, offset, context)
        case CredentialsRead(changed):  # pragma: no branch  -- mypy holds the match complete
            events = (_log(state, context, Level.INFO, "credentials.changed"),) if changed else ()
            return Change(state, activity, events)


def _clock_changed(
    state: HomeyState, activity: Activity, offset: timedelta, context: Context
) -> Change:
    """Save the state, deliver to the sinks that write an expiry, and verify the token.

    The disk and the sinks have instants by the wall clock. A restored machine image looks the
    same, and its token may have been replaced long ago.
    """
    state, generation = state.clock_set(offset), state.generation
    if state.holds(generation):
        state = state.unverified(generation)
    for target in context.settings.reporting:
        state = state.outdated(target, generation)
    outdated = activity.outdated | activity.delivering.intersection(context.settings.reporting)
    activity = replace(activity, offset=offset, outdated=outdated)
    return Change(state, activity, save=True)


def _refreshed(
    state: HomeyState, activity: Activity, message: RefreshFinished, context: Context
) -> Change:
    result = message.result
    if isinstance(result, Constraint):
        return Change(state, activity)
    state = state.with_account(activity.account_of(state))
    if isinstance(result, Bearer):
        return _renewed(state, activity, message.since, result, context)
    return _refresh_failed(state, activity, result, context)


def _renewed(
    before: HomeyState, activity: Activity, since: int, bearer: Bearer, context: Context
) -> Change:
    fraction = context.settings.fraction(context.random)
    state = before.renewed(bearer, since=since, at=context.now, fraction=fraction)
    token = state.held(since + 1)
    events: list[Event] = [
        TokenRenewed(
            state.name,
            context.now,
            generation=token.generation,
            fingerprint=token.value.fingerprint(),
            issued_at=token.issued_at,
            expires_at=token.expires_at,
            verified=bearer.verified,
            note=bearer.note,
        )
    ]
    if before.failure is not None:
        events.append(RefreshRecovered(state.name, context.now, before.failure.last_error.count))
    return Change(state, activity, tuple(events), save=True)


def _refresh_failed(
    before: HomeyState, activity: Activity, error: TokendError, context: Context
) -> Change:
    at, random = context.now, context.random
    if isinstance(error, Rejected) and not isinstance(error, AccountRejected):
        digest = activity.sign_in.digests.site
        state = before.rejected(error, digest=digest, at=at, random=random)
    else:
        state = before.failed(error, at=at, random=random)
    account = context.accounts.get(state.account, AccountState())
    token = state.usable(at)
    failed = RefreshFailed(
        state.name,
        at,
        kind=error.kind,
        step=str(error.step),
        message=error.message,
        remedy=error.remedy,
        action_needed=isinstance(error, Rejected),
        failures=state.failure.last_error.count if state.failure else 1,
        next_try=next_attempt(state, account, activity, at, context.settings).at,
        outage_at=token.expires_at if token else None,
        urgent=state.must_renew(at),
    )
    return Change(state, activity, (failed,), save=True)


def _verified(
    state: HomeyState, activity: Activity, message: VerificationFinished, context: Context
) -> Change:
    generation, result, now = message.generation, message.result, context.now
    if isinstance(result, TokendError):
        event = _log(state, context, Level.INFO, "token.not_verified", result)
        return Change(state.verification_failed(generation, now), activity, (event,))
    accepted, expires_at = result
    if not accepted:
        revoked = state.was_revoked(generation, now)
        return Change(revoked, activity, (TokenRevoked(state.name, now, generation),), save=True)
    before, state = state.held(generation), state.verified(generation, now, expires_at)
    token = state.held(generation)
    if token.expires_at != before.expires_at:
        activity = replace(activity, outdated=activity.delivering)
    event = _log(state, context, Level.DEBUG, "token.verified", generation=generation)
    # A new expiry is worth a write: after a power cut the Homey may be unreachable.
    return Change(state, activity, (event,), save=token != before)


def _delivered(
    state: HomeyState, activity: Activity, message: DeliveryFinished, context: Context
) -> Change:
    target, generation, result, now = (
        message.target,
        message.generation,
        message.result,
        context.now,
    )
    if isinstance(result, DeliveryResult):
        state = state.delivered(target, generation, result, now)
        if target in activity.outdated:
            state = state.outdated(target, generation)
        delivered = TokenDelivered(state.name, now, target, generation, result.detail)
        return Change(state, activity, (delivered,), save=True)
    state = state.delivery_failed(target, generation, result, at=now, random=context.random)
    if isinstance(result, BearerRejected) and state.holds(generation):
        state = state.unverified(generation)
    failed = DeliveryFailed(
        state.name,
        now,
        target,
        generation,
        kind=result.kind,
        message=result.message,
        remedy=result.remedy,
        action_needed=isinstance(result, Rejected),
    )
    return Change(state, activity, (failed,), save=True)


def _checked(
    state: HomeyState, activity: Activity, message: CheckFinished, context: Context
) -> Change:
    target, generation, in_place = message.target, message.generation, message.in_place
    if in_place is True:
        return Change(state.checked(target, generation, context.now), activity)
    if in_place is False:
        event = _log(
            state,
            context,
            Level.WARNING,
            "sink.drifted",
            sink=target,
            generation=generation,
        )
        return Change(state.drifted(target, generation), activity, (event,), save=True)
    state = state.check_failed(target, generation, context.now)
    if isinstance(in_place, BearerRejected):
        state = state.unverified(generation)
    event = _log(state, context, Level.INFO, "sink.check_failed", in_place, sink=target)
    return Change(state, activity, (event,))


def _log(
    state: HomeyState,
    context: Context,
    level: Level,
    name: str,
    error: TokendError | None = None,
    **fields: object,
) -> LogEntry:
    if error is not None:
        fields["reason"] = error.message
    return LogEntry(state.name, context.now, level, name, fields)
