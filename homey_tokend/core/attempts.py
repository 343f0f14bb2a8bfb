"""When the next attempt to renew may begin: the latest of all constraints. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings
from homey_tokend.core.errors import ProtocolChanged
from homey_tokend.core.failure import Failure
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Step
from homey_tokend.core.lifetime import in_must_window, should_renew_at, young_until
from homey_tokend.core.totp import STEP_S, time_step

#: How long does the constraint that stopped an attempt hold at most? It keeps a decision that did
#: not foresee it from running into it again at once; its cause may be over at any time.
BLOCKED_MOST = timedelta(seconds=60)
#: What a rejection is called where it blocks an attempt.
REJECTIONS = ("the account was rejected", "the sign-in was rejected")
#: How far apart may attempts be when a token must be renewed?
MUST_GAP = timedelta(seconds=60)
#: How long do we wait at most because a server asks us to? With time left, and without.
RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(minutes=10)
#: After an unknown answer to a password: it was sent, so no quick second try.
UNKNOWN_LOGIN_GAP = timedelta(minutes=15)
#: How many passwords may be sent within half a token's life?
BUDGET, BUDGET_EACH = 10, 2
#: And within what at most? A token that lives for years must not count passwords for years.
BUDGET_SPAN_MOST = timedelta(days=1)


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


def backoff(failure: Failure, first: timedelta, most: timedelta) -> timedelta:
    """Return an exponential wait with full jitter: the failure's random share of it."""
    doublings = min(failure.trouble.count - 1, 32)
    return min(most, first * (1 << doublings)) * failure.random


def _due(state: HomeyState, now: datetime) -> Constraint:
    token = state.usable(now)
    if state.token is not None and state.revoked and not state.from_the_future(now):
        # A Homey that rejects each token right after giving it must not cost a password each.
        return Constraint(young_until(state.token), "the Homey rejects the held token")
    if token is None:
        return Constraint(now, "no valid token")
    if state.request is not None and now < state.request.until:
        return Constraint(now, "a newer token was asked for")
    return Constraint(should_renew_at(state, token), "the token is good until then")


def _after_failure(
    state: HomeyState, now: datetime, settings: RefreshSettings
) -> Iterator[Constraint]:
    failure = state.failure
    if failure is None:
        return
    at, kind = failure.trouble.at, failure.trouble.kind
    must = in_must_window(state, now)
    if kind == ProtocolChanged.kind and failure.trouble.step == Step.LOGIN:
        yield Constraint(at + UNKNOWN_LOGIN_GAP, "an unknown answer to the password")
    elif not failure.trouble.action_needed:
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
    """What nobody passes: a spent budget, and a one-time step that was used already."""
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
    """The less of the budget is left, the longer the gap: doubling, up to the whole span.

    So it is never spent at once: better a password now and then than none for half a day.
    What the Homeys need where all is well is not spaced: they sign in one after the other.
    """
    span, allowed = _budget(state, settings)
    spent = account.sign_ins_since(now - span)
    if BUDGET_EACH * settings.homeys <= len(spent) < allowed:
        gap = span / (1 << min(allowed - len(spent), 64))
        yield Constraint(spent[-1] + gap, "the budget of sign-ins is used sparingly", blocking=True)


def _budget(state: HomeyState, settings: RefreshSettings) -> tuple[timedelta, int]:
    """The span, half a token's life within bounds, and how many sign-ins may fall within it."""
    life = state.token.life if state.token else settings.lifetime
    span = min(max(life / 2, settings.budget_span_least), BUDGET_SPAN_MOST)
    return span, BUDGET + BUDGET_EACH * settings.homeys
