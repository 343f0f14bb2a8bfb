"""What the doors may show of one Homey. Pure."""

from datetime import datetime

from homey_tokend.core.account import AccountState
from homey_tokend.core.attempts import next_attempt
from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.deliveries import sink_due_at
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.lifetime import in_must_window, should_renew_at
from homey_tokend.core.status import Health, SinkView, Trouble, View
from homey_tokend.core.tokens import Token


def view_of(
    state: HomeyState,
    account: AccountState,
    facts: Activity,
    now: datetime,
    plan: RefreshSettings,
    url: str,
) -> View:
    """The snapshot of a Homey at ``now``; a token that may not be served is not in it.

    ``url`` is shown while no token tells a better one.
    """
    token = state.usable(now)
    gate = next_attempt(state, account, facts, now, plan)
    trouble = state.failure.trouble if state.failure else None
    return View(
        name=state.name,
        health=_health(state, token, now, plan),
        url=token.url if token else url,
        token=token,
        verified_at=state.verified_at,
        refreshing=facts.renewing,
        renew_at=should_renew_at(state, token) if token else None,
        next_at=None if facts.renewing else gate.at,
        next_reason="a refresh is under way" if facts.renewing else gate.why,
        trouble=trouble,
        outage_at=token.expires_at if token and trouble else None,
        sign_in_blocked_until=gate.at if gate.held else None,
        refreshes=state.refreshes,
        sinks=tuple(_sink(state, target, token, now, plan) for target in plan.sinks),
    )


def _health(state: HomeyState, token: Token | None, now: datetime, plan: RefreshSettings) -> Health:
    if token is None:
        first = state.failure is None and state.token is None
        return Health.STARTING if first else Health.DOWN
    if state.failure is not None and in_must_window(state, now):
        return Health.DEGRADED
    wrong = state.failure or any(_sink_trouble(state, target) for target in plan.sinks)
    return Health.TROUBLED if wrong else Health.OK


def _sink_trouble(state: HomeyState, target: str) -> Trouble | None:
    failure = state.sink(target).failure
    return failure.trouble if failure else None


def _sink(
    state: HomeyState, target: str, token: Token | None, now: datetime, plan: RefreshSettings
) -> SinkView:
    sink = state.sink(target)
    waiting = token is not None and sink.failure is not None
    return SinkView(
        target=target,
        generation=sink.generation,
        delivered_at=sink.delivered_at,
        trouble=_sink_trouble(state, target),
        retry_at=sink_due_at(state, target, token, now, plan) if waiting and token else None,
        drifts=sink.drifts,
    )
