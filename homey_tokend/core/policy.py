"""What to do next with one Homey: a pure function of what is known and the time.

It alone spaces attempts, by ``attempts`` (the next refresh) and ``deliveries``
(verification and sinks). It never reads a clock, draws chance, logs or does I/O; its answer can be
repeated.
"""

from collections.abc import Iterator
from datetime import datetime

from homey_tokend.core import deliveries
from homey_tokend.core.account import AccountState
from homey_tokend.core.attempts import next_attempt
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
from homey_tokend.core.homey import FUTURE_TOLERANCE, HomeyState
from homey_tokend.core.lifetime import must_renew_at
from homey_tokend.core.tokens import Token


def decide(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
) -> Decision:
    """What to do next.

    1. A refresh is due, none is under way, and nothing holds it back: Renew.
       It is due when no usable token is held, when somebody asked for a newer
       one, or when the random part of its life is used.
    2. A sink lacks the held token and its own spacing is over: Deliver.
    3. The held token is to be verified (again): Verify.
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
        (at for at in _instants(state, activity, attempt, now, settings) if at > now), default=None
    )
    if attempt.blocking and not activity.refreshing:
        return Blocked(attempt.at, attempt.why, min(attempt.at, wake or attempt.at))
    return Wait(None if activity.refreshing else attempt.at, attempt.why, wake)


def _instants(
    state: HomeyState,
    activity: Activity,
    attempt: Constraint,
    now: datetime,
    settings: RefreshSettings,
) -> Iterator[datetime]:
    """Everything that may change the decision by the passing of time alone."""
    if not activity.refreshing:
        yield attempt.at
    if state.request:
        yield state.request.until
    token = state.usable(now)
    if token is None:
        if state.token is not None and state.from_the_future(now):
            yield state.token.issued_at - FUTURE_TOLERANCE
        return
    yield must_renew_at(token)
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
