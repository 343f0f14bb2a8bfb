"""What to do next with one Homey: a pure function of what is known and the time.

It alone spaces attempts. It never reads a clock, draws chance, logs or does I/O;
its answer can be repeated.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from homey_tokend.account import AccountState
from homey_tokend.errors import ProtocolChanged
from homey_tokend.model import Step, Token
from homey_tokend.state import FUTURE_TOLERANCE, Failure, HomeyState
from homey_tokend.totp import STEP_S, step_of

#: How much of a token's end is "must renew"? A tenth of its life, one hour at most.
MUST_SHARE, MUST_MOST = 0.1, timedelta(hours=1)
#: How far apart may attempts be when a token must be renewed?
MUST_GAP = timedelta(seconds=60)
#: How long do we wait at most because a server asks us to? With time left, and without.
RETRY_AFTER_MOST, RETRY_AFTER_MUST = timedelta(hours=1), timedelta(minutes=10)
#: After an unknown answer to a password: it was sent, so no quick second try.
UNKNOWN_LOGIN_GAP = timedelta(minutes=15)
#: How many passwords may go out within half a token's life?
BUDGET, BUDGET_EACH = 10, 2
#: And within what at most? A token that lives for years must not count passwords for years.
BUDGET_SPAN_MOST = timedelta(days=1)
#: How long does a gate that an attempt ran into hold at most? It keeps a decision that did not
#: foresee it from running into it at once again; what closed it may be over at any time.
CLOSED_MOST = timedelta(seconds=60)
#: How soon is an unproved token asked about again? Doubling up to the usual rhythm.
PROOF_FIRST, PROOF_MOST = timedelta(seconds=5), timedelta(minutes=15)
#: How soon is a sink tried again that a person must mend? Doubling up to an hour.
MEND_FIRST, MEND_MOST = timedelta(minutes=1), timedelta(hours=1)
#: A token younger than this share of its life, or this, is not replaced on request.
YOUNG_SHARE, YOUNG_MOST = 0.1, timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the configuration says to policy.

    ``checked`` names the sinks that can be looked at. ``homeys`` counts the Homeys of the same account; ``one_time`` tells that a
    one-time code is sent with the password.
    """

    at: float = 0.5
    jitter: float = 0.05
    lifetime: timedelta = timedelta(hours=24)
    verify_every: timedelta | None = timedelta(minutes=15)
    retry_first: timedelta = timedelta(seconds=1)
    retry_most: timedelta = timedelta(minutes=5)
    sinks: tuple[str, ...] = ()
    checked: tuple[str, ...] = ()
    homeys: int = 1
    one_time: bool = False

    def fraction(self, draw: float) -> float:
        """The part of a token's life after which it is renewed, for one drawn number."""
        return self.at - self.jitter * draw


@dataclass(frozen=True, slots=True)
class Facts:
    """What lives in memory only: what is under way, and what the next attempt needs.

    ``password_needed``: no grant or user token is left from an earlier attempt.
    ``forced``: the attempt under way was asked for by a person. ``closed``: what
    kept the last attempt from sending a password, where something did.
    ``account_digest`` and ``site_digest`` name the sign-in values as last read, or
    are empty while they are unknown.
    """

    renewing: bool = False
    verifying: bool = False
    delivering: frozenset[str] = field(default_factory=frozenset)
    password_needed: bool = True
    forced: bool = False
    closed: "Gate | None" = None
    account_digest: str = ""
    site_digest: str = ""


@dataclass(frozen=True, slots=True)
class Renew:
    """Get a new token now."""

    why: str


@dataclass(frozen=True, slots=True)
class Deliver:
    """Write the held token to these sinks now."""

    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Verify:
    """Ask the Homey now whether the held token is good."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do before ``wake``. The next attempt to renew is at ``until``."""

    until: datetime | None
    why: str
    wake: datetime | None


@dataclass(frozen=True, slots=True)
class Blocked:
    """The next renewal is held back by a refusal or the budget; look again at ``wake``."""

    until: datetime
    why: str
    wake: datetime


@dataclass(frozen=True, slots=True)
class Check:
    """Look now whether these sinks still hold what was written to them."""

    targets: tuple[str, ...]


Decision = Renew | Deliver | Verify | Check | Wait | Blocked


@dataclass(frozen=True, slots=True)
class Gate:
    """The earliest instant of the next attempt. ``held``: by a refusal or the budget."""

    at: datetime
    why: str
    held: bool = False


def decide(
    state: HomeyState, account: AccountState, facts: Facts, now: datetime, plan: Plan
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
    if usable and (targets := _due_sinks(state, usable, facts, now, plan)):
        return Deliver(targets)
    if usable and not facts.verifying and _proof_at(state, usable, plan) <= now:
        return Verify()
    if usable and (targets := _due_checks(state, usable, facts, now, plan)):
        return Check(targets)
    wake = min((at for at in _instants(state, facts, gate, now, plan) if at > now), default=None)
    if gate.held and not facts.renewing:
        return Blocked(gate.at, gate.why, min(gate.at, wake or gate.at))
    return Wait(None if facts.renewing else gate.at, gate.why, wake)


def _instants(
    state: HomeyState, facts: Facts, gate: Gate, now: datetime, plan: Plan
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
        yield _proof_at(state, token, plan)
    yield from _sink_instants(state, token, facts, now, plan)


def _sink_instants(
    state: HomeyState, token: Token, facts: Facts, now: datetime, plan: Plan
) -> Iterator[datetime]:
    for target in plan.sinks:
        if target in facts.delivering:
            continue
        if state.sink(target).generation != token.generation:
            yield sink_due_at(state, target, token, now, plan)
        elif target in plan.checked:
            yield _check_at(state, target, plan)


# --- the next attempt ----------------------------------------------------------


def must_renew_at(token: Token) -> datetime:
    """When "should renew" becomes "must renew"."""
    return token.expires_at - min(token.life * MUST_SHARE, MUST_MOST)


def should_renew_at(state: HomeyState, token: Token) -> datetime:
    """When the drawn part of the token's life is used."""
    return min(token.issued_at + token.life * state.fraction, must_renew_at(token))


def young_until(token: Token) -> datetime:
    """Until when a token is too young to be replaced on request."""
    return token.issued_at + young_span(token.life)


def young_span(life: timedelta) -> timedelta:
    """How long after one refresh no other is started on request."""
    return min(life * YOUNG_SHARE, YOUNG_MOST)


def in_must_window(state: HomeyState, now: datetime) -> bool:
    """Whether no usable token is held, or one that ends soon."""
    token = state.usable(now)
    return token is None or now >= must_renew_at(token)


def next_attempt(
    state: HomeyState, account: AccountState, facts: Facts, now: datetime, plan: Plan
) -> Gate:
    """When the next attempt to renew may begin, and what it waits for.

    The latest of: when it is due; the spacing after failures; the server's
    Retry-After; the refusal of these values; the budget of sign-ins; a fresh
    one-time step; the gate that the last attempt ran into. A person's forced wish
    passes all of them but the budget and the one-time step.
    """
    gates = [_due(state, now)]
    forced = state.wish is not None and state.wish.forced and now < state.wish.until
    if not forced:
        gates += _spacing(state, now, plan)
        gates += _refusals(state, account, facts)
        gates += _closed(state, facts)
    if facts.password_needed:
        gates += _sign_in_gates(state, account, now, plan)
        gates += [] if forced else _spread(state, account, now, plan)
    return max(gates, key=lambda gate: gate.at)


def _due(state: HomeyState, now: datetime) -> Gate:
    token = state.usable(now)
    if token is None and state.token is not None and state.revoked:
        # A Homey that refuses each token just after it has given it must not cost a password each.
        return Gate(young_until(state.token), "the Homey refuses the held token")
    if token is None:
        return Gate(now, "no valid token")
    if state.wish is not None and now < state.wish.until:
        return Gate(now, "a newer token was asked for")
    return Gate(should_renew_at(state, token), "the token is good until then")


def _spacing(state: HomeyState, now: datetime, plan: Plan) -> Iterator[Gate]:
    failure = state.failure
    if failure is None:
        return
    at, kind = failure.trouble.at, failure.trouble.kind
    must = in_must_window(state, now)
    if kind == ProtocolChanged.kind and failure.trouble.step == Step.LOGIN:
        yield Gate(at + UNKNOWN_LOGIN_GAP, "an unknown answer to the password")
    elif not kind.endswith("_refused"):
        gap = backoff(failure, plan.retry_first, plan.retry_most)
        yield Gate(at + (min(gap, MUST_GAP) if must else gap), "spacing after a failure")
    if failure.not_before is not None:
        most = RETRY_AFTER_MUST if must else RETRY_AFTER_MOST
        yield Gate(min(failure.not_before, at + most), "the server asked to wait")


def backoff(failure: Failure, first: timedelta, most: timedelta) -> timedelta:
    """Exponential with full jitter: the failure's own draw of min(most, first * 2^(n-1))."""
    doublings = min(failure.trouble.count - 1, 32)
    return min(most, first * (1 << doublings)) * failure.draw


def _refusals(state: HomeyState, account: AccountState, facts: Facts) -> Iterator[Gate]:
    refusal = account.refusal(facts.account_digest)
    if refusal is not None and facts.password_needed:
        yield Gate(refusal.until, "the account was refused", held=True)
    if state.refusal is not None and state.refusal.digest == facts.site_digest:
        yield Gate(state.refusal.until, "the sign-in was refused", held=True)


def refused(state: HomeyState, account: AccountState, facts: Facts, now: datetime) -> bool:
    """Whether a refusal holds the next attempt back: then a person's tries are counted."""
    return any(gate.at > now for gate in _refusals(state, account, facts))


def _closed(state: HomeyState, facts: Facts) -> Iterator[Gate]:
    if facts.closed is not None and state.attempted_at is not None and facts.password_needed:
        yield replace(facts.closed, at=min(facts.closed.at, state.attempted_at + CLOSED_MOST))


def _sign_in_gates(
    state: HomeyState, account: AccountState, now: datetime, plan: Plan
) -> Iterator[Gate]:
    window, allowed = _budget(state, plan)
    spent = account.sign_ins_since(now - window)
    if len(spent) >= allowed:
        yield Gate(spent[-allowed] + window, "the budget of sign-ins is spent", held=True)
    if plan.one_time and step_of(now) in account.one_time_steps:
        next_step = (step_of(now) + 1) * STEP_S
        yield Gate(
            now + timedelta(seconds=next_step - now.timestamp()), "waiting for a new one-time code"
        )


def _spread(state: HomeyState, account: AccountState, now: datetime, plan: Plan) -> Iterator[Gate]:
    """The less of the budget is left, the longer the gap: doubling, up to the whole window.

    So it is never spent at once: better a password now and then than none for half a day.
    What the Homeys need where all is well is not spread: they sign in one after the other.
    """
    window, allowed = _budget(state, plan)
    spent = account.sign_ins_since(now - window)
    if BUDGET_EACH * plan.homeys <= len(spent) < allowed:
        gap = window / (1 << min(allowed - len(spent), 64))
        yield Gate(spent[-1] + gap, "the budget of sign-ins is used sparingly", held=True)


def _budget(state: HomeyState, plan: Plan) -> tuple[timedelta, int]:
    """The window, half a token's life and one day at most, and what may be spent within it."""
    life = state.token.life if state.token else plan.lifetime
    return min(life / 2, BUDGET_SPAN_MOST), BUDGET + BUDGET_EACH * plan.homeys


def may_sign_in(
    state: HomeyState, account: AccountState, facts: Facts, now: datetime, plan: Plan
) -> Gate | None:
    """Whether a password may go out now, asked once more with the values just read.

    Returns:
        None if it may, else the gate that is closed.
    """
    gates = [*_sign_in_gates(state, account, now, plan)]
    if not facts.forced:
        gates += _refusals(state, account, facts)
        gates += _spread(state, account, now, plan)
    return next((gate for gate in gates if gate.at > now), None)


# --- proof and sinks -------------------------------------------------------------


def _proof_at(state: HomeyState, token: Token, plan: Plan) -> datetime:
    """When the Homey is asked (again) whether it takes the token."""
    last = max(state.asked_at or token.issued_at, state.proved_at or token.issued_at)
    if state.proved_at is not None:
        return last + plan.verify_every if plan.verify_every else _NEVER
    if state.asked_at is None:
        return last
    return last + min(PROOF_FIRST * (1 << min(state.unanswered, 16)), PROOF_MOST)


_NEVER = datetime.max.replace(tzinfo=UTC)


def _due_sinks(
    state: HomeyState, token: Token, facts: Facts, now: datetime, plan: Plan
) -> tuple[str, ...]:
    return tuple(
        target
        for target in plan.sinks
        if target not in facts.delivering
        and state.sink(target).generation != token.generation
        and sink_due_at(state, target, token, now, plan) <= now
    )


def _due_checks(
    state: HomeyState, token: Token, facts: Facts, now: datetime, plan: Plan
) -> tuple[str, ...]:
    return tuple(
        target
        for target in plan.checked
        if target not in facts.delivering
        and state.sink(target).generation == token.generation
        and _check_at(state, target, plan) <= now
    )


def _check_at(state: HomeyState, target: str, plan: Plan) -> datetime:
    """When a sink that has the token is looked at (again): in the rhythm of the proof."""
    sink = state.sink(target)
    last = max((at for at in (sink.checked_at, sink.delivered_at) if at), default=None)
    if plan.verify_every is None or last is None:
        return _NEVER
    return last + plan.verify_every


def sink_due_at(
    state: HomeyState, target: str, token: Token, now: datetime, plan: Plan
) -> datetime:
    """When a sink that lacks the token may be tried: at once, or after its own spacing."""
    sink = state.sink(target)
    failure = sink.failure
    if failure is None or sink.failed_generation != token.generation:
        return now
    at = failure.trouble.at
    if sink.refused:
        return at + min(MEND_FIRST * (1 << min(failure.trouble.count - 1, 16)), MEND_MOST)
    asked = min(failure.not_before or at, at + RETRY_AFTER_MOST)
    return max(at + backoff(failure, plan.retry_first, plan.retry_most), asked)
