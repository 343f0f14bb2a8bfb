"""The status of one Homey."""

import enum
from dataclasses import dataclass
from datetime import datetime

from homey_tokend.core.account import AccountState
from homey_tokend.core.decision import Activity, RefreshSettings
from homey_tokend.core.deliveries import sink_due_at
from homey_tokend.core.failure import LastError
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.policy import next_attempt
from homey_tokend.core.tokens import Token


class Health(enum.StrEnum):
    """The health of a Homey."""

    #: There is a valid token, and nothing fails.
    OK = "ok"
    #: There is no token yet; the first attempt is running.
    STARTING = "starting"
    #: There is a valid token, but a refresh, a delivery or a write of the state fails.
    FAILING = "failing"
    #: There is a valid token that must be renewed soon, and refreshing fails.
    DEGRADED = "degraded"
    #: There is no valid token.
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class SinkView:
    """One sink in the status."""

    target: str
    generation: int | None
    delivered_at: datetime | None
    last_error: LastError | None
    retry_at: datetime | None
    drifts: int = 0


@dataclass(frozen=True, slots=True)
class View:
    """The status of one Homey: an immutable snapshot.

    ``next_at`` is the instant of the next attempt, ``next_reason`` what it waits for.
    ``outage_at`` is the expiry of the current token while refreshing fails.
    ``sign_in_blocked_until`` is set while a rejection or the budget blocks sign-ins.
    """

    name: str
    health: Health
    url: str
    token: Token | None
    verified_at: datetime | None
    refreshing: bool
    renew_at: datetime | None
    next_at: datetime | None
    next_reason: str
    last_error: LastError | None
    outage_at: datetime | None
    sign_in_blocked_until: datetime | None
    refreshes: int
    sinks: tuple[SinkView, ...] = ()


@dataclass(frozen=True, slots=True)
class RefreshResult:
    """The result of a requested refresh.

    ``done``: there is a newer token than at the time of the request. ``too_soon``: nothing was
    started, because of ``why``; the next request is possible at this instant. Neither: the
    refresh is still running, or has failed (``view.last_error``).
    """

    view: View
    done: bool
    too_soon: datetime | None = None
    why: str = ""


def view_of(
    state: HomeyState,
    account: AccountState,
    activity: Activity,
    now: datetime,
    settings: RefreshSettings,
    url: str,
    *,
    storage_error: LastError | None = None,
) -> View:
    """Return the status of a Homey at ``now``, without a token that must not be served.

    ``url`` is the address while there is no token, ``storage_error`` why the state is not on the
    disk.
    """
    token = state.usable(now)
    attempt = next_attempt(state, account, activity, now, settings)
    last_error = state.failure.last_error if state.failure else None
    return View(
        name=state.name,
        health=_health(state, token, now, settings, storage_error),
        url=token.url if token else url,
        token=token,
        verified_at=state.verified_at,
        refreshing=activity.refreshing,
        renew_at=state.should_renew_at(token) if token else None,
        next_at=None if activity.refreshing else attempt.at,
        next_reason="a refresh is running" if activity.refreshing else attempt.why,
        last_error=last_error or storage_error,
        outage_at=token.expires_at if token and last_error else None,
        sign_in_blocked_until=attempt.at if attempt.blocking else None,
        refreshes=state.refreshes,
        sinks=tuple(_sink(state, target, token, now, settings) for target in settings.sinks),
    )


def _health(
    state: HomeyState,
    token: Token | None,
    now: datetime,
    settings: RefreshSettings,
    storage_error: LastError | None,
) -> Health:
    if token is None:
        first = state.failure is None and state.token is None
        return Health.STARTING if first else Health.DOWN
    if state.failure is not None and state.must_renew(now):
        return Health.DEGRADED
    errors = [state.failure, storage_error]
    errors += [_sink_last_error(state, target) for target in settings.sinks]
    return Health.FAILING if any(errors) else Health.OK


def _sink_last_error(state: HomeyState, target: str) -> LastError | None:
    failure = state.sink(target).failure
    return failure.last_error if failure else None


def _sink(
    state: HomeyState, target: str, token: Token | None, now: datetime, settings: RefreshSettings
) -> SinkView:
    sink = state.sink(target)
    waiting = token is not None and sink.failure is not None
    return SinkView(
        target=target,
        generation=sink.generation,
        delivered_at=sink.delivered_at,
        last_error=_sink_last_error(state, target),
        retry_at=sink_due_at(state, target, token, now, settings) if waiting and token else None,
        drifts=sink.drifts,
    )
