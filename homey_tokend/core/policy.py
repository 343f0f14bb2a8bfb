"""What to do next with one Homey: a pure function of state and time.

It alone spaces attempts: ``next_attempt`` is the latest of all constraints on the next
refresh; ``deliveries`` has those on verification and sinks. It never reads a clock, draws
chance, logs or does I/O; its answer can be repeated.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from homey_tokend.core import deliveries
from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import (
    Activity,
    Blocked,
    Check,
    Constraint,
    Decision,
    Deliver,
    RefreshSettings,
    Renew,
    Verify,
    Wait,
)
from homey_tokend.core.errors import ProtocolChanged, UnreadableResponse
from homey_tokend.core.failure import RETRY_AFTER_MOST, RETRY_AFTER_MUST, backoff
from homey_tokend.core.homey import FUTURE_TOLERANCE, HomeyState
from homey_tokend.core.http_types import Step
from homey_tokend.core.tokens import Token
from homey_tokend.core.totp import STEP_S, time_step

#: How long does the constraint that stopped an attempt hold at most? It keeps a decision that did
#: not foresee it from running into it again at once; its cause may be over at any time.
BLOCKED_MOST = timedelta(seconds=60)
#: What a rejection is called where it blocks an attempt.
REJECTIONS = ("the account was rejected", "the sign-in was rejected")
#: How far apart may attempts be when a token must be renewed?
MUST_GAP = timedelta(seconds=60)
#: After an unknown answer to a password: it was sent, so no quick second try.
UNKNOWN_LOGIN_GAP = timedelta(minutes=15)
_UNKNOWN_ANSWERS = frozenset({ProtocolChanged.kind, UnreadableResponse.kind})
#: How many passwords may be sent within half a token's life?
BUDGET, BUDGET_EACH = 10, 2
#: And within what at most? A token that lives for years must not count passwords for years.
BUDGET_SPAN_MOST = timedelta(days=1)


def decide(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Decision:
    """Return what to do next.

    1. A refresh is due, none is under way, and nothing holds it back: Renew.
       It is due when no usable token is held, when somebody asked for a newer
       one, or when the random part of its life is used.
    2. A sink lacks the current token and its own spacing is over: Deliver.
    3. The current token is to be verified (again): Verify.
    4. A sink is to be looked at, whether it still holds the token: Check.
    5. A rejection or the sign-in budget blocks the next refresh: Blocked.
    6. Otherwise Wait until the first of all these, or the token's end.
    """
    attempt = next_attempt(state, account, activity, now, settings)
    if not activity.refreshing and attempt.at <= now:
        return Renew(attempt.why)
    usable = state.usable(now)
    if usable and (targets := deliveries.due_sinks(state, usable, activity, now, settings)):
        return Deliver(targets)
    if usable and not activity.verifying and deliveries.verify_at(state, usable, settings) <= now:
        return Verify()
    if usable and (targets := deliveries.due_checks(state, usable, activity, now, settings)):
        return Check(targets)
    wake = min(
        (at for at in _instants(state, usable, activity, attempt, now, settings) if at > now),
        default=None,
    )
    if attempt.blocking and not activity.refreshing:
        return Blocked(attempt.at, attempt.why, min(attempt.at, wake or attempt.at))
    return Wait(None if activity.refreshing else attempt.at, attempt.why, wake)


def next_attempt(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Constraint:
    """Return when the next attempt to renew may begin, and what it waits for.

    The latest of: when it is due; the spacing after failures; the server's
    Retry-After; the rejection of these values; the budget of sign-ins; a fresh
    one-time step; what blocked the last attempt. A person's forced request passes
    all of them but the budget and the one-time step.
    """
    constraints = [_due(state, now)]
    forced = state.request is not None and state.request.forced and now < state.request.until
    password_needed = activity.password_needed(now)
    if not forced:
        constraints += _after_failure(state, now, settings)
        constraints += _rejections(state, account, activity, now)
        if activity.blocked is not None and state.attempted_at is not None and password_needed:
            at = min(activity.blocked.at, state.attempted_at + BLOCKED_MOST)
            constraints.append(replace(activity.blocked, at=at))
    if password_needed:
        constraints += _passwords(state, account, activity, now, settings)
        constraints += [] if forced else _budget_spacing(state, account, now, settings)
    return max(constraints, key=lambda one: one.at)


def sign_in_constraint(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Constraint | None:
    """Return what keeps a password from being sent now, asked again with the values just read."""
    constraints = [*_passwords(state, account, activity, now, settings)]
    if not activity.forced:
        constraints += _rejections(state, account, activity, now)
        constraints += _budget_spacing(state, account, now, settings)
    return next((one for one in constraints if one.at > now), None)


def is_rejected(
    state: HomeyState, account: AccountState, activity: Activity, now: datetime
) -> bool:
    """Return whether a rejection blocks the next attempt: then a person's tries are counted."""
    return any(one.at > now for one in _rejections(state, account, activity, now))


def _instants(
    state: HomeyState,
    token: Token | None,
    activity: Activity,
    attempt: Constraint,
    now: datetime,
    settings: RefreshSettings,
) -> Iterator[datetime]:
    """Yield all times at which the decision may change without an event."""
    if not activity.refreshing:
        yield attempt.at
    if state.request:
        yield state.request.until
    if token is None:
        if state.token is not None and state.from_the_future(now):
            yield state.token.issued_at - FUTURE_TOLERANCE
        return
    yield token.must_renew_at
    yield token.expires_at
    if not activity.verifying:
        yield deliveries.verify_at(state, token, settings)
    yield from _sink_instants(state, token, activity, now, settings)


def _sink_instants(
    state: HomeyState, token: Token, activity: Activity, now: datetime, settings: RefreshSettings
) -> Iterator[datetime]:
    for target in settings.sinks:
        if target in activity.delivering:
            continue
        if state.sink(target).generation != token.generation:
            yield deliveries.sink_due_at(state, target, token, now, settings)
        elif target in settings.checked:
            yield deliveries.check_at(state, target, settings)


def _due(state: HomeyState, now: datetime) -> Constraint:
    token = state.usable(now)
    if state.token is not None and state.revoked and not state.from_the_future(now):
        # A Homey that rejects each token right after giving it must not cost a password each.
        return Constraint(state.token.young_until, "the Homey rejects the held token")
    if token is None:
        return Constraint(now, "no valid token")
    if state.request is not None and now < state.request.until:
        return Constraint(now, "a newer token was asked for")
    return Constraint(state.should_renew_at(token), "the token is good until then")


def _after_failure(
    state: HomeyState, now: datetime, settings: RefreshSettings
) -> Iterator[Constraint]:
    failure = state.failure
    if failure is None:
        return
    at, kind = failure.last_error.at, failure.last_error.kind
    must = state.must_renew(now)
    if kind in _UNKNOWN_ANSWERS and failure.last_error.step == Step.LOGIN:
        yield Constraint(at + UNKNOWN_LOGIN_GAP, "an unknown answer to the password")
    elif not failure.last_error.action_needed:
        gap = backoff(failure, settings.retry_first, settings.retry_most)
        yield Constraint(at + (min(gap, MUST_GAP) if must else gap), "spacing after a failure")
    if failure.not_before is not None:
        most = RETRY_AFTER_MUST if must else RETRY_AFTER_MOST
        yield Constraint(min(failure.not_before, at + most), "the server asked to wait")


def _rejections(
    state: HomeyState, account: AccountState, activity: Activity, now: datetime
) -> Iterator[Constraint]:
    digests = activity.sign_in.digests
    until = account.rejected_until(digests.password)
    if until is not None and activity.password_needed(now):
        yield Constraint(until, REJECTIONS[0], blocking=True)
    if state.rejection is not None and state.rejection.digest == digests.site:
        yield Constraint(state.rejection.until, REJECTIONS[1], blocking=True)


def _passwords(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Iterator[Constraint]:
    """Return the constraints for everybody: a spent budget, and a used one-time step."""
    span, allowed = _budget(state, settings)
    spent = account.sign_ins_since(now - span)
    if len(spent) >= allowed:
        yield Constraint(spent[-allowed] + span, "the budget of sign-ins is spent", blocking=True)
    wall = now + activity.offset
    if settings.one_time and time_step(wall) in account.one_time_steps:
        wait = (time_step(wall) + 1) * STEP_S - wall.timestamp()
        yield Constraint(now + timedelta(seconds=wait), "waiting for a new one-time code")


def _budget_spacing(
    state: HomeyState, account: AccountState, now: datetime, settings: RefreshSettings
) -> Iterator[Constraint]:
    """Return the gap by the budget: the less is left, the longer, up to the whole span.

    So it is never spent at once: better a password now and then than none for half a day.
    What the Homeys need where all is well is not spaced: they sign in one after the other.
    """
    span, allowed = _budget(state, settings)
    spent = account.sign_ins_since(now - span)
    if BUDGET_EACH * settings.homeys <= len(spent) < allowed:
        gap = span / (1 << min(allowed - len(spent), 64))
        yield Constraint(spent[-1] + gap, "the budget of sign-ins is used sparingly", blocking=True)


def _budget(state: HomeyState, settings: RefreshSettings) -> tuple[timedelta, int]:
    """Return the span, half a token's lifetime within bounds, and how many sign-ins it may have."""
    life = state.token.life if state.token else settings.lifetime
    span = min(max(life / 2, settings.budget_span_least), BUDGET_SPAN_MOST)
    return span, BUDGET + BUDGET_EACH * settings.homeys
