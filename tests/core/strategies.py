"""What hypothesis builds: any value of the pure part, and any history of one Homey."""

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

draws = st.floats(0, 1, exclude_max=True)
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
jumps = st.timedeltas(timedelta(days=-20000), timedelta(days=20000))

troubles = st.builds(
    LastError,
    at=instants,
    kind=words,
    step=words,
    message=words,
    remedy=words,
    status=st.none() | st.integers(100, 599),
    count=st.integers(1, 10**6),
)
failures = st.builds(Failure, troubles, draws, st.none() | instants)
refusals = st.builds(Rejection, words, troubles)


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
    """Any Homey as it is stored: what lives in memory only is not set."""
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
        rejection=draw(st.none() | refusals),
        refreshes=draw(numbers),
        sinks=draw(st.dictionaries(words, sinks(most), max_size=2)),
    )


accounts = st.builds(
    AccountState,
    rejections=st.lists(refusals, max_size=3).map(lambda some: {one.digest: one for one in some}),
    sign_ins=st.lists(instants, max_size=4).map(tuple),
    one_time_steps=st.lists(numbers, max_size=4).map(tuple),
    rejected_at=st.lists(instants, max_size=4).map(tuple),
    forced=st.lists(instants, max_size=2).map(tuple),
)


@st.composite
def books(draw: st.DrawFn) -> StateDocument:
    """Any Book that can have been stored."""
    names = draw(st.lists(words, max_size=2, unique=True))
    return StateDocument(
        salt=draw(words),
        homeys={name: draw(stored_homeys(name)) for name in names},
        accounts=draw(st.dictionaries(words, accounts, max_size=2)),
        refresh_tokens=draw(st.dictionaries(words, secrets, max_size=2)),
    )


# --- histories -------------------------------------------------------------------

targets = st.sets(st.sampled_from(TARGETS)).map(lambda some: tuple(sorted(some)))
plans = st.builds(
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
lives = st.sampled_from(
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
    """What policy is asked about."""

    state: HomeyState
    account: AccountState
    activity: Activity
    now: datetime
    plan: RefreshSettings


@dataclass
class _Story:
    """A Homey's life so far; each method is something that can happen, told by ``draw``."""

    draw: st.DrawFn
    now: datetime = NOON
    state: HomeyState = field(default_factory=lambda: HomeyState("home"))
    account: AccountState = field(default_factory=AccountState)
    offset: timedelta = timedelta(0)

    def gets_a_token(self) -> None:
        bearer = Bearer(
            Secret("bearer"),
            url="https://hub.example",
            issued_at=self.now - self.draw(st.timedeltas(timedelta(0), timedelta(seconds=9))),
            expires_at=self.now + self.draw(lives),
            expiry_reported=self.draw(st.booleans()),
            verified=self.draw(st.booleans()),
        )
        fraction = self.draw(st.floats(0.01, 0.95))
        since = self.state.generation
        self.state = self.state.renewed(bearer, since=since, at=self.now, fraction=fraction)

    def begins_an_attempt(self) -> None:
        self.state = self.state.attempted(self.now)

    def fails(self) -> None:
        error, drawn = self.draw(errors()), self.draw(draws)
        if isinstance(error, Rejected) and not isinstance(error, AccountRejected):
            digest = self.draw(st.sampled_from(DIGESTS))
            self.state = self.state.rejected(error, digest=digest, at=self.now, random=drawn)
        else:
            self.state = self.state.failed(error, at=self.now, random=drawn)

    def signs_in(self) -> None:
        step = self.draw(st.none() | st.just(time_step(self.now)))
        self.account = self.account.signing_in(self.now, step)

    def is_not_judged(self) -> None:
        self.account = self.account.not_judged()

    def account_is_refused(self) -> None:
        trouble = last_error_of(AccountRejected("no", step="login"), self.now)
        self.account = self.account.rejected(self.draw(st.sampled_from(DIGESTS)), trouble)

    def account_is_accepted(self) -> None:
        self.account = self.account.accepted(self.draw(st.sampled_from(DIGESTS)))

    def is_asked_for_a_token(self) -> None:
        until = self.now + self.draw(waits)
        self.state = self.state.requested(until, forced=self.draw(st.booleans()), at=self.now)

    def is_proved(self) -> None:
        expires_at = self.now + self.draw(lives) if self.draw(st.booleans()) else None
        self.state = self.state.verified(self.state.generation, self.now, expires_at)

    def does_not_answer(self) -> None:
        self.state = self.state.verification_failed(self.state.generation, self.now)

    def is_revoked(self) -> None:
        self.state = self.state.was_revoked(self.state.generation, self.now)

    def is_doubted(self) -> None:
        self.state = self.state.unverified(self.state.generation)

    def sink_takes_it(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.delivered(target, self.state.generation, DeliveryResult(), self.now)

    def sink_fails(self) -> None:
        target, error, drawn = (
            self.draw(st.sampled_from(TARGETS)),
            self.draw(errors()),
            self.draw(draws),
        )
        self.state = self.state.delivery_failed(
            target, self.state.generation, error, at=self.now, random=drawn
        )

    def sink_is_looked_at(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.checked(target, self.state.generation, self.now)

    def sink_is_not_seen(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.check_failed(target, self.state.generation, self.now)

    def keeper_begins(self) -> None:
        self.state = self.state.keeper_started()

    def sink_has_drifted(self) -> None:
        target = self.draw(st.sampled_from(TARGETS))
        self.state = self.state.drifted(target, self.state.generation)

    def starts_anew(self) -> None:
        offset = self.draw(st.none() | st.just(self.offset))
        self.state = self.state.loaded(self.now, offset)
        self.account = self.account.not_after(self.now)

    def clock_is_set(self) -> None:
        self.offset = self.draw(st.timedeltas(timedelta(days=-3000), timedelta(days=3000)))
        self.state = self.state.clock_set(self.offset)

    def starts_by_another_clock(self) -> None:
        self.now += self.draw(st.timedeltas(timedelta(days=-3000), timedelta(days=3000)))
        self.starts_anew()


_STEADY = (
    _Story.gets_a_token,
    _Story.begins_an_attempt,
    _Story.fails,
    _Story.signs_in,
    _Story.is_not_judged,
    _Story.account_is_refused,
    _Story.account_is_accepted,
    _Story.is_asked_for_a_token,
    _Story.is_proved,
    _Story.does_not_answer,
    _Story.is_revoked,
    _Story.is_doubted,
    _Story.sink_takes_it,
    _Story.sink_fails,
    _Story.sink_is_looked_at,
    _Story.sink_is_not_seen,
    _Story.keeper_begins,
    _Story.sink_has_drifted,
    _Story.starts_anew,
)
_CLOCKS = (_Story.clock_is_set, _Story.starts_by_another_clock)


@st.composite
def scenes(draw: st.DrawFn, *, steady: bool = False, holding: bool = False) -> Scene:
    """Anything that events can lead to.

    ``steady``: with a clock that nobody sets; ``holding``: a new token came last.
    """
    happenings = _STEADY if steady else (*_STEADY, *_CLOCKS)
    story = _Story(draw)
    for happens in draw(st.lists(st.sampled_from(happenings), max_size=12)):
        try:
            happens(story)
        except IllegalEvent:
            continue
        story.now += draw(st.just(timedelta(0)) | waits)
    if holding:
        story.gets_a_token()
    activity = Activity(
        refreshing=draw(st.booleans()),
        verifying=draw(st.booleans()),
        delivering=frozenset(draw(st.sets(st.sampled_from(TARGETS)))),
        blocked=draw(
            st.none() | st.builds(Constraint, waits.map(story.now.__add__), st.just("closed"))
        ),
        sign_in=SignInProgress(
            Digests("account", draw(st.sampled_from(DIGESTS)), draw(st.sampled_from(DIGESTS))),
            draw(st.none() | waits.map(story.now.__add__)),
        ),
    )
    return Scene(story.state, story.account, activity, story.now, draw(plans))
