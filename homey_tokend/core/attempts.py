"""When the next attempt to renew may begin: the latest of all gates before it. Pure."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from homey_tokend.core import budget, spacing
from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.lifetime import should_renew_at, young_until

#: How long does a gate that an attempt ran into hold at most? It keeps a decision that did not
#: foresee it from running into it at once again; what closed it may be over at any time.
BLOCKED_MOST = timedelta(seconds=60)
#: What a refusal is called where it holds an attempt back.
REJECTIONS = ("the account was rejected", "the sign-in was rejected")


def next_attempt(
    state: HomeyState, account: AccountState, facts: Activity, now: datetime, plan: RefreshSettings
) -> Constraint:
    """When the next attempt to renew may begin, and what it waits for.

    The latest of: when it is due; the spacing after failures; the server's
    Retry-After; the refusal of these values; the budget of sign-ins; a fresh
    one-time step; the gate that the last attempt ran into. A person's forced wish
    passes all of them but the budget and the one-time step.
    """
    gates = [_due(state, now)]
    forced = state.wish is not None and state.wish.forced and now < state.wish.until
    if not forced:
        gates += spacing.after_failure(state, now, plan)
        gates += _refusals(state, account, facts)
        gates += _closed(state, facts)
    if facts.password_needed:
        gates += budget.password_constraints(state, account, now, plan)
        gates += [] if forced else budget.spacing_constraints(state, account, now, plan)
    return max(gates, key=lambda gate: gate.at)


def sign_in_constraint(
    state: HomeyState, account: AccountState, facts: Activity, now: datetime, plan: RefreshSettings
) -> Constraint | None:
    """Whether a password may go out now, asked once more with the values just read.

    Returns:
        None if it may, else the gate that is closed.
    """
    gates = [*budget.password_constraints(state, account, now, plan)]
    if not facts.forced:
        gates += _refusals(state, account, facts)
        gates += budget.spacing_constraints(state, account, now, plan)
    return next((gate for gate in gates if gate.at > now), None)


def is_rejected(state: HomeyState, account: AccountState, facts: Activity, now: datetime) -> bool:
    """Whether a refusal holds the next attempt back: then a person's tries are counted."""
    return any(gate.at > now for gate in _refusals(state, account, facts))


def _due(state: HomeyState, now: datetime) -> Constraint:
    token = state.usable(now)
    if state.token is not None and state.revoked and not state.from_the_future(now):
        # A Homey that refuses each token just after it has given it must not cost a password each.
        return Constraint(young_until(state.token), "the Homey rejects the held token")
    if token is None:
        return Constraint(now, "no valid token")
    if state.wish is not None and now < state.wish.until:
        return Constraint(now, "a newer token was asked for")
    return Constraint(should_renew_at(state, token), "the token is good until then")


def _refusals(state: HomeyState, account: AccountState, facts: Activity) -> Iterator[Constraint]:
    until = account.rejected_until(facts.account_digest)
    if until is not None and facts.password_needed:
        yield Constraint(until, REJECTIONS[0], held=True)
    if state.refusal is not None and state.refusal.digest == facts.site_digest:
        yield Constraint(state.refusal.until, REJECTIONS[1], held=True)


def _closed(state: HomeyState, facts: Activity) -> Iterator[Constraint]:
    if facts.closed is not None and state.attempted_at is not None and facts.password_needed:
        yield replace(facts.closed, at=min(facts.closed.at, state.attempted_at + BLOCKED_MOST))
