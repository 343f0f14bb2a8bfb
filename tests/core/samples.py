"""Small, complete values for the tests of the core."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from homey_tokend.core.account import AccountState, Digests
from homey_tokend.core.decision import Activity, Decision, RefreshSettings, SignInProgress
from homey_tokend.core.errors import (
    AccountRejected,
    ClientRejected,
    ProtocolChanged,
    ServerError,
    TokendError,
)
from homey_tokend.core.failure import last_error_of
from homey_tokend.core.homey import HomeyState
from homey_tokend.core.policy import decide
from homey_tokend.core.secret import Secret
from homey_tokend.core.tokens import Bearer
from tests.support.clock import NOON

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

#: The digests of the credentials in use, and others.
LOGIN, SITE, OTHER = "login", "site", "other"
#: The activity while nothing is running.
IDLE = Activity(sign_in=SignInProgress(Digests("account", LOGIN, SITE)))
#: The activity after an attempt that left a grant or user token, so that no password is needed.
NO_PASSWORD = replace(
    IDLE, sign_in=replace(IDLE.sign_in, resume_until=datetime.max.replace(tzinfo=UTC))
)
SETTINGS = RefreshSettings()
NEW_ACCOUNT = AccountState()

DOWN = ServerError("the host answered 503", step="login", status=503)
WRONG_PASSWORD = AccountRejected("Athom rejects the password", step="login", status=400)
WRONG_CLIENT = ClientRejected("the client is rejected", step="token", status=400)
UNKNOWN_LOGIN = ProtocolChanged("the login gave an unknown answer", step="login", status=418)


def bearer(
    *, at: datetime = NOON, life: timedelta = DAY, verified: bool = True, text: str = "bearer"
) -> Bearer:
    """Return a bearer that was issued at ``at``."""
    return Bearer(
        value=Secret(text),
        url="https://hub.example",
        issued_at=at,
        expires_at=at + life,
        expiry_reported=True,
        verified=verified,
    )


def holding(
    *,
    at: datetime = NOON,
    life: timedelta = DAY,
    fraction: float = 0.5,
    verified: bool = True,
    state: HomeyState | None = None,
) -> HomeyState:
    """Return a Homey that got a token at ``at``: half its lifetime is 12 h, and it must be renewed in the last hour."""
    state = state or HomeyState("home")
    return state.renewed(
        bearer(at=at, life=life, verified=verified),
        since=state.generation,
        at=at,
        fraction=fraction,
    )


def failing(
    state: HomeyState,
    error: TokendError = DOWN,
    *,
    at: datetime = NOON,
    times: int = 1,
    random: float = 1.0,
) -> HomeyState:
    """Return the state after ``times`` consecutive failures, the last at ``at``."""
    for _ in range(times):
        state = state.failed(error, at=at, random=random)
    return state


def rejected_account(
    *, at: datetime = NOON, times: int = 1, digest: str = LOGIN, state: AccountState = NEW_ACCOUNT
) -> AccountState:
    """Return an account whose credentials were rejected ``times`` times, the last at ``at``."""
    for _ in range(times):
        state = state.rejected(digest, last_error_of(WRONG_PASSWORD, at))
    return state


def signed_in(*instants: datetime, state: AccountState = NEW_ACCOUNT) -> AccountState:
    """Return an account to which passwords were sent at these instants."""
    for at in instants:
        state = state.signing_in(at, None)
    return state


def decided(
    state: HomeyState,
    now: datetime = NOON,
    *,
    account: AccountState = NEW_ACCOUNT,
    activity: Activity = IDLE,
    settings: RefreshSettings = SETTINGS,
) -> Decision:
    """Return the decision of policy."""
    return decide(state, account, activity, now, settings)
