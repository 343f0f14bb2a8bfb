"""Strategies of hypothesis: any value of the core, and any history of one Homey."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st

from homey_tokend.core.account import AccountState, Digests, Rejection
from homey_tokend.core.decision import Activity, Constraint, RefreshSettings, SignInProgress
from homey_tokend.core.errors import (
    AccountRejected,
    BearerDiscarded,
    BearerRejected,
    ClientRejected,
    HomeyOffline,
    HomeyRejected,
    IllegalEvent,
    InvalidResponse,
    ProtocolChanged,
    Rejected,
    SecretUnavailable,
    ServerError,
    SignInExpired,
    SinkFailed,
    SinkRejected,
    Throttled,
    TokendError,
    Transient,
    Unreachable,
    UnreadableResponse,
)
from homey_tokend.core.failure import Failure, LastError, last_error_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.http_types import Step
from homey_tokend.core.secret import Secret
from homey_tokend.core.sink import SinkState
from homey_tokend.core.tokens import Bearer, DeliveryResult, Token
from homey_tokend.core.totp import time_step
from homey_tokend.storage.document import StateDocument
from tests.support.clock import NOON

TARGETS = ("file:/run/token", "variable:accesstoken", "exec:/opt/on-token")
DIGESTS = ("", "values", "other values")

# --- single values ---------------------------------------------------------------

random_numbers = st.floats(0, 1, exclude_max=True)
shares = st.floats(0, 1)
words = st.text(st.characters(codec="utf-8"), max_size=12)
secrets = st.from_regex("[!-~]{1,12}", fullmatch=True).map(Secret)
numbers = st.integers(0, 2**53 - 1)
instants = st.datetimes(
    datetime(1970, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2200, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    timezones=st.just(UTC),
)
spans = st.timedeltas(timedelta(microseconds=1), timedelta(days=3660))
clock_jumps = st.timedeltas(timedelta(days=-20000), timedelta(days=20000))

last_errors = st.builds(
    LastError,
    at=instants,
    kind=words,
    step=words,
    message=words,
    remedy=words,
    status=st.none() | st.integers(100, 599),
    count=st.integers(1, 10**6),
)
failures = st.builds(Failure, last_errors, random_numbers, st.none() | instants)
rejections = st.builds(Rejection, words, last_errors)


@st.composite
def tokens(draw: st.DrawFn, most: int = 1000) -> Token:
    """Any token that can be held."""
    issued_at = draw(instants)
    return Token(
        value=draw(secrets),
        generation=draw(st.integers(0, most)),
        url=draw(words),
        issued_at=issued_at,
        expires_at=issued_at + draw(spans),
        expiry_reported=draw(st.booleans()),
    )


@st.composite
def sinks(draw: st.DrawFn, most: int) -> SinkState:
    """Any sink of a Homey whose highest generation is ``most``."""
    generations = st.none() | st.integers(0, most)
    return SinkState(
        generation=draw(generations),
        delivered_at=draw(st.none() | instants),
        failure=draw(st.none() | failures),
        failed_generation=draw(generations),
        memory=draw(st.dictionaries(words, words, max_size=2)),
        drifts=draw(numbers),
    )


@st.composite
def stored_homeys(draw: st.DrawFn, name: str) -> HomeyState:
    """Any Homey as it is stored: fields in memory only are not set."""
    most = draw(st.integers(0, 1000))
    return HomeyState(
        name=name,
        generation=most,
        token=draw(st.none() | tokens(most)),
        fraction=draw(shares),
        revoked=draw(st.booleans()),
        url=draw(st.none() | words),
        account=draw(words),
        cloudid=draw(words),
        attempted_at=draw(st.none() | instants),
        failure=draw(st.none() | failures),
        rejection=draw(st.none() | rejections),
        refreshes=draw(numbers),
        sinks=draw(st.dictionaries(words, sinks(most), max_size=2)),
    )


accounts = st.builds(
    AccountState,
    rejections=st.lists(rejections, max_size=3).map(lambda some: {one.digest: one for one in some}),
    sign_ins=st.lists(instants, max_size=4).map(tuple),
    one_time_steps=st.lists(numbers, max_size=4).map(tuple),
    rejected_at=st.lists(instants, max_size=4).map(tuple),
    forced=st.lists(instants, max_size=2).map(tuple),
)


@st.composite
def documents(draw: st.DrawFn) -> StateDocument:
    """Any document that can have been stored."""
    names = draw(st.lists(words, max_size=2, unique=True))
    return StateDocument(
        salt=draw(words),
        homeys={name: draw(stored_homeys(name)) for name in names},
        accounts=draw(st.dictionaries(words, accounts, max_size=2)),
        refresh_tokens=draw(st.dictionaries(words, secrets, max_size=2)),
    )


# --- histories -------------------------------------------------------------------

targets = st.sets(st.sampled_from(TARGETS)).map(lambda some: tuple(sorted(some)))
policy_settings = st.builds(
    RefreshSettings,
    at=st.floats(0.1, 0.95),
    jitter=st.floats(0, 0.09),
    lifetime=st.sampled_from([timedelta(seconds=1), timedelta(hours=24), timedelta(days=365)]),
    verify_every=st.none() | st.timedeltas(timedelta(seconds=1), timedelta(days=1)),
    retry_first=st.timedeltas(timedelta(milliseconds=10), timedelta(hours=1)),
    retry_most=st.timedeltas(timedelta(hours=1), timedelta(hours=24)),
    sinks=targets,
    checked=targets,
    homeys=st.integers(1, 3),
    one_time=st.booleans(),
)
lifetimes = st.sampled_from(
    [timedelta(seconds=1), timedelta(minutes=7), timedelta(hours=24), timedelta(days=3660)]
) | st.timedeltas(timedelta(seconds=1), timedelta(days=30))
waits = st.timedeltas(timedelta(0), timedelta(hours=30)) | st.timedeltas(
    timedelta(0), timedelta(seconds=40)
)
retry_afters = st.none() | st.timedeltas(timedelta(0), timedelta(days=10000))
steps = st.sampled_from(["", *(str(step) for step in Step)])
_PATIENT: tuple[type[Transient], ...] = (
    ServerError,
    Throttled,
    InvalidResponse,
    UnreadableResponse,
    HomeyOffline,
)
_PLAIN: tuple[type[TokendError], ...] = (
    SignInExpired,
    BearerDiscarded,
    ProtocolChanged,
    AccountRejected,
    ClientRejected,
    HomeyRejected,
    BearerRejected,
    SinkRejected,
    SinkFailed,
    SecretUnavailable,
    TokendError,
)


@st.composite
def errors(draw: st.DrawFn) -> TokendError:
    """Any failure of an attempt or a delivery."""
    step = draw(steps)
    patient, plain = draw(st.sampled_from(_PATIENT)), draw(st.sampled_from(_PLAIN))
    return draw(
        st.one_of(
            st.builds(patient, st.just("unwell"), step=st.just(step), retry_after=retry_afters),
            st.builds(plain, st.just("no"), step=st.just(step)),
            st.builds(Unreachable, st.just("gone"), step=st.just(step), sent=st.booleans()),
        )
    )


@dataclass(frozen=True)
class Scene:
    """The input of a decision."""

    state: HomeyState
    account: AccountState
    activity: Activity
    now: datetime
    settings: RefreshSettings


@dataclass
class _History:
    """A Homey's history; each method is an event that can happen, with values from ``draw``."""

    draw: st.DrawFn
    now: datetime = NOON
    state: HomeyState = field(default_factory=lambda: HomeyState("home"))
    account: AccountState = field(default_factory=AccountState)
    offset: timedelta = timedelta(0)

    def token_is_renewed(self) -> None:
        bearer = Bearer(
            Secret("bearer"),
            url="https://hub.example",
            issued_at=self.now - self.draw(st.timedeltas(timedelta(0), timedelta(seconds=9))),
            expires_at=self.now + self.draw(lifetimes),
            expiry_reported=self.draw(st.booleans()),
            verified=self.draw(st.booleans()),
        )
        fraction = self.draw(st.floats(0.01, 0.95))
        since = self.state.generation
        self.state = self.state.renewed(bearer, since=since, at=self.now, fraction=fraction)

    def attempt_starts(self) -> None:
        self.state = self.state.attempted(self.now)

    def attempt_fails(self) -> None:
        error, number = self.draw(errors()), self.draw(random_numbers)
        if isinstance(error, Rejected) and not isinstance(error, AccountRejected):
            digest = self.draw(st.sampled_from(DIGESTS))
            self.state = self.state.rejected(error, digest=digest, at=self.now, random=number)
        else:
            self.state = self.state.failed(error, at=self.now, random=number)

    def password_is_sent(self) -> None:
        step = self.draw(st.none() | st.just(time_step(self.now)))
        self.account = self.account.signing_in(self.now, step)

    def password_is_not_judged(self) -> None:
        self.account = self.account.not_judged()

    def account_is_rejected(self) -> None:
        trouble = last_error_of(AccountRejected("no", step="login"), self.now)
        self.account = self.account.rejected(self.draw(st.sampled_from(DIGESTS)), trouble)

    def account_is_accepted(self) -> None:
        self.account = self.account.accepted(self.draw(st.sampled_from(DIGESTS)))

    def token_is_requested(self) -> None:
        until = self.now + self.draw(waits)
        self.state = self.state.requested(until, forced=self.draw(st.booleans()), at=self.now)

    def token_is_verified(self) -> None:
        expires_at = self.now + self.draw(lifetimes) if self.draw(st.booleans()) else None
        self.state = self.state.verified(self.state.generation, self.now, expires_at)

    def verification_fails(self) -> None:
        self.state = self.state.verification_failed(self.state.generation, self.now)

    def token_is_revoked(self) -> None:
        self.state = self.state.was_revoked(self.state.generation, self.now)

    def token_becomes_unverified(self) -> None:
        self.state = self.state.unverified(self.state.generation)

    def sink_is_written(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.delivered(target, self.state.generation, DeliveryResult(), self.now)

    def sink_fails(self) -> None:
        target, error, number = (
            self.draw(st.sampled_from(TARGETS)),
            self.draw(errors()),
            self.draw(random_numbers),
        )
        self.state = self.state.delivery_failed(
            target, self.state.generation, error, at=self.now, random=number
        )

    def sink_is_checked(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.checked(target, self.state.generation, self.now)

    def check_fails(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.check_failed(target, self.state.generation, self.now)

    def keeper_starts(self) -> None:
        self.state = self.state.keeper_started()

    def sink_has_drifted(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.drifted(target, self.state.generation)

    def daemon_restarts(self) -> None:
        offset = self.draw(st.none() | st.just(self.offset))
        self.state = self.state.loaded(self.now, offset)
        self.account = self.account.not_after(self.now)

    def clock_is_set(self) -> None:
        self.offset = self.draw(st.timedeltas(timedelta(days=-3000), timedelta(days=3000)))
        self.state = self.state.clock_set(self.offset)

    def daemon_restarts_with_another_clock(self) -> None:
        self.now += self.draw(st.timedeltas(timedelta(days=-3000), timedelta(days=3000)))
        self.daemon_restarts()


_STEADY = (
    _History.token_is_renewed,
    _History.attempt_starts,
    _History.attempt_fails,
    _History.password_is_sent,
    _History.password_is_not_judged,
    _History.account_is_rejected,
    _History.account_is_accepted,
    _History.token_is_requested,
    _History.token_is_verified,
    _History.verification_fails,
    _History.token_is_revoked,
    _History.token_becomes_unverified,
    _History.sink_is_written,
    _History.sink_fails,
    _History.sink_is_checked,
    _History.check_fails,
    _History.keeper_starts,
    _History.sink_has_drifted,
    _History.daemon_restarts,
)
_CLOCKS = (_History.clock_is_set, _History.daemon_restarts_with_another_clock)


@st.composite
def scenes(draw: st.DrawFn, *, steady: bool = False, holding: bool = False) -> Scene:
    """Any state that events can lead to.

    ``steady``: with a clock that nobody sets; ``holding``: a new token came last.
    """
    possible_events = _STEADY if steady else (*_STEADY, *_CLOCKS)
    history = _History(draw)
    for event in draw(st.lists(st.sampled_from(possible_events), max_size=12)):
        try:
            event(history)
        except IllegalEvent:
            continue
        history.now += draw(st.just(timedelta(0)) | waits)
    if holding:
        history.token_is_renewed()
    activity = Activity(
        refreshing=draw(st.booleans()),
        verifying=draw(st.booleans()),
        delivering=frozenset(draw(st.sets(st.sampled_from(TARGETS)))),
        blocked=draw(
            st.none() | st.builds(Constraint, waits.map(history.now.__add__), st.just("closed"))
        ),
        sign_in=SignInProgress(
            Digests("account", draw(st.sampled_from(DIGESTS)), draw(st.sampled_from(DIGESTS))),
            draw(st.none() | waits.map(history.now.__add__)),
        ),
    )
    return Scene(history.state, history.account, activity, history.now, draw(policy_settings))
