"""How many passwords may go out, and how far apart. Pure."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Constraint, RefreshSettings
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.totp import STEP_S, time_step

#: How many passwords may go out within half a token's life?
BUDGET, BUDGET_EACH = 10, 2
#: And within what at most? A token that lives for years must not count passwords for years.
BUDGET_SPAN_MOST = timedelta(days=1)


def password_constraints(
    state: HomeyState, account: AccountState, now: datetime, plan: RefreshSettings
) -> Iterator[Constraint]:
    """What no one passes: a spent budget, and a one-time step that was used already."""
    window, allowed = _budget(state, plan)
    spent = account.sign_ins_since(now - window)
    if len(spent) >= allowed:
        yield Constraint(spent[-allowed] + window, "the budget of sign-ins is spent", held=True)
    if plan.one_time and time_step(now) in account.one_time_steps:
        next_step = (time_step(now) + 1) * STEP_S
        yield Constraint(
            now + timedelta(seconds=next_step - now.timestamp()), "waiting for a new one-time code"
        )


def spacing_constraints(
    state: HomeyState, account: AccountState, now: datetime, plan: RefreshSettings
) -> Iterator[Constraint]:
    """The less of the budget is left, the longer the gap: doubling, up to the whole window.

    So it is never spent at once: better a password now and then than none for half a day.
    What the Homeys need where all is well is not spread: they sign in one after the other.
    """
    window, allowed = _budget(state, plan)
    spent = account.sign_ins_since(now - window)
    if BUDGET_EACH * plan.homeys <= len(spent) < allowed:
        gap = window / (1 << min(allowed - len(spent), 64))
        yield Constraint(spent[-1] + gap, "the budget of sign-ins is used sparingly", held=True)


def _budget(state: HomeyState, plan: RefreshSettings) -> tuple[timedelta, int]:
    """The window, half a token's life within bounds, and what may be spent within it."""
    life = state.token.life if state.token else plan.lifetime
    span = min(max(life / 2, plan.budget_span_least), BUDGET_SPAN_MOST)
    return span, BUDGET + BUDGET_EACH * plan.homeys
