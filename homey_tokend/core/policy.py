"""What to do next with one Homey: a pure function of what is known and the time.

It alone spaces attempts, by ``gates`` (the next refresh) and ``upkeep`` (proof and
sinks). It never reads a clock, draws chance, logs or does I/O; its answer can be
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
    state: HomeyState, account: AccountState, facts: Activity, now: datetime, plan: RefreshSettings
) -> Decision:
    """What to do next.

    1. A refresh is due, none is under way, and nothing holds it back: Renew.
       It is due when no usable token is held, when somebody asked for a newer
       one, or when the drawn part of its life is used.
    2. A sink lacks the held token and its own spacing is over: Deliver.
    3. The held token is to be proved (again): Verify.
    4. A sink is to be looked at, whether it still holds the token: Check.
    5. A refusal or the sign-in budget holds the next refresh back: Blocked.
    6. Otherwise Wait until the first of all these, or the token's end.
    """
    gate = next_attempt(state, account, facts, now, plan)
    if not facts.renewing and gate.at <= now:
        return Renew(gate.why)
    usable = state.usable(now)
    if usable and (targets := deliveries.due_sinks(state, usable, facts, now, plan)):
        return Deliver(targets)
    if usable and not facts.verifying and deliveries.verify_at(state, usable, plan) <= now:
        return Verify()
    if usable and (targets := deliveries.due_checks(state, usable, facts, now, plan)):
        return Check(targets)
    wake = min((at for at in _instants(state, facts, gate, now, plan) if at > now), default=None)
    if gate.held and not facts.renewing:
        return Blocked(gate.at, gate.why, min(gate.at, wake or gate.at))
    return Wait(None if facts.renewing else gate.at, gate.why, wake)


def _instants(
    state: HomeyState, facts: Activity, gate: Constraint, now: datetime, plan: RefreshSettings
) -> Iterator[datetime]:
    """Everything that may change the decision by the passing of time alone."""
    if not facts.renewing:
        yield gate.at
    if state.wish:
        yield state.wish.until
    token = state.usable(now)
    if token is None:
        if state.token is not None and state.from_the_future(now):
            yield state.token.issued_at - FUTURE_TOLERANCE
        return
    yield must_renew_at(token)
    yield token.expires_at
    if not facts.verifying:
        yield deliveries.verify_at(state, token, plan)
    yield from _sink_instants(state, token, facts, now, plan)


def _sink_instants(
    state: HomeyState, token: Token, facts: Activity, now: datetime, plan: RefreshSettings
) -> Iterator[datetime]:
    for target in plan.sinks:
        if target in facts.delivering:
            continue
        if state.sink(target).generation != token.generation:
            yield deliveries.sink_due_at(state, target, token, now, plan)
        elif target in plan.checked:
            yield deliveries.check_at(state, target, plan)
