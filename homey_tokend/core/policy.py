"""Decide what to do next with one Homey: pure functions of state and time.

Only this module and ``deliveries`` decide how long to wait. ``next_attempt`` is the latest of
all constraints on the next refresh; ``deliveries`` has the times of verifications and sinks.
They read no clock, draw no random number, log nothing and do no I/O.
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

#: The longest time that what blocked an attempt delays the next one. The delay keeps the same
#: attempt from being repeated at once, but the cause may end at any time.
BLOCKED_MOST = timedelta(seconds=60)
#: The reasons that are given for a wait because of a rejection.
REJECTIONS = ("the account was rejected", "the sign-in was rejected")
#: The longest time between attempts once a token must be renewed.
MUST_GAP = timedelta(seconds=60)
#: The wait after an unknown response to a password, which was sent after all.
UNKNOWN_LOGIN_GAP = timedelta(minutes=15)
#: The kinds of failure at the login after which it is unknown whether the host judged the password.
_UNKNOWN_ANSWERS = frozenset({ProtocolChanged.kind, UnreadableResponse.kind})
#: The time between passwords that cannot be recorded on the disk, and from the start to the first:
#: a restart forgets them, and even restarts must not send more than the budget allows.
UNRECORDED_GAP = timedelta(hours=1)
#: The sign-ins that an account may have within half a token's lifetime: in all, and for each
#: Homey in addition.
BUDGET, BUDGET_EACH = 10, 2
#: The maximum span of the budget, for tokens that live longer than two days.
BUDGET_SPAN_MOST = timedelta(days=1)


def decide(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Decision:
    """Return what to do next.

    1. Renew: a refresh is due, none is running, and nothing delays it. It is due if there is
       no usable token, if a newer one was requested, or from ``refresh.at`` on.
    2. Deliver: a sink does not have the current token, and its wait is over.
    3. Verify: a verification of the current token is due.
    4. Check: a check whether a sink still has the token is due.
    5. Blocked: a rejection or the sign-in budget blocks the next refresh.
    6. Wait: otherwise, until the first of these can change, or the token expires.
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
    """Return when the next attempt to renew may start, and what it waits for.

    This is the latest of: when a refresh is due; the backoff after failures; the server's
    Retry-After; a rejection of these credentials; the sign-in budget; an unused one-time step;
    what blocked the last attempt. A forced request waits only for the budget and the one-time
    step.
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
    """Return what keeps a password from being sent now, given the credentials just read."""
    constraints = [*_passwords(state, account, activity, now, settings)]
    if not activity.forced:
        constraints += _rejections(state, account, activity, now)
        constraints += _budget_spacing(state, account, now, settings)
    return next((one for one in constraints if one.at > now), None)


def unrecorded_sign_in_at(account: AccountState, started: datetime) -> datetime:
    """Return when a password may be sent although it cannot be recorded."""
    return max((started, *account.sign_ins)) + UNRECORDED_GAP


def is_rejected(
    state: HomeyState, account: AccountState, activity: Activity, now: datetime
) -> bool:
    """Return whether a rejection blocks the next attempt; forced attempts are counted then."""
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
        # A Homey that rejects each token just after issuing it must not cost a password each time.
        return Constraint(state.token.young_until, "the Homey rejects the current token")
    if token is None:
        return Constraint(now, "no valid token")
    if state.request is not None and now < state.request.until:
        return Constraint(now, "a newer token was requested")
    return Constraint(state.should_renew_at(token), "the token is due for renewal")


def _after_failure(
    state: HomeyState, now: datetime, settings: RefreshSettings
) -> Iterator[Constraint]:
    failure = state.failure
    if failure is None:
        return
    at, kind = failure.last_error.at, failure.last_error.kind
    must = state.must_renew(now)
    if kind in _UNKNOWN_ANSWERS and failure.last_error.step == Step.LOGIN:
        yield Constraint(at + UNKNOWN_LOGIN_GAP, "the response to the password was unknown")
    elif not failure.last_error.action_needed:
        gap = backoff(failure, settings.retry_first, settings.retry_most)
        yield Constraint(at + (min(gap, MUST_GAP) if must else gap), "waiting after a failure")
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
    """Yield the constraints that also apply to forced requests: the budget, the one-time step."""
    span, allowed = _budget(state, settings)
    spent = account.sign_ins_since(now - span)
    if len(spent) >= allowed:
        yield Constraint(spent[-allowed] + span, "the sign-in budget is used up", blocking=True)
    wall = now + activity.offset
    if settings.one_time and time_step(wall) in account.one_time_steps:
        wait = (time_step(wall) + 1) * STEP_S - wall.timestamp()
        yield Constraint(now + timedelta(seconds=wait), "waiting for a new one-time code")


def _budget_spacing(
    state: HomeyState, account: AccountState, now: datetime, settings: RefreshSettings
) -> Iterator[Constraint]:
    """Yield the gap between sign-ins: the less of the budget is left, the longer, up to the span.

    The budget is not used up at once: one password now and then is better than none for half a
    day. The sign-ins that the Homeys need in normal operation have no gap.
    """
    span, allowed = _budget(state, settings)
    spent = account.sign_ins_since(now - span)
    if BUDGET_EACH * settings.homeys <= len(spent) < allowed:
        gap = span / (1 << min(allowed - len(spent), 64))
        yield Constraint(spent[-1] + gap, "the sign-in budget is almost used up", blocking=True)


def _budget(state: HomeyState, settings: RefreshSettings) -> tuple[timedelta, int]:
    """Return the span (half a token's lifetime, within bounds) and the sign-ins allowed in it."""
    life = state.token.life if state.token else settings.lifetime
    span = min(max(life / 2, settings.budget_span_least), BUDGET_SPAN_MOST)
    return span, BUDGET + BUDGET_EACH * settings.homeys
